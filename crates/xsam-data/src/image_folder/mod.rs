//! Any folder of class folders with JPEG or PNG files.

mod decode;
mod error;
mod layout;

use std::path::{Path, PathBuf};

pub use error::FolderError;

use crate::stratify::split;
use crate::{DataError, Images, Normalization, Splits};
use decode::Shape;
use layout::{Layout, Part};

/// One image of so many is for validation if there is no folder of such.
const VALIDATION_SHARE: usize = 10;
/// Decides which, for good.
const SPLIT_SEED: u64 = 10;

/// Reads the images in `dir`, decoding on all threads of rayon's pool.
///
/// ```text
/// DIR/train/CLASS/*.jpg, *.jpeg or *.png
/// DIR/test/CLASS/*       or val or valid in its place
/// ```
///
/// With `val` (or `valid`) beside `test`, it is the validation part. Otherwise a tenth of the
/// training images is, at least one, stratified and always the same. Classes are numbered by name,
/// and images are in the order of class and file name.
///
/// All images become RGB with a byte a channel: grey is copied, transparency dropped, and neither
/// colour profiles nor a camera's orientation are applied. With `image_size` they are resized to a
/// square of that many pixels, whatever their proportions, by a triangle filter that is widened
/// when it shrinks; without it all must be of one size.
///
/// Names that begin with a dot are skipped. Anything else that is not in this layout, other files
/// included, is an error, so that no image is left out in silence.
///
/// # Errors
///
/// A folder that is missing, empty or not in the layout; a class that is in one part and not in
/// another; an image that cannot be read, is damaged or of another size. Each names the file.
pub fn image_folder(dir: &Path, image_size: Option<usize>) -> Result<Splits, DataError> {
    if image_size == Some(0) {
        return Err(DataError::Zero {
            field: "image_size",
        });
    }
    let Layout {
        classes,
        train,
        validation,
        test,
    } = layout::scan(dir)?;
    let (train, validation) = match validation {
        Some(validation) => (train, validation),
        None => divided(train, classes.len(), dir)?,
    };
    let shape = match image_size {
        Some(size) => Shape::square(size)?,
        None => Shape::of(&train.files[0])?,
    };
    let images = |part: Part| -> Result<Images, DataError> {
        let pixels = decode::pixels(&part.files, shape)?;
        Images::new(pixels, part.labels, shape.sizes(), classes.clone())
    };
    let train = images(train)?;
    Ok(Splits {
        normalization: Normalization::measure(&train),
        train,
        validation: images(validation)?,
        test: images(test)?,
    })
}

/// Training images divided into those to learn from and those to validate with.
fn divided(all: Part, classes: usize, dir: &Path) -> Result<(Part, Part), FolderError> {
    let n = all.files.len();
    if n < 2 {
        let path = dir.join("train");
        return Err(FolderError::TooFew { path });
    }
    let held = (n / VALIDATION_SHARE).max(1);
    let parts = split(&all.labels, classes, &[n - held, held], SPLIT_SEED);
    let take = |indices: &[usize]| Part {
        files: indices
            .iter()
            .map(|&i| PathBuf::clone(&all.files[i]))
            .collect(),
        labels: indices.iter().map(|&i| all.labels[i]).collect(),
    };
    Ok((take(&parts[0]), take(&parts[1])))
}
