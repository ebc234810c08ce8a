//! `[data]`: the data set, and what of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xsam_data::{DatasetName, Sizes, Splits, digits, image_folder};

use super::{Spec, SpecError};
use crate::error::Error;
use crate::names::named;

/// `[data]`: the data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSpec {
    /// Which one.
    #[serde(with = "named")]
    pub name: DatasetName,
    /// image-folder: where it is; relative to the current directory unless it begins at the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// image-folder: height and width to which images are resized; their own, which must then all be
    /// equal, if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Fraction of training labels that are replaced by random ones.
    pub label_noise: f64,
    /// Only so many training images: the first of each class, in proportion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<usize>,
}

impl Default for DataSpec {
    fn default() -> Self {
        Self {
            name: DatasetName::Digits,
            dir: None,
            image_size: None,
            label_noise: 0.0,
            subset: None,
        }
    }
}

impl DataSpec {
    /// All of the data set, without label noise.
    ///
    /// # Errors
    /// If a field cannot be, or the data cannot be read or are not as they must be.
    pub fn load(&self) -> Result<Splits, Error> {
        self.check()?;
        Ok(match self.name {
            DatasetName::Digits => digits()?,
            DatasetName::ImageFolder => image_folder(self.folder()?, self.image_size)?,
        })
    }

    fn folder(&self) -> Result<&Path, SpecError> {
        self.dir.as_deref().ok_or_else(|| {
            let message = "image-folder needs the folder, which holds train/CLASS/*.jpg, .jpeg or \
                           .png, and test";
            SpecError::new("data.dir", message)
        })
    }

    /// Checks what can be checked before the data are loaded.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let noise = self.label_noise;
        if !(0.0..=1.0).contains(&noise) {
            let message = format!("{noise} must be from 0 to 1");
            return Err(SpecError::new("data.label_noise", message));
        }
        match self.name {
            DatasetName::Digits => {
                for (key, given) in [
                    ("data.dir", self.dir.is_some()),
                    ("data.image_size", self.image_size.is_some()),
                ] {
                    if given {
                        let message = "digits are built in, as they are: leave it out, or choose \
                                       data.name = \"image-folder\"";
                        return Err(SpecError::new(key, message));
                    }
                }
            }
            DatasetName::ImageFolder => {
                self.folder()?;
                if self.image_size == Some(0) {
                    let message = "0 must be at least 1";
                    return Err(SpecError::new("data.image_size", message));
                }
            }
        }
        Ok(())
    }
}

impl Spec {
    /// Checks the fields that depend on the sizes of the data.
    pub(crate) fn check_data(&self, sizes: Sizes) -> Result<(), SpecError> {
        if let Some(n) = self.data.subset
            && !(1..=sizes.train).contains(&n)
        {
            let message = format!("{n} must be from 1 to {}", sizes.train);
            return Err(SpecError::new("data.subset", message));
        }
        if sizes.width != sizes.height {
            let (width, height) = (sizes.width, sizes.height);
            let message = format!(
                "the images are {width}x{height} pixels, and the models take squares: say of what \
                 size"
            );
            return Err(SpecError::new("data.image_size", message));
        }
        self.model_config(sizes)
            .check()
            .map_err(|error| SpecError::new("model", error.to_string()))
    }
}
