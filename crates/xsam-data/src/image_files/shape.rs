//! The size that all images are to have.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::ImageError;
use super::header::dimensions;
use crate::memory;

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
    /// A square to which so many images are resized.
    pub(crate) fn resized(size: usize, images: usize) -> Result<Self, ImageError> {
        let side = u32::try_from(size).map_err(|_| ImageError::TooLarge {
            images,
            width: size,
            height: size,
        })?;
        Ok(Self {
            width: side,
            height: side,
            others: Others::Resized,
        })
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
    pub(crate) fn common(parts: [&[PathBuf]; 3]) -> Result<Self, ImageError> {
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
    pub(crate) fn fits(self, images: usize) -> Result<(), ImageError> {
        let (_, total) = self.bytes(images)?;
        match memory::available() {
            Some(available) if total as u64 > available => Err(self.too_large(images)),
            _ => Ok(()),
        }
    }

    /// The bytes of one image and of all.
    pub(super) fn bytes(self, images: usize) -> Result<(usize, usize), ImageError> {
        let each = self.sizes().into_iter().try_fold(1, usize::checked_mul);
        let all = each.and_then(|each| each.checked_mul(images));
        let both = each.zip(all);
        both.ok_or_else(|| self.too_large(images))
    }

    pub(super) fn too_large(self, images: usize) -> ImageError {
        ImageError::TooLarge {
            images,
            width: self.width as usize,
            height: self.height as usize,
        }
    }

    /// Whether an image of this size is resized; an error if it must not be of it.
    pub(super) fn check(self, file: &Path, width: u32, height: u32) -> Result<bool, ImageError> {
        if (width, height) == (self.width, self.height) {
            return Ok(false);
        }
        let path = file.to_owned();
        let (expected_width, expected_height) = (self.width, self.height);
        match self.others {
            Others::Resized => Ok(true),
            Others::UnlikeFirst => Err(ImageError::Unequal {
                path,
                width,
                height,
                expected_width,
                expected_height,
            }),
            Others::WrongSize => Err(ImageError::WrongSize {
                path,
                width,
                height,
                expected_width,
                expected_height,
            }),
        }
    }
}
