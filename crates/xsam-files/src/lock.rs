//! Files that are locked while somebody is at work, and who that is.
//!
//! The system releases the lock of a process that is gone, however it went. On file systems without locks there are
//! none.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How often a lock is tried: somebody may only have looked whether it is free, or be a process that has been killed and is not
/// gone yet.
const ATTEMPTS: usize = 50;

/// Time from one attempt to the next.
const PAUSE: Duration = Duration::from_millis(20);

/// What is read of a lock file: its owner takes less.
const MOST_BYTES: u64 = 1 << 14;

/// Characters of a command that are told.
const MOST_TOLD: usize = 300;

/// A process at work, as its lock file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Command line of the process.
    pub command: String,
    /// Number of the process.
    pub process: u32,
    /// The machine that it is on.
    pub host: String,
    /// When it took the lock, in seconds since 1970.
    pub since: u64,
}

/// Why a file cannot be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody has locked it.
    #[error("it is in use by {}", owner(.0))]
    Busy(Option<Owner>),
    /// The system says so.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A locked file, until it is dropped. It is removed then, if nobody shares it and the system allows that.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
    is_shared: bool,
}

impl Owner {
    /// This process, which takes a lock now.
    pub fn this_process() -> Self {
        let mut words: Vec<String> = std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        if let Some(program) = words.first_mut() {
            let name = Path::new(program.as_str()).file_name();
            *program = name.unwrap_or_default().to_string_lossy().into_owned();
        }
        let host = hostname::get().unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            command: words.join(" "),
            process: std::process::id(),
            host: host.to_string_lossy().into_owned(),
            since: now.map_or(0, |now| now.as_secs()),
        }
    }

    /// The one that a lock file tells of.
    fn read(path: &Path) -> Option<Self> {
        let mut text = Vec::new();
        let file = File::open(path).ok()?;
        file.take(MOST_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Anybody may have written the file.
        let told = |text: &str| -> String {
            let shown = text.chars().flat_map(|c| match c.is_control() {
                true => c.escape_default().collect::<Vec<_>>(),
                false => vec![c],
            });
            let mut told: String = shown.take(MOST_TOLD).collect();
            if told.chars().count() == MOST_TOLD {
                told.push_str("..");
            }
            told
        };
        let (command, host) = (told(&self.command), told(&self.host));
        write!(f, "`{command}`, process {} on {host}", self.process)?;
        // The format has no later years.
        match self.since < 253_402_300_800 {
            true => {
                let since = UNIX_EPOCH + Duration::from_secs(self.since);
                write!(f, " since {}", httpdate::fmt_http_date(since))
            }
            false => Ok(()),
        }
    }
}

/// An owner in words, of whom nothing may be known.
fn owner(owner: &Option<Owner>) -> String {
    let unknown = || "another process".to_owned();
    owner.as_ref().map_or_else(unknown, Owner::to_string)
}

impl LockFile {
    /// Locks the file at `path`, which is made if need be, and writes into it who has it.
    ///
    /// # Errors
    ///
    /// If another one has locked it, which is told after a second; or the file cannot be made or locked.
    pub fn take(path: &Path, owner: &Owner) -> Result<Self, LockError> {
        let mut lock = Self::lock(path, false)?;
        lock.say(owner);
        Ok(lock)
    }

    /// Locks the file at `path` for several that share it, as long as nobody has it for himself.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub fn share(path: &Path) -> Result<Self, LockError> {
        Self::lock(path, true)
    }

    /// Checks that nobody has locked the file at `path` for himself, or that it is not there.
    ///
    /// # Errors
    ///
    /// If somebody has.
    pub fn check_free(path: &Path) -> Result<(), LockError> {
        // Nothing is made of what is only looked at.
        let Ok(file) = File::open(path) else {
            return Ok(());
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(LockError::Busy(Owner::read(path))),
            _ => Ok(()),
        }
    }

    /// The file that is locked for what is written to `path`: `.NAME.lock` beside it.
    pub fn beside(path: &Path) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".lock");
        path.with_file_name(name)
    }

    fn lock(path: &Path, is_shared: bool) -> Result<Self, LockError> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(PAUSE);
            }
            if let Some(file) = attempt_at(path, is_shared)? {
                return Ok(Self {
                    file,
                    path: path.to_owned(),
                    is_shared,
                });
            }
        }
        Err(LockError::Busy(Owner::read(path)))
    }

    /// Writes down who has the lock. That it cannot be written, say on a full disk, is for those to tell who have more to
    /// write.
    fn say(&mut self, owner: &Owner) {
        let text = serde_json::to_string(owner).unwrap_or_default();
        let _ = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| writeln!(self.file, "{text}"));
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Elsewhere one who has opened the file before it was removed would lock it for nothing.
        if cfg!(unix) && !self.is_shared && is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The file at `path`, locked, unless somebody has it.
fn attempt_at(path: &Path, is_shared: bool) -> io::Result<Option<File>> {
    loop {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        let locked = match is_shared {
            true => file.try_lock_shared(),
            false => file.try_lock(),
        };
        match locked {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
                return Err(error);
            }
            // Between being opened and locked here it may have been removed by the one who had it.
            _ if is_at(&file, path) => return Ok(Some(file)),
            _ => {}
        }
    }
}

/// Whether a file is still the one that has this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.metadata()) {
        (Ok(file), Ok(named)) => (file.dev(), file.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_second_one_is_told_who_has_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        let me = Owner::this_process();
        assert!(LockFile::check_free(&path).is_ok() && !path.exists());
        let lock = LockFile::take(&path, &me).unwrap();
        for refused in [
            LockFile::take(&path, &me).map(drop),
            LockFile::share(&path).map(drop),
            LockFile::check_free(&path),
        ] {
            let refused = refused.unwrap_err().to_string();
            let process = format!("process {} on {}", std::process::id(), me.host);
            assert!(refused.contains(&process), "{refused}");
        }
        drop(lock);
        assert!(!path.exists());
        let [one, other] = [(); 2].map(|()| LockFile::share(&path).unwrap());
        assert!(matches!(
            LockFile::take(&path, &me),
            Err(LockError::Busy(None))
        ));
        drop((one, other));
        LockFile::take(&path, &me).unwrap();
    }

    #[test]
    fn a_lock_that_was_left_behind_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        let dead = Owner {
            command: "xsam train".to_owned(),
            process: 1,
            host: "elsewhere".to_owned(),
            since: 0,
        };
        fs::write(&path, serde_json::to_string(&dead).unwrap()).unwrap();
        let me = Owner::this_process();
        let _lock = LockFile::take(&path, &me).unwrap();
        assert_eq!(Owner::read(&path).unwrap(), me);
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_on_a_file_that_was_removed_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        let me = Owner::this_process();
        let first = LockFile::take(&path, &me).unwrap();
        fs::remove_file(&path).unwrap();
        let second = LockFile::take(&path, &me).unwrap();
        // The one that has lost its file removes nobody else's.
        drop(first);
        assert!(path.exists() && LockFile::check_free(&path).is_err());
        drop(second);
    }

    #[test]
    fn what_a_lock_file_says_is_shown_as_text() {
        let owner = Owner {
            command: "xsam \u{1b}[2J\n".to_owned() + &"x".repeat(1000),
            process: 7,
            host: "h".to_owned(),
            since: u64::MAX,
        };
        let told = owner.to_string();
        assert!(!told.contains(char::is_control), "{told}");
        assert!(told.starts_with("`xsam \\u{1b}[2J\\nx") && told.len() < 400);
        assert!(told.ends_with("..`, process 7 on h"), "{told}");
    }
}
