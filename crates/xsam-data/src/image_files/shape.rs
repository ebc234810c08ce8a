//! The size that all images are to have.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::header::dimensions;
use crate::{DataError, FileError};

const CHANNELS: usize = 3;

/// The size that all images are to have, and what becomes of those that have another.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(super) width: u32,
    pub(super) height: u32,
    others: Others,
}

#[derive(Clone, Copy)]
enum Others {
    Resized,
    /// Refused, since the first image sets the size.
    UnlikeFirst,
    /// Refused, since the data set sets the size.
    WrongSize,
}

impl Shape {
    /// A square to which images are resized.
    pub(crate) fn resized(side: u32) -> Self {
        Self {
            others: Others::Resized,
            ..Self::exactly(side)
        }
    }

    /// A square which all images must be.
    pub(crate) const fn exactly(side: u32) -> Self {
        Self {
            width: side,
            height: side,
            others: Others::WrongSize,
        }
    }

    /// The size of the first image of the first part, which all others must have too. Only headers are read.
    pub(crate) fn common(parts: [&[PathBuf]; 3]) -> Result<Self, FileError> {
        let files: Vec<&PathBuf> = parts.into_iter().flatten().collect();
        let (width, height) = files.first().map_or(Ok((0, 0)), |file| dimensions(file))?;
        let shape = Self {
            width,
            height,
            others: Others::UnlikeFirst,
        };
        let unlike = files.par_iter().find_map_first(|file| {
            let checked = dimensions(file).and_then(|(w, h)| shape.check(file, w, h));
            checked.err()
        });
        unlike.map_or(Ok(shape), Err)
    }

    /// Channels, height and width.
    pub(crate) fn sizes(self) -> [usize; 3] {
        [CHANNELS, self.height as usize, self.width as usize]
    }

    /// Refuses more images than there is memory for.
    pub(crate) fn fits(self, images: usize) -> Result<(), DataError> {
        let (_, total) = self.bytes(images)?;
        match available_memory() {
            Some(available) if total as u64 > available => Err(self.too_large(images)),
            _ => Ok(()),
        }
    }

    /// The bytes of one image and of all.
    pub(super) fn bytes(self, images: usize) -> Result<(usize, usize), DataError> {
        let each = self.sizes().into_iter().try_fold(1, usize::checked_mul);
        let all = each.and_then(|each| each.checked_mul(images));
        let both = each.zip(all);
        both.ok_or_else(|| self.too_large(images))
    }

    pub(super) fn too_large(self, images: usize) -> DataError {
        DataError::TooLarge {
            images,
            width: self.width as usize,
            height: self.height as usize,
        }
    }

    /// Whether an image of this size is resized; an error if it must not be of it.
    pub(super) fn check(self, file: &Path, width: u32, height: u32) -> Result<bool, FileError> {
        if (width, height) == (self.width, self.height) {
            return Ok(false);
        }
        let expected = format!("{}x{}", self.width, self.height);
        let wrong = match self.others {
            Others::Resized => return Ok(true),
            Others::UnlikeFirst => {
                format!("the first one {expected}: give image_size to resize all to a square")
            }
            Others::WrongSize => format!("must be {expected}"),
        };
        let reason = format!("is {width}x{height} pixels and {wrong}");
        Err(FileError::unfit(file, reason))
    }
}

/// Bytes of memory that can still be taken without swapping, where the system says (Linux).
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kilobytes.checked_mul(1024)
}
