//! What can be wrong with data or with a request for it.

use thiserror::Error;

use crate::FileError;

/// Why data cannot be made, selected or drawn.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum DataError {
    /// A size that must be positive is zero.
    #[error("{field} must be at least 1")]
    Zero { field: &'static str },
    /// A value is out of its range.
    #[error("{field} = {value} is outside {range}")]
    Range {
        /// What has the value.
        field: &'static str,
        value: String,
        /// What it can be.
        range: String,
    },
    /// There is no image or sentence pair with this index.
    #[error("{what} {index} does not exist, there are {len}")]
    Index {
        what: &'static str,
        /// The index asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// The values given do not go together, or are not enough; the message says which.
    #[error("{0}")]
    Unfit(String),
    /// The images do not fit into memory.
    #[error("{images} images of {width}x{height} pixels do not fit into memory")]
    TooLarge {
        images: usize,
        width: usize,
        height: usize,
    },
    /// Something failed that has nothing to do with the values given; the message says what.
    #[error("{0}")]
    Failed(String),
    /// A data set is asked for by what it cannot be.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A file or folder is not as it must be.
    #[error(transparent)]
    File(#[from] FileError),
}

impl DataError {
    /// Checks that a part of `size` images or sentence pairs can be taken of `len`.
    pub(crate) fn unless_subset(size: usize, len: usize) -> Result<(), Self> {
        if (1..=len).contains(&size) {
            return Ok(());
        }
        Err(Self::Range {
            field: "subset",
            value: size.to_string(),
            range: format!("1..={len}"),
        })
    }
}

/// A field of a request cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct RequestError {
    /// The field of [`Request`](crate::Request).
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl RequestError {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { field, message }
    }
}
