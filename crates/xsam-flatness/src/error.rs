//! What can go wrong, and what to do about it.

use xsam::{ConfigError, StepError};

/// Why something could not be measured. The model that was looked at is as it was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum FlatnessError {
    /// A setting outside its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The loss or its gradient is not finite somewhere.
    #[error(
        "not finite {place} (loss {loss}): the distance may be too long, a batch damaged, or the model diverged"
    )]
    NotFinite { place: String, loss: f64 },
    /// A product with the operator has an element that is not finite.
    #[error(
        "a product with the operator is not finite: try another step of its differences, or double precision"
    )]
    ProductNotFinite,
    /// Two passes over a batch are not of the same operations.
    #[error(
        "two passes over batch {batch} differ: the closure must compute the same each time it is called for a batch"
    )]
    PassesDiffer {
        /// Number of the batch.
        batch: usize,
    },
    /// The closure's loss cannot be used, or the device failed.
    #[error(transparent)]
    Loss(StepError),
    /// There is no plane of displacement and gradient.
    #[error("there is no plane to search: {reason}")]
    NoPlane { reason: &'static str },
    /// Vectors would not fit into memory.
    #[error(
        "{vectors} vectors of the weights' size need {needed} MB, and {available} MB are free: fewer iterations, or \
         no re-orthogonalization, which keeps but a few"
    )]
    Memory {
        vectors: usize,
        /// What they need, in megabytes.
        needed: u64,
        /// What is free, in megabytes.
        available: u64,
    },
}

impl From<StepError> for FlatnessError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::NonFiniteLoss { point, value } => Self::NotFinite {
                place: point.to_string(),
                loss: value,
            },
            StepError::NonFiniteGradient { point, loss } => Self::NotFinite {
                place: point.to_string(),
                loss,
            },
            other => Self::Loss(other),
        }
    }
}
