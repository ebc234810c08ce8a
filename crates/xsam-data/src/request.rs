//! What is asked of a data set by name.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{DatasetName, Sizes, Validation};

/// Where a data set is and how it is to be read. What is `None` is as the data set has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The folder that holds it.
    pub dir: Option<PathBuf>,
    /// image-folder: height and width to which images are resized; their own, which must then all be
    /// equal, if not given.
    pub image_size: Option<usize>,
    /// The share of the training images that is held out for validation, above 0 and below 1;
    /// [`Validation::SHARE`] if not given.
    pub validation: Option<f64>,
    /// Decides which are held out; [`Validation::SEED`] if not given.
    pub split_seed: Option<u64>,
}

/// A field of a request cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct RequestError {
    /// The field of [`Request`].
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl RequestError {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { field, message }
    }
}

impl Request {
    /// Checks what can be checked before the data of that name are read.
    ///
    /// # Errors
    ///
    /// A folder that is needed and not given; a field that says nothing to this data set, so that
    /// none is ignored in silence; a value out of range.
    pub fn check(&self, name: DatasetName) -> Result<(), RequestError> {
        self.validation()?;
        if name == DatasetName::Digits {
            let built_in = "digits are built in, as they are: leave it out, or choose image-folder";
            let fixed = "the validation part of digits is fixed: leave it out";
            let fields = [
                ("dir", self.dir.is_some(), built_in),
                ("image_size", self.image_size.is_some(), built_in),
                ("validation", self.validation.is_some(), fixed),
                ("split_seed", self.split_seed.is_some(), fixed),
            ];
            return match fields.into_iter().find(|&(_, given, _)| given) {
                Some((field, _, why)) => Err(RequestError::new(field, why)),
                None => Ok(()),
            };
        }
        self.folder(name)?;
        let message = match (self.image_size, name.sizes()) {
            (Some(_), Some(Sizes { width, height, .. })) => {
                format!("the images of {name} are {width}x{height}: leave it out")
            }
            (Some(0), None) => "0 must be at least 1".to_owned(),
            _ => return Ok(()),
        };
        Err(RequestError::new("image_size", message))
    }

    /// How large the data of that name are with this validation part, or nothing if that depends on what
    /// is in a folder.
    pub fn sizes(&self, name: DatasetName) -> Option<Sizes> {
        let sizes = name.sizes()?;
        match self.validation() {
            Ok(Some(validation)) if name.is_divided() => {
                let images = sizes.train + sizes.validation;
                let held = validation.held(images);
                Some(Sizes {
                    train: images - held,
                    validation: held,
                    ..sizes
                })
            }
            _ => Some(sizes),
        }
    }

    /// The folder, which `name` needs.
    pub(crate) fn folder(&self, name: DatasetName) -> Result<&Path, RequestError> {
        self.dir.as_deref().ok_or_else(|| {
            let message = format!("{name} needs the folder, which holds {}", name.holds());
            RequestError::new("dir", message + &name.published())
        })
    }

    /// How to divide the training images if the request says so.
    pub(crate) fn validation(&self) -> Result<Option<Validation>, RequestError> {
        if self.validation.is_none() && self.split_seed.is_none() {
            return Ok(None);
        }
        let share = self.validation.unwrap_or(Validation::SHARE);
        let seed = self.split_seed.unwrap_or(Validation::SEED);
        Validation::new(share, seed).map(Some)
    }
}
