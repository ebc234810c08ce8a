//! Directories in use.
//!
//! The system releases the lock of a process that is gone, however it went. There is one comparison at a time in a
//! directory; the processes that make its runs share its lock: after it was killed, the next one waits until the last of
//! them has noticed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::Error;

const LOCK: &str = ".xsam.lock";

/// How long it is waited for the processes of a comparison that was killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A directory in use, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `directory`, which exists, unless another comparison has it.
    pub(crate) fn take(directory: &Path) -> Result<Self, Error> {
        let file = open(directory)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    let path = directory.to_owned();
                    return Err(Error::Busy { path });
                }
                Err(TryLockError::Error(error)) => {
                    supported(directory, Err(error))?;
                    break;
                }
            }
        }
        // Those that make its runs are to have it as well.
        supported(directory, file.lock_shared())?;
        Ok(Self { _file: file })
    }

    /// Takes a share in `directory` for a process that works in it.
    pub(crate) fn share(directory: &Path) -> Result<Self, Error> {
        let file = open(directory)?;
        supported(directory, file.lock_shared())?;
        Ok(Self { _file: file })
    }

    /// Takes `directory` if all who had a share in it are gone; not where nobody had one yet, or the system cannot tell.
    pub(crate) fn left(directory: &Path) -> Option<Self> {
        if !directory.join(LOCK).exists() {
            return None;
        }
        let file = open(directory).ok()?;
        file.try_lock().is_ok().then_some(Self { _file: file })
    }
}

fn open(directory: &Path) -> Result<File, Error> {
    let path = directory.join(LOCK);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.open(&path).map_err(Error::file("open", &path))
}

/// File systems without locks are used without.
fn supported(directory: &Path, locked: io::Result<()>) -> Result<(), Error> {
    match locked {
        Err(error) if error.kind() != ErrorKind::Unsupported => {
            Err(Error::file("lock", &directory.join(LOCK))(error))
        }
        _ => Ok(()),
    }
}
