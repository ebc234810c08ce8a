//! What can be wrong with the files of a published data set.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Why the files of a data set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file or folder is not there.
    #[error("there is no {path}; the folder of {dataset} holds {holds}{get}", path = path.display())]
    Missing {
        /// The file or folder.
        path: PathBuf,
        /// The name of the data set.
        dataset: &'static str,
        /// What its folder holds, in words.
        holds: &'static str,
        /// The end of the message: how to get it, if that can be said.
        get: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// What is in a file is not what must be there.
    #[error("{path}, {position}: {reason}", path = path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where in it.
        position: Position,
        /// What is wrong there.
        reason: String,
    },
    /// A file or folder is where it does not belong.
    #[error("{path} {reason}: move it out of there", path = path.display())]
    Stray {
        /// The file or folder.
        path: PathBuf,
        /// Why it does not belong there.
        reason: &'static str,
    },
    /// A folder has too few images or too many.
    #[error("{path} holds {images} images and must hold {expected}", path = path.display())]
    Images {
        /// The folder.
        path: PathBuf,
        /// The images in it.
        images: usize,
        /// How many are published.
        expected: usize,
    },
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

impl fmt::Display for Position {
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
    pub(crate) fn of(self, path: PathBuf) -> FileError {
        FileError::Wrong {
            path,
            position: self.position,
            reason: self.reason,
        }
    }
}

#[cfg(test)]
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.reason)
    }
}
