//! The data sets by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::digits;

/// The data sets of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatasetName {
    /// Handwritten digits of 8x8 pixels, built in.
    Digits,
    /// Any folder of class folders with JPEG or PNG files.
    ImageFolder,
}

/// How large a data set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Images to learn from.
    pub train: usize,
    /// Images to choose by.
    pub validation: usize,
    /// Images to report on.
    pub test: usize,
    /// Channels per image.
    pub channels: usize,
    /// Rows per image.
    pub height: usize,
    /// Columns per image.
    pub width: usize,
    /// Number of classes.
    pub classes: usize,
}

impl Sizes {
    /// Images in all three parts.
    pub const fn total(&self) -> usize {
        self.train + self.validation + self.test
    }
}

impl DatasetName {
    /// Every data set.
    pub const ALL: [Self; 2] = [Self::Digits, Self::ImageFolder];

    /// The name in a spec file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::ImageFolder => "image-folder",
        }
    }

    /// One line on what it is and where it comes from.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Digits => {
                "handwritten digits, 8x8 grey pixels, built in (UCI, Alpaydin and Kaynak 1998)"
            }
            Self::ImageFolder => "your own: DIR/train/CLASS/*.jpg, .jpeg or .png, and DIR/test",
        }
    }

    /// How large it is, or nothing if that depends on what is in a folder.
    pub const fn sizes(self) -> Option<Sizes> {
        match self {
            Self::Digits => Some(digits::SIZES),
            Self::ImageFolder => None,
        }
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that no data set has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no data set {name:?}; the data sets are {}", names())]
pub struct UnknownDataset {
    /// The name as given.
    pub name: String,
}

fn names() -> String {
    DatasetName::ALL.map(DatasetName::as_str).join(", ")
}

impl FromStr for DatasetName {
    type Err = UnknownDataset;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|dataset| dataset.as_str() == name)
            .ok_or_else(|| UnknownDataset {
                name: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn names_round_trip() {
        for name in DatasetName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
            assert!(!name.description().is_empty());
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let error = "digit".parse::<DatasetName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no data set \"digit\"; the data sets are digits, image-folder"
        );
    }
}
