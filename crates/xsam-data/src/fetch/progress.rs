//! What a fetch tells its caller, and how the caller stops it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::FetchError;

/// How far a fetch is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The file at work.
    pub file: &'a str,
    /// What is done with it.
    pub stage: Stage,
    /// The bytes done in this stage.
    pub bytes: u64,
    /// The bytes there are, if known.
    pub total: Option<u64>,
}

/// What is done with a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// It is being downloaded.
    Downloading,
    /// What is on the disk is being read for its checksum.
    Verifying,
    /// It is being unpacked.
    Unpacking,
    /// A request failed and is made again after a while.
    Waiting {
        /// Why the attempt failed, in words.
        reason: String,
        /// How long is waited.
        delay: Duration,
    },
}

/// How often a wait looks at the flag.
pub(super) const GLANCE: Duration = Duration::from_millis(50);

/// The caller's side of a fetch: hears of progress, and says when to stop.
pub(super) struct Watch<'a> {
    pub(super) tell: &'a mut dyn FnMut(Progress<'_>),
    pub(super) cancel: Option<&'a AtomicBool>,
}

impl Watch<'_> {
    /// Fails if the caller asked to stop.
    pub(super) fn check(&self) -> Result<(), FetchError> {
        match self.cancel {
            Some(cancel) if cancel.load(Ordering::Relaxed) => Err(FetchError::Cancelled),
            _ => Ok(()),
        }
    }

    /// Tells of progress, and fails if the caller asked to stop.
    pub(super) fn at(
        &mut self,
        file: &str,
        stage: Stage,
        bytes: u64,
        total: Option<u64>,
    ) -> Result<(), FetchError> {
        (self.tell)(Progress {
            file,
            stage,
            bytes,
            total,
        });
        self.check()
    }

    /// Sleeps, awake for the flag.
    pub(super) fn sleep(&self, delay: Duration) -> Result<(), FetchError> {
        let start = Instant::now();
        loop {
            self.check()?;
            match delay.checked_sub(start.elapsed()) {
                Some(left) if !left.is_zero() => thread::sleep(left.min(GLANCE)),
                _ => return Ok(()),
            }
        }
    }
}
