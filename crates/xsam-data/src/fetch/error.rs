//! What can go wrong with a fetch.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::lock::Owner;

/// Why a data set was not fetched, or is not what was fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The manifest does not have it.
    #[error("there is no data set {name:?} to fetch; known are {known}")]
    Unknown {
        /// The name as given.
        name: String,
        /// The names of the manifest.
        known: String,
    },
    /// It cannot be fetched.
    #[error("{name} is not fetched: {how}{}", holds(.layout))]
    ByHand {
        /// The data set.
        name: String,
        /// Why, and what to do.
        how: String,
        /// What its folder must hold.
        layout: Vec<String>,
    },
    /// The manifest is not one.
    #[error("the manifest of data sets is wrong: {reason}")]
    Manifest {
        /// What does not fit.
        reason: String,
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
    Occupied {
        /// What is there.
        path: PathBuf,
    },
    /// The folder was fetched, but from other files than the manifest has now.
    #[error(
        "{path} was fetched from other files than those published now; remove it to fetch them"
    )]
    Outdated {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to verify.
    #[error("{path} does not hold a fetched data set; fetch it first")]
    NotFetched {
        /// The folder.
        path: PathBuf,
    },
    /// What is in the folder is not what was fetched.
    #[error("{path} is not as it was fetched: {}; remove the folder and fetch it again", some(.differences))]
    Damaged {
        /// The folder.
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
    #[error("{file} could not be fetched: {}", each(.failures))]
    Sources {
        /// The file.
        file: String,
        /// Every source in the order in which it was asked, and what was wrong with it.
        failures: Vec<SourceFailure>,
    },
    /// An archive is damaged, or holds what it must not.
    #[error("{archive} was not unpacked: {reason}")]
    Archive {
        /// The archive.
        archive: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {doing} {path}: {source}{}", advice(.source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What was wrong with one source of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceFailure {
    /// The source.
    pub url: String,
    /// The failure that ended it.
    pub failure: Failure,
}

/// Why one request did not give a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The server answered, but not with the file.
    #[error("the server answered {status}")]
    Status {
        /// The code of HTTP.
        status: u16,
        /// How long the server asked to wait.
        retry_after: Option<Duration>,
    },
    /// The server was not reached, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// The request cannot succeed, however often it is made.
    #[error("{0}")]
    Refused(String),
    /// The file ended early.
    #[error("the file ended after {found} of {expected} bytes")]
    Short {
        /// The bytes that arrived.
        found: u64,
        /// The bytes there must be.
        expected: u64,
    },
    /// The file has another size than it must have.
    #[error("the file has {found} bytes instead of {expected}")]
    Size {
        /// The bytes there are.
        found: u64,
        /// The bytes there must be.
        expected: u64,
    },
    /// The file is larger than is accepted.
    #[error("the file has more than {limit} bytes")]
    TooLarge {
        /// The most that is accepted.
        limit: u64,
    },
    /// The server sent another range than asked for, or has none after what there is.
    #[error("the server could not go on from byte {from}")]
    Range {
        /// The first byte asked for.
        from: u64,
    },
    /// The file is not the published one.
    #[error("the file's MD5 is {found} instead of {expected}")]
    Checksum {
        /// As computed.
        found: String,
        /// As published.
        expected: String,
    },
}

impl Failure {
    /// Whether the same request may succeed later.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Connection(_) | Self::Short { .. } | Self::Range { .. } => true,
            Self::Refused(_) | Self::Size { .. } | Self::TooLarge { .. } => false,
            Self::Checksum { .. } => false,
        }
    }

    /// How long the server asked to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for SourceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.failure)
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

fn holds(layout: &[String]) -> String {
    match layout {
        [] => String::new(),
        _ => format!("; its folder must hold {}", layout.join(", ")),
    }
}

fn each(failures: &[SourceFailure]) -> String {
    let lines: Vec<String> = failures.iter().map(SourceFailure::to_string).collect();
    lines.join("; ")
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
