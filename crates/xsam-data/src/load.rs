//! From a request to the data set of a name.

use crate::dataset::Dataset;
use crate::error::{DataError, RequestError};
use crate::facts::{Facts, Kind, Origin};
use crate::registry::DatasetName;
use crate::request::Request;
use crate::splits::Sizes;

/// Reads the data set of this name.
///
/// # Errors
///
/// What [`Request::check`] refuses; data that cannot be read or are not exactly as they must be: each error
/// names the file, and the byte or line if there is one.
pub fn load(name: DatasetName, request: &Request) -> Result<Dataset, DataError> {
    request.check(name)?;
    (name.facts().read)(request)
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
        let Facts { kind, origin, .. } = name.facts();
        if let Kind::Text {
            languages: None, ..
        } = kind
        {
            self.languages()?;
        }
        match origin {
            Origin::BuiltIn => Ok(()),
            _ => name.facts().folder(self).map(drop),
        }
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
}

/// Why a field says nothing to a data set, and what to do, if it does not.
fn says_nothing(name: DatasetName, field: &str) -> Option<String> {
    let Facts { kind, origin, .. } = name.facts();
    let why = match (field, kind, origin) {
        ("dir" | "image_size", _, Origin::BuiltIn) => {
            let why = format!("{name} are built in, as they are: leave it out");
            return Some(why + ", or choose image-folder");
        }
        ("validation" | "split_seed", _, Origin::BuiltIn) => {
            format!("the validation part of {name} is fixed")
        }
        ("image_size" | "validation" | "split_seed", Kind::Text { .. }, _) => {
            format!("{name} is text, in three parts of its own")
        }
        ("image_size", Kind::Images { sizes, .. }, _) => {
            let Sizes { width, height, .. } = (*sizes)?;
            format!("the images of {name} are {width}x{height}")
        }
        ("source" | "target", Kind::Images { .. }, _) => format!("{name} is of images"),
        ("source" | "target", Kind::Text { languages, .. }, _) => {
            format!("{name} is {}", (*languages)?)
        }
        _ => return None,
    };
    Some(why + ": leave it out")
}
