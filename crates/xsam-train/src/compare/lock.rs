//! One comparison at a time in a directory.
//!
//! The system releases the lock of a process that is gone, however it went. The processes that make the runs
//! of a comparison share it: after a comparison was killed, the next one waits until the last of them has
//! noticed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::Error;

const LOCK: &str = ".compare.lock";

/// How long it is waited for the processes of a comparison that was killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A directory in use, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `directory`, which exists, unless another comparison has it.
    pub(super) fn take(directory: &Path) -> Result<Self, Error> {
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

    /// Takes a share in `directory` for a process that makes a run.
    pub(super) fn share(directory: &Path) -> Result<Self, Error> {
        let file = open(directory)?;
        supported(directory, file.lock_shared())?;
        Ok(Self { _file: file })
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
