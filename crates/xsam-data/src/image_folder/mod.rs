//! Any folder of class folders with JPEG or PNG files.

mod layout;

use crate::image_files::{ImageFiles, Shape};
use crate::{
    Augmentation, DataError, Dataset, Facts, FileError, Kind, Normalization, Origin, Request,
    RequestError, Splits,
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
    read: |request| read(request).map(Dataset::Images),
};

fn read(request: &Request) -> Result<Splits, DataError> {
    let dir = FACTS.folder(request)?;
    let Layout {
        classes,
        train,
        validation: own,
        test,
    } = layout::scan(&dir)?;
    let (train, validation) = match (own, request.validation()?) {
        (Some(own), None) => (train, own.files),
        (Some(own), Some(_)) => {
            let reason = "is the validation part: leave validation and split_seed out, or move it out of there";
            return Err(FileError::unfit(&own.path, reason).into());
        }
        (None, share) => {
            let share = share.unwrap_or_default();
            let [kept, held] = share.divide(&train.labels, classes.len())?;
            (train.select(&kept), train.select(&held))
        }
    };
    let parts = [&train, &validation, &test].map(|part| part.files.as_slice());
    let images = parts.iter().map(|files| files.len()).sum();
    let shape = match request.image_size {
        // Request::check has seen to it that it is no larger.
        Some(size) => Shape::resized(size as u32),
        None => Shape::common(parts)?,
    };
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
fn advised(error: DataError) -> DataError {
    if !matches!(error, DataError::TooLarge { .. }) {
        return error;
    }
    let message = format!("{error}: choose a smaller one, or fewer images");
    RequestError::new("image_size", message).into()
}
