//! Why a model cannot be built, or used.

use std::ops::RangeInclusive;

use burn::module::Module;
use thiserror::Error;
use xsam_weights::state::{StateError, parameter_count};

/// The most parameters that are tried to be stored: 8 GiB in single precision.
const MOST_PARAMETERS: usize = 1 << 31;

/// Why a model cannot be built, or cannot translate.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum ModelError {
    /// A field that counts something is outside its range.
    #[error("{field} = {value} is outside {min}..={max}")]
    OutOfRange {
        field: &'static str,
        value: usize,
        /// The least value allowed.
        min: usize,
        /// The greatest value allowed.
        max: usize,
    },
    /// A field is what it cannot be, by itself or together with others.
    #[error("{message}")]
    Impossible {
        /// The field, if it is one: of a model that is too large the one that scales it.
        field: Option<&'static str>,
        /// What is wrong with it.
        message: String,
    },
    /// A search met logits that are infinite or NaN.
    #[error("the logits for token {position} of a translation are not finite")]
    NotFinite {
        /// Which token, from 0 on.
        position: usize,
    },
    /// The initial values could not be stored.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ModelError {
    /// The field that is at fault, where it is one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::OutOfRange { field, .. } => Some(field),
            Self::Impossible { field, .. } => *field,
            Self::NotFinite { .. } | Self::State(_) => None,
        }
    }
}

/// Checks a field that counts something.
pub(crate) fn within(
    field: &'static str,
    value: usize,
    range: RangeInclusive<usize>,
) -> Result<(), ModelError> {
    let (min, max) = range.into_inner();
    match (min..=max).contains(&value) {
        true => Ok(()),
        false => Err(ModelError::OutOfRange {
            field,
            value,
            min,
            max,
        }),
    }
}

/// Refuses what a field is, with a message, unless it is `ok`.
pub(crate) fn unless(
    ok: bool,
    field: &'static str,
    message: impl FnOnce() -> String,
) -> Result<(), ModelError> {
    match ok {
        true => Ok(()),
        false => Err(ModelError::Impossible {
            field: Some(field),
            message: message(),
        }),
    }
}

/// Refuses a model that is too large, before it has its initial values: it takes no room to speak of then, since
/// Burn's layers make their tensors at first use. It is scaled by `field`, if it can be.
pub(crate) fn not_too_large<M: Module>(
    zeroed: M,
    model: &str,
    field: Option<&'static str>,
) -> Result<M, ModelError> {
    let parameters = parameter_count(&zeroed);
    if parameters <= MOST_PARAMETERS {
        return Ok(zeroed);
    }
    let message =
        format!("{model} of these sizes has {parameters} parameters, more than {MOST_PARAMETERS}");
    Err(ModelError::Impossible { field, message })
}
