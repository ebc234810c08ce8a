//! Directories in use.
//!
//! Whoever writes in a directory has locked it. A comparison has its own directory and, one after the other, those of
//! its runs; the processes that make its runs share a second lock of it: after it was killed, the next one waits until
//! the last of them has noticed. Whoever only adds results to a run, which may be under way, locks the name of these.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use xsam_files::{LockError, LockFile, Owner};

use crate::error::Error;
use crate::layout;

const LOCK: &str = ".xsam.lock";

/// Of the processes that work for the one that has the directory.
const WORKERS: &str = ".xsam-workers.lock";

/// How long it is waited for the processes of a comparison that was killed, and for a report that is being written.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many folders deep there are directories of ours in one: `tune`, a run, its landscapes.
const DEPTH: usize = 3;

/// The page on what is in `directory`, which only one process writes at a time; waits until another one has done so. It is
/// given back when the value is dropped.
///
/// # Errors
/// If that takes too long.
pub fn await_report(directory: &Path) -> Result<impl Sized + use<>, Error> {
    Lock::await_results(directory, "report")
}

/// A directory in use, or the results of a name in it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: LockFile,
    /// What the processes share that work for the one who has the directory.
    workers: Option<PathBuf>,
}

impl Lock {
    /// Takes `directory`, which exists.
    ///
    /// # Errors
    /// If another process has it, which is told at once.
    pub(crate) fn take(directory: &Path, owner: &Owner) -> Result<Self, Error> {
        let lock = LockFile::take(&directory.join(LOCK), owner);
        let lock = lock.map_err(refused(directory, &directory.join(LOCK)))?;
        await_workers(directory, owner)?;
        Ok(Self {
            _file: lock,
            workers: Some(directory.join(WORKERS)),
        })
    }

    /// Takes the directory of a run. One that belongs to a comparison which somebody makes is refused, unless it is for
    /// that comparison.
    ///
    /// # Errors
    /// As of [`take`](Self::take).
    pub(crate) fn take_run(
        directory: &Path,
        owner: &Owner,
        for_comparison: bool,
    ) -> Result<Self, Error> {
        let begin = Instant::now();
        loop {
            let taken = Self::take(directory, owner);
            // In this order: a comparison takes its directory first and looks at those of its runs then.
            let comparison = match for_comparison {
                true => None,
                false => comparison_of(directory),
            };
            if let Some(comparison) = &comparison
                && let Err(LockError::Busy(by)) = LockFile::check_free(&comparison.join(LOCK))
            {
                return Err(Error::Busy {
                    path: directory.to_owned(),
                    of: Some(comparison.clone()),
                    by,
                });
            }
            // Nobody makes the comparison any more, but one of its processes may not have noticed yet.
            let is_left = |comparison: &PathBuf| is_shared(comparison);
            match taken {
                Err(Error::Busy { .. })
                    if begin.elapsed() < PATIENCE && comparison.as_ref().is_some_and(is_left) => {}
                taken => return taken,
            }
        }
    }

    /// Takes the results called `name` in `directory`, which exists.
    ///
    /// # Errors
    /// If another process is making them, which is told at once.
    pub(crate) fn take_results(directory: &Path, name: &str) -> Result<Self, Error> {
        Self::take_file(&directory.join(name))
    }

    /// Takes a file that is to be written, in a directory that exists.
    ///
    /// # Errors
    /// As of [`take_results`](Self::take_results).
    pub(crate) fn take_file(path: &Path) -> Result<Self, Error> {
        let file = LockFile::beside(path);
        let lock = LockFile::take(&file, &Owner::this_process());
        Ok(Self::of(lock.map_err(refused(path, &file))?))
    }

    /// The same for results that are made in no time: waits until another process has made them.
    ///
    /// # Errors
    /// If that takes too long.
    pub(crate) fn await_results(directory: &Path, name: &str) -> Result<Self, Error> {
        let begin = Instant::now();
        loop {
            match Self::take_results(directory, name) {
                Err(Error::Busy { .. }) if begin.elapsed() < PATIENCE => {}
                taken => return taken,
            }
        }
    }

    /// Takes a share in `directory` for a process that works for the one that has it.
    pub(crate) fn share(directory: &Path) -> Result<Self, Error> {
        let lock = LockFile::share(&directory.join(WORKERS));
        Ok(Self::of(
            lock.map_err(refused(directory, &directory.join(WORKERS)))?,
        ))
    }

