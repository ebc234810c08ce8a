//! What the headers of an image say, and what is wrong with its file.

use std::fmt::Display;
use std::io::{Cursor, Read};
use std::path::Path;

use image::{ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::files::{self, FileError};

/// The most bytes of a file.
pub(super) const FILE: u64 = 1 << 30;
/// The most bytes of what a PNG says of itself, unpacked. A colour profile that is larger is passed over, as all are.
const METADATA: u64 = 1 << 25;
/// The headers of nearly all images are in so many bytes.
const HEAD: u64 = 1 << 16;

/// The width and the height of an image, by its headers.
pub(super) fn dimensions(file: &Path) -> Result<(u32, u32), FileError> {
    let mut head = Vec::new();
    let opened = files::open(file).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    opened.map_err(|error| FileError::unreadable(file, error))?;
    if let Ok((_, decoder)) = open(&head) {
        return Ok(decoder.dimensions());
    }
    let bytes = files::read(file, FILE).map_err(|error| FileError::unreadable(file, error))?;
    let (_, decoder) = open(&bytes).map_err(|reason| damaged(file, reason))?;
    Ok(decoder.dimensions())
}

/// Reads the headers of an image. Its bytes say what format it is of, whatever its name.
pub(super) fn open(bytes: &[u8]) -> Result<(ImageFormat, impl ImageDecoder), image::ImageError> {
    let format = image::guess_format(bytes)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(METADATA);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    Ok((format, reader.into_decoder()?))
}

/// Deflate makes at most so many bytes of one.
const MOST_OF_A_BYTE: u64 = 1032;

/// Whether a PNG with these bytes may hold so many pixels, by what its header says of one.
pub(super) fn png_may_hold(bytes: &[u8], pixels: u64) -> bool {
    // Behind the mark, the name of the header, width and height.
    let Some(&[depth, colour]) = bytes.get(24..26) else {
        return false;
    };
    let channels = match colour {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    let packed = pixels.saturating_mul(channels * u64::from(depth)) / 8;
    packed <= MOST_OF_A_BYTE.saturating_mul(bytes.len() as u64)
}

/// Whether a JPEG with these bytes may hold an image of this size: of each 8 by 8 pixels it has a bit at least.
pub(super) fn jpeg_may_hold(bytes: &[u8], (width, height): (u32, u32)) -> bool {
    let [across, down] = [width, height].map(|side| u64::from(side.div_ceil(8)));
    across * down <= 8 * bytes.len() as u64
}

pub(super) fn damaged(file: &Path, reason: impl Display) -> FileError {
    FileError::unfit(file, format!("is damaged, or not an image: {reason}"))
}
