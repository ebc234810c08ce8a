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
