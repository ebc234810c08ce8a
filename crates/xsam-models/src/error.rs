//! Why a model cannot be built, or used.

use std::ops::RangeInclusive;

use burn::module::Module;
use thiserror::Error;
use xsam_weights::state::{StateError, parameter_count};

use crate::ClassifierName;

/// The most parameters that are tried to be stored: 8 GiB in single precision.
const MOST_PARAMETERS: usize = 1 << 31;

/// Why a model cannot be built, or cannot translate.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ModelError {
    /// A field that counts something is outside its range.
    #[error("{field} = {value} is outside {min}..={max}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        value: usize,
        /// The least value allowed.
        min: usize,
        /// The greatest value allowed.
        max: usize,
    },
    /// A field that measures something is outside its range.
    #[error("{field} = {value} is outside its range, {range}")]
    NotInRange {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The range in words.
        range: &'static str,
    },
    /// A width is given for a model that has only one.
    #[error("width = {width} is given, but {model} has a fixed width; leave it out")]
    FixedWidth {
        /// The model.
        model: ClassifierName,
        /// The width given.
        width: usize,
    },
    /// The pooling of the model would leave nothing of the image.
    #[error("image_size = {image_size} is too small for {model}, which needs at least {min}")]
    ImageTooSmall {
        /// The model.
        model: ClassifierName,
        /// The image size given.
        image_size: usize,
        /// The least image size of the model.
        min: usize,
    },
    /// The heads cannot share out the columns of a vector.
    #[error("heads = {heads} does not divide dim = {dim}")]
    Heads {
        /// The number of heads.
        heads: usize,
        /// Columns of a vector.
        dim: usize,
    },
    /// A special token has the id of the padding.
    #[error("{field} and padding are both {id}; they need ids of their own")]
    IsPadding {
        /// The field.
        field: &'static str,
        /// The id of both.
        id: usize,
    },
    /// Every field is in its range, but together they ask for too much memory.
    #[error("{model} of these sizes has {parameters} parameters, more than {MOST_PARAMETERS}")]
    TooLarge {
        /// The model.
        model: &'static str,
        /// The field that scales it, if there is one.
        field: Option<&'static str>,
        /// Its number of parameters.
        parameters: usize,
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
    /// The field that is at fault, where it is one: of a model that is too large the one that scales it.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::OutOfRange { field, .. }
            | Self::NotInRange { field, .. }
            | Self::IsPadding { field, .. } => Some(field),
            Self::FixedWidth { .. } => Some("width"),
            Self::ImageTooSmall { .. } => Some("image_size"),
            Self::Heads { .. } => Some("heads"),
            Self::TooLarge { field, .. } => *field,
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

/// Checks a field that measures something.
pub(crate) fn in_range(
    ok: bool,
    field: &'static str,
    value: f64,
    range: &'static str,
) -> Result<(), ModelError> {
    match ok {
        true => Ok(()),
        false => Err(ModelError::NotInRange {
            field,
            value,
            range,
        }),
    }
}

/// Refuses a model that is too large, before it has its initial values: it takes no room to speak of then, since
/// Burn's layers make their tensors at first use.
pub(crate) fn not_too_large<M: Module>(
    zeroed: M,
    model: &'static str,
    field: Option<&'static str>,
) -> Result<M, ModelError> {
    let parameters = parameter_count(&zeroed);
    match parameters <= MOST_PARAMETERS {
        true => Ok(zeroed),
        false => Err(ModelError::TooLarge {
            model,
            field,
            parameters,
        }),
    }
}
