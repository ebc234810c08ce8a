//! Why a task failed.

use std::error::Error as StdError;
use std::fmt;

use crate::error::Error;
use crate::spec::SpecError;

/// Why a task failed. Any error becomes one with `?`.
pub struct TaskError(Box<dyn StdError + Send + Sync>);

impl<E: StdError + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl TaskError {
    /// Says what is wrong, where, and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }

    /// What it was before, if that was of this type.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<TaskError> for Error {
    fn from(error: TaskError) -> Self {
        // What was the laboratory's own is so again.
        let error = match error.0.downcast::<Self>() {
            Ok(error) => return *error,
            Err(error) => error,
        };
        match error.downcast::<SpecError>() {
            Ok(error) => (*error).into(),
            Err(error) => Self::Task(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_laboratory_survive_a_task() {
        let spec = SpecError::new("data.rows", "0 must be at least 1");
        let error = Error::from(TaskError::from(spec.clone()));
        assert!(error.is_usage() && error.to_string() == spec.to_string());
        let twice = Error::from(TaskError::from(error));
        assert!(twice.is_usage());
        let other = Error::from(TaskError::new("the table is empty"));
        assert!(!other.is_usage());
        assert_eq!(other.to_string(), "the table is empty");
    }
}
