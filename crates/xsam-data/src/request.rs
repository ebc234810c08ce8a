//! What is asked of a data set by name.

use std::path::PathBuf;

use thiserror::Error;

use crate::{DatasetName, Sizes, Validation};

/// Where a data set is and how it is to be read. What is `None` is as the data set has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The folder that holds it.
    pub dir: Option<PathBuf>,
    /// image-folder: height and width to which images are resized, up to
    /// [`LARGEST_SIZE`](Self::LARGEST_SIZE); their own, which must then all be equal, if not given.
    pub image_size: Option<usize>,
    /// The share of the training images that is held out for validation, above 0 and below 1;
    /// [`Validation::SHARE`] if not given.
    pub validation: Option<f64>,
    /// Decides which are held out; [`Validation::SEED`] if not given.
    pub split_seed: Option<u64>,
    /// parallel-text: the language to translate, which its files end in.
    pub source: Option<String>,
    /// parallel-text: the language of the translations.
    pub target: Option<String>,
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
    /// The largest `image_size`.
    pub const LARGEST_SIZE: usize = 16_384;

    /// Checks what can be checked before the data of that name are read.
    ///
    /// # Errors
    ///
    /// A folder that is needed and not given; a field that says nothing to this data set, so that
    /// none is ignored in silence; a value out of range.
    pub fn check(&self, name: DatasetName) -> Result<(), RequestError> {
        self.validation()?;
        let given = [
            ("dir", self.dir.is_some()),
            ("image_size", self.image_size.is_some()),
            ("validation", self.validation.is_some()),
            ("split_seed", self.split_seed.is_some()),
            ("source", self.source.is_some()),
            ("target", self.target.is_some()),
        ];
        for (field, _) in given.into_iter().filter(|(_, given)| *given) {
            if let Some(why) = says_nothing(name, field) {
                return Err(RequestError::new(field, why));
            }
        }
        match self.image_size {
            Some(0) => return Err(RequestError::new("image_size", "0 must be at least 1")),
            Some(size) if size > Self::LARGEST_SIZE => {
                let message = format!("{size} must be at most {}", Self::LARGEST_SIZE);
                return Err(RequestError::new("image_size", message));
            }
            _ => {}
        }
        match name {
            DatasetName::Digits => return Ok(()),
            DatasetName::ParallelText => drop(self.languages()?),
            _ => {}
        }
        self.folder(name).map(drop)
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
    pub(crate) fn folder(&self, name: DatasetName) -> Result<PathBuf, RequestError> {
        let folder = self.dir.clone().or_else(|| name.default_folder());
        folder.ok_or_else(|| {
            let message = format!("{name} needs the folder, which holds {}", name.holds());
            RequestError::new("dir", message)
        })
    }

    /// The languages of parallel text, from which and into which.
    pub(crate) fn languages(&self) -> Result<[&str; 2], RequestError> {
        let missing = |field| {
            let message = "parallel-text needs it: what its files end in, as `de` of train.de";
            RequestError::new(field, message)
        };
        let source = self.source.as_deref().ok_or_else(|| missing("source"))?;
        let target = self.target.as_deref().ok_or_else(|| missing("target"))?;
        Ok([source, target])
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

/// Why a field says nothing to a data set, and what to do, if it does not.
fn says_nothing(name: DatasetName, field: &str) -> Option<String> {
    let out = |why: &str| Some(format!("{why}: leave it out"));
    if name == DatasetName::Digits {
        match field {
            "dir" | "image_size" => {
                return out("digits are built in, as they are")
                    .map(|m| m + ", or choose image-folder");
            }
            "validation" | "split_seed" => return out("the validation part of digits is fixed"),
            _ => {}
        }
    }
    match (field, name.is_text()) {
        ("image_size" | "validation" | "split_seed", true) => {
            out(&format!("{name} is text, in three parts of its own"))
        }
        ("image_size", false) => {
            let Sizes { width, height, .. } = name.sizes()?;
            out(&format!("the images of {name} are {width}x{height}"))
        }
        ("source" | "target", false) => out(&format!("{name} is of images")),
        ("source" | "target", true) if name == DatasetName::Iwslt14DeEn => {
            out(&format!("{name} is German to English"))
        }
        _ => None,
    }
}
