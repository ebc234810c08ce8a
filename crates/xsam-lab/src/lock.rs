//! Directories in use.
//!
//! Whoever writes in a directory has locked it. A comparison has its own directory and, one after the other, those of
//! its runs; the processes that make its runs share a second lock of it: after it was killed, the next one waits until
//! the last of them has noticed. Processes that make a run each, and for which nobody else has the comparison, share it
//! too. Whoever only adds results to a run, which may be under way, locks the name of these.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use xsam_files::{LockError, LockFile, Owner};

use crate::error::Error;
use crate::layout;
use crate::stop::StopSignal;

const LOCK: &str = ".xsam.lock";

/// Of the processes that work for the one that has the directory.
const WORKERS: &str = ".xsam-workers.lock";

/// How long it is waited for processes of a comparison that should be gone, for others that look what is there, and for a
/// report that is being written.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it is waited for the locks of a machine that was lost: a file server keeps them for a minute and a half.
const LEASE: Duration = Duration::from_secs(120);

/// Time from one look to the next.
const PAUSE: Duration = Duration::from_millis(20);

/// How many folders deep there are directories of ours in one: `tune`, a run, its landscapes.
const DEPTH: usize = 3;

/// The page on what is in `directory`, which only one process writes at a time; waits until another one has done so. It is
/// given back when the value is dropped.
///
/// # Errors
/// If that takes too long.
pub fn await_report(directory: &Path) -> Result<impl Sized + use<>, Error> {
    patiently(|| Lock::take_file(&directory.join("report")))
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
        let file = lock(directory, &directory.join(LOCK), owner)?;
        let workers = directory.join(WORKERS);
        if workers.exists() {
            // Workers of an owner who was killed may not have noticed yet.
            patiently(|| lock(directory, &workers, owner))?;
        }
        Ok(Self {
            _file: file,
            workers: Some(workers),
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
            let comparison = (!for_comparison).then(|| comparison_of(directory));
            let comparison = comparison.flatten();
            if let Some(comparison) = &comparison
                && let Err(LockError::Busy(by)) = LockFile::check_free(&comparison.join(LOCK))
            {
                return Err(Error::Busy {
                    path: directory.to_owned(),
                    of: Some(comparison.clone()),
                    by,
                });
            }
            match taken {
                // Nobody makes the comparison any more, but one of its processes may not have noticed yet.
                Err(Error::Busy { .. })
                    if begin.elapsed() < PATIENCE
                        && comparison.as_deref().is_some_and(is_shared) => {}
                taken => return taken,
            }
        }
    }

    /// Takes a file that is to be written, or results of that name, in a directory that exists.
    ///
    /// # Errors
    /// If another process is making them, which is told at once.
    pub(crate) fn take_file(path: &Path) -> Result<Self, Error> {
        let file = lock(path, &LockFile::beside(path), &Owner::this_process());
        file.map(Self::of)
    }

    /// Takes `directory`, which exists and others may have a share in, for as long as it takes to see what is there; waits
    /// for others who do the same.
    ///
    /// # Errors
    /// If somebody has it for longer.
    pub(crate) fn enter(directory: &Path, owner: &Owner) -> Result<Self, Error> {
        patiently(|| lock(directory, &directory.join(LOCK), owner)).map(Self::of)
    }

    /// Takes a share in `directory` for a process that works for the one that has it, or beside others of whom none has it
    /// whole.
    pub(crate) fn share(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(WORKERS);
        let file = LockFile::share(&path).map_err(refused(directory, &path));
        file.map(Self::of)
    }

    /// Takes `directory` if all who worked in it are gone; not where nobody did yet, or the system cannot tell.
    pub(crate) fn left(directory: &Path) -> Option<Self> {
        // In this order: a lock that was taken is gone when it is given back.
        if !Self::has_been(directory) || is_shared(directory) {
            return None;
        }
        let file = LockFile::take(&directory.join(LOCK), &Owner::this_process());
        file.ok().map(Self::of)
    }

    fn of(file: LockFile) -> Self {
        Self {
            _file: file,
            workers: None,
        }
    }

    /// Waits until the process that made a run before is gone, or `stop` asks for an end.
    ///
    /// # Errors
    /// If that takes too long.
    pub(crate) fn await_run(directory: &Path, stop: &StopSignal) -> Result<(), Error> {
        let free = || check_free(directory, &directory.join(LOCK));
        within(LEASE, || match free() {
            Err(Error::Busy { .. }) if stop.is_set() => Ok(()),
            free => free,
        })
    }

    /// Whether somebody is at work in `directory`; not where the system cannot tell.
    pub(crate) fn is_taken(directory: &Path) -> bool {
        check_free(directory, &directory.join(LOCK)).is_err()
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
    let check = |run: &PathBuf| check_free(run, &run.join(LOCK));
    folders.iter().try_for_each(check)
}

/// Checks that nobody writes anything in a directory that is taken, or in one below it.
pub(crate) fn check_all(directory: &Path) -> Result<(), Error> {
    check_below(directory, DEPTH)
}

fn check_below(directory: &Path, depth: usize) -> Result<(), Error> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_taken = depth == DEPTH && Lock::is_file(&name);
        if name.starts_with('.') && name.ends_with(".lock") && !is_taken {
            check_free(directory, &entry.path())?;
        }
    }
    if depth > 0 {
        for folder in folders_in(directory) {
            check_below(&folder, depth - 1)?;
        }
    }
    Ok(())
}

fn folders_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Tries again for a while if somebody else has it.
fn patiently<R>(take: impl Fn() -> Result<R, Error>) -> Result<R, Error> {
    within(PATIENCE, take)
}

fn within<R>(time: Duration, take: impl Fn() -> Result<R, Error>) -> Result<R, Error> {
    let begin = Instant::now();
    loop {
        match take() {
            Err(Error::Busy { .. }) if begin.elapsed() < time => sleep(PAUSE),
            taken => return taken,
        }
    }
}

/// Whether processes work in a directory for the one that has it, or had it.
fn is_shared(directory: &Path) -> bool {
    let path = directory.join(WORKERS);
    let taken = || LockFile::take(&path, &Owner::this_process());
    path.exists() && matches!(taken(), Err(LockError::Busy(_)))
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

/// Locks `file`, which stands for `path`.
fn lock(path: &Path, file: &Path, owner: &Owner) -> Result<LockFile, Error> {
    LockFile::take(file, owner).map_err(refused(path, file))
}

/// Checks that nobody has locked `file`, which stands for `path`.
fn check_free(path: &Path, file: &Path) -> Result<(), Error> {
    LockFile::check_free(file).map_err(refused(path, file))
}

/// The error of a lock of `path`, which is that of a file.
fn refused(path: &Path, file: &Path) -> impl FnOnce(LockError) -> Error {
    let (path, file) = (path.to_owned(), file.to_owned());
    move |error| match error {
        LockError::Busy(by) => Error::Busy { path, of: None, by },
        LockError::System(error) => Error::file("lock", &file)(error),
    }
}
