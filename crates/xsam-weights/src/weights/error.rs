//! Why weights were not read, loaded or written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::state::StateError;

/// The most that is told of what is wrong with a file: a reason may quote all of it.
const LONGEST_REASON: usize = 400;

/// Why weights were not read, loaded or written.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum WeightsError {
    /// The file cannot be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged, or of a kind that is not read.
    #[error(
        "{path} is damaged, or neither a .safetensors file nor a state dict by torch.save: {reason}",
        path = path.display()
    )]
    Damaged {
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The tensors are not those of the model.
    #[error("{path} does not fit the model:{}", listed(mismatches), path = path.display())]
    Mismatch {
        path: PathBuf,
        /// Everything that is amiss: tensors of the model in its order, then those it does not have.
        mismatches: Vec<Mismatch>,
    },
    /// The end of a file's name says of no format.
    #[error(
        "{path} must end in .safetensors, .pt or .pth, which says in what format weights are \
         written",
        path = path.display()
    )]
    Ending { path: PathBuf },
    /// A tensor of the model cannot be filled, or holds what is not written.
    #[error(transparent)]
    State(#[from] StateError),
}

impl WeightsError {
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    pub(super) fn damaged(path: &Path, reason: impl ToString) -> Self {
        let mut reason = reason.to_string();
        if let Some((end, _)) = reason.char_indices().nth(LONGEST_REASON) {
            reason.truncate(end);
            reason.push('…');
        }
        Self::Damaged {
            path: path.to_owned(),
            reason,
        }
    }

    /// The file could not be read: only what the system itself says is no fault of the file.
    pub(super) fn unread(path: &Path, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::file("read", path)(error),
            None => Self::damaged(path, error),
        }
    }
}

/// One tensor that keeps a file from fitting a model.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum Mismatch {
    /// The file lacks a tensor of the model.
    #[error("missing: {name} {expected:?}")]
    Missing {
        name: String,
        /// Its shape in the model.
        expected: Vec<usize>,
    },
    /// The model has no such tensor.
    #[error("surplus: {name} {found:?}")]
    Surplus {
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
    },
    /// The tensor has another shape.
    #[error("misshapen: {name} is {found:?}, not {expected:?}")]
    Shape {
        name: String,
        /// Its shape in the model.
        expected: Vec<usize>,
        /// Its shape in the file.
        found: Vec<usize>,
    },
    /// The tensor does not hold floating-point numbers.
    #[error("not of floating-point numbers: {name} is {dtype}")]
    NotFloat {
        name: String,
        /// Its element type in the file.
        dtype: String,
    },
    /// Values are what they must not be.
    #[error("{fault}: {} of {name}, the first {name}[{index}] = {value}", values(*count))]
    Values {
        name: String,
        /// What is wrong with them: not finite, in the model's element type, or below zero.
        fault: String,
        /// How many there are.
        count: usize,
        /// Position of the first such value, row-major.
        index: usize,
        value: f64,
    },
}

fn values(count: usize) -> String {
    match count {
        1 => "1 value".to_owned(),
        several => format!("{several} values"),
    }
}

fn listed(mismatches: &[Mismatch]) -> String {
    let line = |mismatch: &Mismatch| format!("\n  {mismatch}");
    mismatches.iter().map(line).collect()
}
