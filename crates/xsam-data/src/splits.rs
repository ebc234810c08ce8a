//! The parts of a data set of images, and how large they are.

use crate::images::Images;
use crate::normalize::Normalization;

/// How large a data set of images is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Images to learn from.
    pub train: usize,
    /// Images to choose by.
    pub validation: usize,
    /// Images to report on.
    pub test: usize,
    /// Channels of each image.
    pub channels: usize,
    /// Height of each image in pixels.
    pub height: usize,
    /// Width of each image in pixels.
    pub width: usize,
    /// Number of classes of the data set.
    pub classes: usize,
}

impl Sizes {
    /// Images in all three parts.
    pub const fn total(&self) -> usize {
        self.train + self.validation + self.test
    }
}

/// A data set divided for training, for choosing, and for the final number.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// Images to learn from.
    pub train: Images,
    /// Images to choose hyper-parameters and checkpoints by.
    pub validation: Images,
    /// Images to report on, once.
    pub test: Images,
    /// Mean and deviation of the training pixels, by which batches of all three parts are
    /// normalized.
    pub normalization: Normalization,
}

impl Splits {
    /// How large it is.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            train: self.train.len(),
            validation: self.validation.len(),
            test: self.test.len(),
            channels: self.train.channels(),
            height: self.train.height(),
            width: self.train.width(),
            classes: self.train.classes(),
        }
    }
}