    /// Takes `directory` if all who worked in it are gone; not where nobody did yet, or the system cannot tell.
    pub(crate) fn left(directory: &Path) -> Option<Self> {
        // In this order: a lock that was taken is gone when it is given back.
        if !Self::has_been(directory) || is_shared(directory) {
            return None;
        }
        let lock = LockFile::take(&directory.join(LOCK), &Owner::this_process());
        lock.ok().map(Self::of)
    }

    fn of(file: LockFile) -> Self {
        Self {
            _file: file,
            workers: None,
        }
    }

    /// Whether a name is that of a file by which a directory is locked.
    pub(crate) fn is_file(name: &str) -> bool {
        name == LOCK || name == WORKERS
    }

    /// Whether there is a sign that somebody has, or had, `directory`.
    pub(crate) fn has_been(directory: &Path) -> bool {
        directory.join(LOCK).exists()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.as_ref().filter(|path| path.exists()) {
            // Given back, it is removed.
            let _ = LockFile::take(workers, &Owner::this_process());
        }
    }
}

/// Checks that nobody is at work in the directories of a comparison's runs.
pub(crate) fn check_runs(comparison: &Path) -> Result<(), Error> {
    let mut folders = folders_in(comparison);
    folders.extend(folders_in(&comparison.join(layout::TUNE)));
    folders.iter().try_for_each(|run| {
        let free = LockFile::check_free(&run.join(LOCK));
        free.map_err(refused(run, &run.join(LOCK)))
    })
}

/// Checks that nobody writes anything in a directory that is taken, or in one below it.
pub(crate) fn check_all(directory: &Path) -> Result<(), Error> {
    let own = |name: &str| Lock::is_file(name);
    check_below(directory, DEPTH, &own)
}

fn check_below(directory: &Path, depth: usize, except: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".lock") && !except(&name) {
            let free = LockFile::check_free(&entry.path());
            free.map_err(refused(directory, &entry.path()))?;
        }
    }
    if depth > 0 {
        for folder in folders_in(directory) {
            check_below(&folder, depth - 1, &|_| false)?;
        }
    }
    Ok(())
}

fn folders_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Waits until the processes have noticed that worked for an owner who was killed.
fn await_workers(directory: &Path, owner: &Owner) -> Result<(), Error> {
    let path = directory.join(WORKERS);
    if !path.exists() {
        return Ok(());
    }
    let begin = Instant::now();
    loop {
        match LockFile::take(&path, owner) {
            Ok(_) => return Ok(()),
            Err(LockError::Busy(_)) if begin.elapsed() < PATIENCE => {}
            Err(error) => return Err(refused(directory, &directory.join(WORKERS))(error)),
        }
    }
}

/// Whether processes work in a directory for the one that has it, or had it.
fn is_shared(directory: &Path) -> bool {
    let path = directory.join(WORKERS);
    let taken = |path: &Path| LockFile::take(path, &Owner::this_process());
    path.exists() && matches!(taken(&path), Err(LockError::Busy(_)))
}

/// The directory of the comparison that the run in `directory` belongs to, if there is, or was, one at work.
fn comparison_of(directory: &Path) -> Option<PathBuf> {
    let above = |run: &Path| {
        let parent = run.parent()?;
        match parent.file_name() {
            Some(name) if name == layout::TUNE => parent.parent().map(Path::to_owned),
            _ => Some(parent.to_owned()),
        }
    };
    let found = above(&directory.canonicalize().ok()?)?;
    let is_one = Lock::has_been(&found) && !found.join(layout::RUN).exists();
    // As the caller has written it, where that is the same.
    let written = above(directory).filter(|path| path.canonicalize().is_ok_and(|p| p == found));
    is_one.then(|| written.unwrap_or(found))
}

/// The error of a lock of `path`, which is that of a file.
fn refused(path: &Path, file: &Path) -> impl FnOnce(LockError) -> Error {
    let (path, file) = (path.to_owned(), file.to_owned());
    move |error| match error {
        LockError::Busy(by) => Error::Busy { path, of: None, by },
        LockError::System(error) => Error::file("lock", &file)(error),
    }
}
