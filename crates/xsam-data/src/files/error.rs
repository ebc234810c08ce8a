//! What can be wrong with a file or folder of a data set.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file or folder cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum FileError {
    /// It is not there.
    #[error("there is no {path}; {expected}", path = path.display())]
    Missing {
        /// The file or folder.
        path: PathBuf,
        /// What should be there, and how to get it if that can be said.
        expected: String,
    },
    /// It cannot be read or written.
    #[error("cannot {doing} {path}: {reason}", path = path.display())]
    Io {
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A place in a file does not hold what it must.
    #[error("{path}, {position}: {reason}", path = path.display())]
    Wrong {
        path: PathBuf,
        position: Position,
        /// What is wrong there.
        reason: String,
    },
    /// As a whole it is not as it must be.
    #[error("{path} {reason}", path = path.display())]
    Unfit {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
}

impl FileError {
    pub(crate) fn unreadable(path: &Path, error: impl Display) -> Self {
        Self::Io {
            doing: "read",
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(crate) fn unwritable(path: &Path, error: impl Display) -> Self {
        Self::Io {
            doing: "write",
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(crate) fn unfit(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unfit {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Where in a file something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// So many bytes from the start.
    Byte(u64),
    /// So many bytes from the start of what a compressed file unpacks to.
    UnpackedByte(u64),
    /// The line, counted from 1.
    Line(usize),
}

impl Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(offset) => write!(f, "byte {offset}"),
            Self::UnpackedByte(offset) => write!(f, "byte {offset} unpacked"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// What is wrong in a file, found by a parser that does not know which file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) position: Position,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn byte(offset: usize, reason: impl Into<String>) -> Self {
        Self {
            position: Position::Byte(offset as u64),
            reason: reason.into(),
        }
    }

    pub(crate) fn line(line: usize, reason: impl Into<String>) -> Self {
        Self {
            position: Position::Line(line),
            reason: reason.into(),
        }
    }

    /// The fault as it is in this file.
    pub(crate) fn of(self, path: &Path) -> FileError {
        FileError::Wrong {
            path: path.to_owned(),
            position: self.position,
            reason: self.reason,
        }
    }
}

#[cfg(test)]
impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.reason)
    }
}
