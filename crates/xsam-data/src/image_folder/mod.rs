//! Any folder of class folders with JPEG or PNG files.

mod error;
mod layout;

use std::path::Path;

pub use error::FolderError;

use crate::image_files::{ImageFiles, Shape};
use crate::{
    Augmentation, DataError, Dataset, Facts, ImageError, Kind, Normalization, Origin, RequestError,
    Splits, Validation,
};
use layout::Layout;

pub(crate) const FACTS: Facts = Facts {
    name: "image-folder",
    description: "your own: DIR/train/CLASS/*.jpg, .jpeg or .png, and DIR/test",
    holds: "train/CLASS/*.jpg, .jpeg or .png, and test",
    kind: Kind::Images {
        sizes: None,
        augmentation: Augmentation::none(),
    },
    origin: Origin::Own,
    read: |request| {
        let validation = request.validation()?;
        image_folder(&FACTS.folder(request)?, request.image_size, validation).map(Dataset::Images)
    },
};

/// Reads the images in `dir`, decoding on all threads of rayon's pool.
///
/// ```text
/// DIR/train/CLASS/*.jpg, *.jpeg or *.png
/// DIR/test/CLASS/*       or val or valid in its place
/// ```
///
/// With `val` (or `valid`) beside `test`, it is the validation part, and `validation` must be
/// `None`. Otherwise `validation` says which of the training images are held out, the default if it
/// is `None`. Classes are numbered by name, and images are in the order of class and file name.
///
/// All images become RGB with a byte a channel: grey is copied, transparency dropped, and neither
/// colour profiles nor a camera's orientation are applied. With `image_size` they are resized to a
/// square of that many pixels, whatever their proportions, by a triangle filter that is widened
/// when it shrinks; without it all must be of one size.
///
/// Headers are read first, and what all images take must fit into memory before any of it is taken. Decoding takes
/// up to 1 GiB more at a time, whatever the number of threads, and an image that would take more alone is refused:
/// one above 350 million pixels, or a third of that if it is a progressive JPEG. An image of which a part is missing
/// is damaged, also where decoders fill it with grey.
///
/// Names that begin with a dot are skipped. Anything else that is not in this layout, other files
/// included, is an error, so that no image is left out in silence.
///
/// # Errors
///
/// A folder that is missing, empty or not in the layout; a class that is in one part and not in
/// another; an image that cannot be read, is damaged, too large or of another size; a `validation` beside
/// a validation part: each names the file. Images that do not fit into memory.
pub fn image_folder(
    dir: &Path,
    image_size: Option<usize>,
    validation: Option<Validation>,
) -> Result<Splits, DataError> {
    if image_size == Some(0) {
        return Err(DataError::Zero {
            field: "image_size",
        });
    }
    let Layout {
        classes,
        train,
        validation: own,
        test,
    } = layout::scan(dir)?;
    let (train, validation) = match (own, validation) {
        (Some(own), None) => (train, own.files),
        (Some(own), Some(_)) => return Err(FolderError::OwnValidation { path: own.path }.into()),
        (None, share) => {
            let parts = share
                .unwrap_or_default()
                .divide(&train.labels, classes.len());
            let [kept, held] = parts.ok_or_else(|| FolderError::TooFew {
                path: dir.join("train"),
            })?;
            (train.select(&kept), train.select(&held))
        }
    };
    let parts = [&train, &validation, &test].map(|part| part.files.as_slice());
    let images = parts.iter().map(|files| files.len()).sum();
    let shape = match image_size {
        Some(size) => Shape::resized(size, images),
        None => Shape::common(parts),
    };
    let shape = shape.map_err(advised)?;
    shape.fits(images).map_err(advised)?;
    let read = |files: ImageFiles| files.read(shape, &classes).map_err(advised);
    let train = read(train)?;
    Ok(Splits {
        normalization: Normalization::measure(&train),
        train,
        validation: read(validation)?,
        test: read(test)?,
    })
}

/// An error with what can be done about it in a request.
fn advised(error: impl Into<DataError>) -> DataError {
    match error.into() {
        DataError::Image(error @ ImageError::TooLarge { .. }) => {
            let message = format!("{error}: choose a smaller one, or fewer images");
            RequestError::new("image_size", message).into()
        }
        other => other,
    }
}
