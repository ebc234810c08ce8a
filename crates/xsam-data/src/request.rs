//! What is asked of a data set by name.

use std::path::PathBuf;

use crate::error::RequestError;
use crate::validation::Validation;

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

impl Request {
    /// Largest value of `image_size`, in pixels.
    pub const LARGEST_SIZE: usize = 16_384;

    /// The languages of parallel text, from which and into which.
    pub(crate) fn languages(&self) -> Result<[&str; 2], RequestError> {
        let source = language("source", self.source.as_deref())?;
        let target = language("target", self.target.as_deref())?;
        if source == target {
            let message = format!("it is {target:?} as source is: they must be two languages");
            return Err(RequestError::new("target", message));
        }
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

fn language<'a>(field: &'static str, name: Option<&'a str>) -> Result<&'a str, RequestError> {
    let message = match name {
        None => "parallel-text needs it: what its files end in, as `de` of train.de".to_owned(),
        Some(name) if name.is_empty() || name.contains(['/', '\\', '\0']) => {
            format!(
                "{name:?} is no language: a language is the ending of its files, as de in train.de"
            )
        }
        Some(name) => return Ok(name),
    };
    Err(RequestError::new(field, message))
}
