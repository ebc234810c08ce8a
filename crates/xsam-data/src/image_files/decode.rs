//! From image files to pixels.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::imageops::{FilterType, resize};
use image::{ImageFormat, ImageReader, RgbImage};
use rayon::prelude::*;

use super::ImageError;

const CHANNELS: usize = 3;

/// The size that all images are to have, and what becomes of those that have another.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    width: u32,
    height: u32,
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
    pub(crate) fn resized(size: usize) -> Result<Self, ImageError> {
        let side = u32::try_from(size).map_err(|_| ImageError::TooLarge {
            images: 1,
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

    /// The size of an image, which the others must have too.
    pub(crate) fn of(file: &Path) -> Result<Self, ImageError> {
        let (width, height) = read(file)?.dimensions();
        Ok(Self {
            width,
            height,
            others: Others::UnlikeFirst,
        })
    }

    /// Channels, height and width.
    pub(crate) fn sizes(self) -> [usize; 3] {
        [CHANNELS, self.height as usize, self.width as usize]
    }
}

/// The pixels of the images, `[image, channel, height, width]`. Of several that are at fault, the
/// error names the first.
pub(super) fn pixels(files: &[PathBuf], shape: Shape) -> Result<Vec<u8>, ImageError> {
    let [channels, height, width] = shape.sizes();
    let too_large = || ImageError::TooLarge {
        images: files.len(),
        width,
        height,
    };
    let per_image = height
        .checked_mul(width)
        .and_then(|plane| plane.checked_mul(channels));
    let per_image = per_image.ok_or_else(too_large)?;
    let total = per_image.checked_mul(files.len()).ok_or_else(too_large)?;
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(total).map_err(|_| too_large())?;
    pixels.resize(total, 0);
    let error = pixels
        .par_chunks_exact_mut(per_image)
        .zip(files)
        .find_map_first(|(out, file)| decode(file, shape, out).err());
    error.map_or(Ok(pixels), Err)
}

/// Reads an image into `[channel, height, width]`.
fn decode(file: &Path, shape: Shape, out: &mut [u8]) -> Result<(), ImageError> {
    let mut image = read(file)?;
    let (width, height) = image.dimensions();
    if (width, height) != (shape.width, shape.height) {
        let path = file.to_owned();
        match shape.others {
            Others::Resized => {
                image = resize(&image, shape.width, shape.height, FilterType::Triangle);
            }
            Others::UnlikeFirst => {
                return Err(ImageError::Unequal {
                    path,
                    width,
                    height,
                    expected_width: shape.width,
                    expected_height: shape.height,
                });
            }
            Others::WrongSize => {
                return Err(ImageError::WrongSize {
                    path,
                    width,
                    height,
                    expected_width: shape.width,
                    expected_height: shape.height,
                });
            }
        }
    }
    let plane = out.len() / CHANNELS;
    for (at, pixel) in image.pixels().enumerate() {
        for (channel, &value) in pixel.0.iter().enumerate() {
            out[channel * plane + at] = value;
        }
    }
    Ok(())
}

/// Reads an image. Its bytes say what format it is of, whatever its name.
fn read(file: &Path) -> Result<RgbImage, ImageError> {
    let damaged = |reason: String| ImageError::Damaged {
        path: file.to_owned(),
        reason,
    };
    let bytes = fs::read(file).map_err(|error| ImageError::Unreadable {
        path: file.to_owned(),
        reason: error.to_string(),
    })?;
    let format = image::guess_format(&bytes).map_err(|error| damaged(error.to_string()))?;
    if format == ImageFormat::Jpeg && !is_whole_jpeg(&bytes) {
        return Err(damaged("the end is missing".to_owned()));
    }
    ImageReader::with_format(Cursor::new(&bytes), format)
        .decode()
        .map(|image| image.into_rgb8())
        .map_err(|error| damaged(error.to_string()))
}

/// Whether a JPEG has the marker of its end. The decoder fills what is missing with grey, and says
/// nothing.
///
/// Headers are stepped over, since a thumbnail in them has an end of its own. In what follows the
/// marker stands for nothing else.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    const FILL: u8 = 0xFF;
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == FILL {
            at += 1;
            continue;
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == START_OF_SCAN {
            let scan = bytes.get(at..).unwrap_or_default();
            return scan.windows(2).any(|pair| pair == [0xFF, 0xD9]);
        }
    }
    false
}
