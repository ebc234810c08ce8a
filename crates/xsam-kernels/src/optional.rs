//! A tensor that may be missing.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType};

/// A tensor that may be missing. (An `Option` cannot cross Burn's dispatch.)
#[derive(Clone, Debug, ExtensionType)]
pub enum Optional<B: Backend> {
    /// The argument is missing.
    None,
    /// The argument is this tensor.
    Some(FloatTensor<B>),
}

impl<B: Backend> Optional<B> {
    pub(crate) fn new(tensor: Option<FloatTensor<B>>) -> Self {
        tensor.map_or(Self::None, Self::Some)
    }

    pub(crate) fn get(self) -> Option<FloatTensor<B>> {
        match self {
            Self::None => None,
            Self::Some(tensor) => Some(tensor),
        }
    }
}
