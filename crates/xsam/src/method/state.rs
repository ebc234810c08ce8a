//! What of a method survives a restart.

use std::collections::BTreeMap;

use burn_pack::Scalar;

use crate::error::RecordError;
use crate::number::Number;
use crate::vector::ParamVector;

/// State of a method as named scalars and vectors.
#[derive(Clone, Debug, Default)]
pub struct MethodState {
    pub(crate) scalars: BTreeMap<String, Scalar>,
    pub(crate) vectors: BTreeMap<String, ParamVector>,
}

impl MethodState {
    /// Adds a scalar under a name; an earlier one of that name is replaced.
    #[must_use]
    pub fn with_scalar(mut self, name: &str, value: impl Into<Scalar>) -> Self {
        self.scalars.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a number, which has been read when a step has ended.
    #[must_use]
    pub fn with_number(self, name: &str, number: &Number) -> Self {
        self.with_scalar(name, number.value().unwrap_or(f64::NAN))
    }

    /// Adds a vector over parameters, if there is one.
    #[must_use]
    pub fn with_vector(mut self, name: &str, value: impl Into<Option<ParamVector>>) -> Self {
        if let Some(value) = value.into() {
            self.vectors.insert(name.to_owned(), value);
        }
        self
    }

    /// A scalar.
    ///
    /// # Errors
    /// If there is none of that name, or it has another type.
    pub fn scalar<T: TryFrom<Scalar>>(&self, name: &str) -> Result<T, RecordError> {
        self.scalars
            .get(name)
            .and_then(|scalar| T::try_from(*scalar).ok())
            .ok_or_else(|| RecordError::Missing(name.to_owned()))
    }

    /// A vector; `None` if there is none of that name. Of a record it is on the default device:
    /// [`ParamVector::beside`] brings it to where it is needed.
    pub fn vector(&self, name: &str) -> Option<&ParamVector> {
        self.vectors.get(name)
    }
}
