//! What can go wrong with a fetch.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use xsam_files::Owner;

use crate::DatasetName;

/// Why a data set was not fetched, or is not what was fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum FetchError {
    /// It cannot be fetched.
    #[error("{name} is not fetched: {how}")]
    ByHand {
        name: DatasetName,
        /// Why, and what to do.
        how: String,
    },
    /// The mirror is not a URL.
    #[error("the mirror {url:?} is not a URL of http or https")]
    Mirror {
        /// The mirror as given.
        url: String,
    },
    /// Something that was not made by a fetch is where the result belongs.
    #[error(
        "{path} is there and was not made by a fetch, so it is left as it is; move it away, or fetch into another folder"
    )]
    Occupied { path: PathBuf },
    /// The folder was fetched, but from other files than those published now.
    #[error(
        "{path} was fetched from other files than those published now; remove it to fetch them"
    )]
    Outdated { path: PathBuf },
    /// There is nothing to verify.
    #[error("{path} does not hold a fetched data set; fetch it first")]
    NotFetched { path: PathBuf },
    /// What is in the folder is not what was fetched.
    #[error("{path} is not as it was fetched: {}; remove the folder and fetch it again", some(.differences))]
    Damaged {
        path: PathBuf,
        /// One line for each file that is missing or differs.
        differences: Vec<String>,
    },
    /// Another fetch is at work.
    #[error(
        "{goal} is being fetched by {}; wait for it, or stop it",
        .by.as_ref().map_or_else(|| "another process".to_owned(), Owner::to_string)
    )]
    Busy {
        /// What is to become of it.
        goal: PathBuf,
        /// Who fetches it, as far as that is known.
        by: Option<Owner>,
    },
    /// The caller asked to stop.
    #[error("the fetch was stopped; the next one goes on where it was")]
    Cancelled,
    /// No source gave the file.
    #[error("{file} could not be fetched: {}", .failures.join("; "))]
    Sources {
        file: String,
        /// Every source in the order in which it was asked, and what was wrong with it.
        failures: Vec<String>,
    },
    /// An archive is damaged, or holds what it must not.
    #[error("{archive} was not unpacked: {reason}")]
    Archive { archive: PathBuf, reason: String },
    /// A file or folder cannot be read or written.
    #[error("cannot {doing} {path}: {source}{}", advice(.source))]
    Io {
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why one request did not give a file.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// Whether the same request may succeed later.
    pub(super) passes: bool,
    /// How long the server asked to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// One that may be gone the next time.
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self {
            passes: true,
            ..Self::lasting(reason)
        }
    }

    /// One that is there however often it is tried.
    pub(super) fn lasting(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            passes: false,
            retry_after: None,
        }
    }
}

/// For `map_err`: an error of the system, with what was tried and where.
pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.to_owned();
    move |source| FetchError::Io {
        doing,
        path,
        source,
    }
}

/// The outcome of removing what may be there or not.
pub(super) fn removed(path: &Path, outcome: io::Result<()>) -> Result<(), FetchError> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn some(differences: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = differences[..differences.len().min(SHOWN)].join(", ");
    if differences.len() > SHOWN {
        text += &format!(" and {} more", differences.len() - SHOWN);
    }
    text
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room and fetch again, it goes on where it was"
        }
        _ => "",
    }
}
