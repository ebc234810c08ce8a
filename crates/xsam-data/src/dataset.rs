//! A data set that has been read.

use crate::splits::Splits;
use crate::text::ParallelText;

/// A data set that has been read.
#[derive(Clone, Debug, PartialEq)]
pub enum Dataset {
    /// Images and their classes.
    Images(Splits),
    /// Sentences and their translations.
    Text(ParallelText),
}

impl Dataset {
    /// The images, if it is of images.
    pub fn images(self) -> Option<Splits> {
        match self {
            Self::Images(splits) => Some(splits),
            Self::Text(_) => None,
        }
    }

    /// The sentences, if it is of text.
    pub fn text(self) -> Option<ParallelText> {
        match self {
            Self::Images(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}
