//! From image files to pixels.

use std::path::{Path, PathBuf};

use image::imageops::{FilterType, resize};
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, RgbImage};
use rayon::prelude::*;

use super::Shape;
use super::header::{FILE, damaged, jpeg_may_hold, open, png_may_hold};
use super::jpeg::Jpeg;
use super::room::Room;
use crate::DataError;
use crate::files::{self, FileError};

/// Bytes that decoding and resizing may take, for one image and for all that are at work at a time: 350 million
/// pixels of a JPEG or PNG in colour, a third of that of a progressive one.
pub(super) const ROOM: u64 = 1 << 30;

/// The pixels of the images, `[image, channel, height, width]`. Of several that are at fault, the
/// error names the first.
pub(super) fn pixels(files: &[PathBuf], shape: Shape) -> Result<Vec<u8>, DataError> {
    // The others are to be of the first one's size, unless all are made of one size: one that cannot be is told before memory
    // for all of them is asked for.
    if let Some(first) = files.first() {
        opened(first, &read(first)?, shape)?;
    }
    let (per_image, total) = shape.bytes(files.len())?;
    // Whether the system gives so much is asked for first, since zeros are had without asking. They take no memory
    // until there is something else in them.
    let reserved = Vec::<u8>::new().try_reserve_exact(total);
    reserved.map_err(|_| shape.too_large(files.len()))?;
    let mut pixels = vec![0; total];
    let room = Room::new(ROOM);
    let error = pixels
        .par_chunks_exact_mut(per_image)
        .zip(files)
        .find_map_first(|(out, file)| decode(file, shape, &room, out).err());
    error.map_or(Ok(pixels), |error| Err(error.into()))
}

fn read(file: &Path) -> Result<Vec<u8>, FileError> {
    files::read(file, FILE).map_err(|error| FileError::unreadable(file, error))
}

/// An image before there are pixels.
struct Opened<'a, D> {
    decoder: D,
    /// What it is as a JPEG, if it is one.
    jpeg: Option<Jpeg<'a>>,
    is_resized: bool,
    /// Bytes that it takes to make the pixels.
    needed: u64,
}

/// The image of a file with these bytes, if it fits the shape and can be decoded in the memory that there is for it.
fn opened<'a>(
    file: &Path,
    bytes: &'a [u8],
    shape: Shape,
) -> Result<Opened<'a, impl ImageDecoder>, FileError> {
    let (format, decoder) = open(bytes).map_err(|reason| damaged(file, reason))?;
    let (width, height) = decoder.dimensions();
    let is_resized = shape.check(file, width, height)?;
    let short = || damaged(file, "it is too short for its pixels");
    let jpeg = match format {
        ImageFormat::Jpeg => {
            let jpeg = Jpeg::open(bytes);
            Some(jpeg.ok_or_else(|| damaged(file, "its headers make no sense"))?)
        }
        // As JPEGs are, before there are pixels.
        _ if !png_may_hold(bytes, u64::from(width) * u64::from(height)) => return Err(short()),
        _ => None,
    };
    let needed = needed(&decoder, jpeg.as_ref(), is_resized.then_some(shape));
    if needed > ROOM {
        let huge = "too large to be decoded: make it smaller, or move it out of there";
        let reason = format!("is {width}x{height} pixels, {huge}");
        return Err(FileError::unfit(file, reason));
    }
    if jpeg.is_some() && !jpeg_may_hold(bytes, (width, height)) {
        return Err(short());
    }
    Ok(Opened {
        decoder,
        jpeg,
        is_resized,
        needed,
    })
}

/// Reads an image into `[channel, height, width]`.
fn decode(file: &Path, shape: Shape, room: &Room, out: &mut [u8]) -> Result<(), FileError> {
    let bytes = read(file)?;
    let Opened {
        decoder,
        jpeg,
        is_resized,
        needed,
    } = opened(file, &bytes, shape)?;
    let _taken = room.take(needed);
    // Before there are pixels: it bounds them by what is in the file.
    if let Some(jpeg) = jpeg {
        jpeg.check().map_err(|reason| damaged(file, reason))?;
    }
    let image = DynamicImage::from_decoder(decoder).map_err(|error| damaged(file, error))?;
    let mut image: RgbImage = image.into_rgb8();
    if is_resized {
        image = resize(&image, shape.width, shape.height, FilterType::Triangle);
    }
    let plane = out.len() / shape.sizes()[0];
    for (at, pixel) in image.pixels().enumerate() {
        for (channel, &value) in pixel.0.iter().enumerate() {
            out[channel * plane + at] = value;
        }
    }
    Ok(())
}

/// Bytes that it takes to decode an image and to resize it, besides its file.
fn needed(decoder: &impl ImageDecoder, jpeg: Option<&Jpeg<'_>>, resized: Option<Shape>) -> u64 {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let copy = match decoder.color_type() {
        ColorType::Rgb8 => 0,
        _ => 3,
    };
    // A coefficient has two bytes. Resizing begins with the columns, and has four numbers of four for a pixel.
    let kept = jpeg.map_or(0, |jpeg| 2 * jpeg.kept());
    let columns = resized.map_or(0, |shape| 16 * u64::from(width) * u64::from(shape.height));
    decoder
        .total_bytes()
        .saturating_add(pixels.saturating_mul(copy + kept))
        .saturating_add(columns)
}
