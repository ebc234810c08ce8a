//! Directories that results are written into.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use xsam_files::Owner;

use crate::error::Error;
use crate::files::{self, Existing};
use crate::layout;
use crate::lock::{self, Lock};

/// How often a directory is made that somebody else removes: one that has failed removes what it has made.
const ATTEMPTS: usize = 3;

/// A directory that nobody else writes into, until it is dropped. What was made for it and has nothing in it then is
/// removed.
#[derive(Debug)]
pub(crate) struct Output {
    directory: PathBuf,
    existing: Existing,
    /// The directory and those above it, as far as they were made for it.
    made: Vec<PathBuf>,
    lock: Option<Lock>,
}

impl Output {
    /// Takes the directory of a run. `for_comparison` says that it is one of the comparison that `owner` makes.
    pub(crate) fn of_run(
        directory: &Path,
        existing: Existing,
        owner: &Owner,
        for_comparison: bool,
    ) -> Result<Self, Error> {
        let lock = || Lock::take_run(directory, owner, for_comparison);
        Self::take(directory, existing, layout::RUN, &lock)
    }

    /// Takes the directory of a comparison, in which nobody is at work on a run. `marker` is a file that every directory
    /// of this kind has.
    pub(crate) fn of_comparison(
        directory: &Path,
        existing: Existing,
        marker: &str,
        owner: &Owner,
    ) -> Result<Self, Error> {
        let taken = Self::take(directory, existing, marker, &|| {
            Lock::take(directory, owner)
        });
        // That somebody is at work is not as good as who, and on which run.
        if matches!(taken, Ok(_) | Err(Error::Busy { by: None, .. })) {
            lock::check_runs(directory)?;
        }
        taken
    }

    /// Takes the directory of a comparison beside others who make runs of it, to go on with what is there. Nobody else
    /// enters it until the lock that comes with it is dropped.
    pub(crate) fn beside_others(
        directory: &Path,
        existing: Existing,
        marker: &str,
        owner: &Owner,
    ) -> Result<(Self, Option<Lock>), Error> {
        let (made, alone) = make(directory, &|| Lock::enter(directory, owner))?;
        let mut output = Self {
            directory: directory.to_owned(),
            existing,
            made,
            lock: Some(alone),
        };
        check(directory, existing, marker)?;
        let alone = output.lock.replace(Lock::share(directory)?);
        Ok((output, alone))
    }

    /// The directory of a run that another rank has taken and writes into.
    pub(crate) fn of_another_rank(directory: &Path, existing: Existing) -> Self {
        Self {
            directory: directory.to_owned(),
            existing,
            made: Vec::new(),
            lock: None,
        }
    }

    /// Takes the results called `name` in `directory`, which may be in use otherwise.
    pub(crate) fn of_results(directory: &Path, name: &str) -> Result<Self, Error> {
        let (made, lock) = make(directory, &|| Lock::take_file(&directory.join(name)))?;
        Ok(Self {
            directory: directory.to_owned(),
            existing: Existing::Resume,
            made,
            lock: Some(lock),
        })
    }

    fn take(
        directory: &Path,
        existing: Existing,
        marker: &str,
        lock: &dyn Fn() -> Result<Lock, Error>,
    ) -> Result<Self, Error> {
        // What is not ours is left as it is. If somebody is at work there, that is what is told.
        let first = check(directory, existing, marker);
        if first.is_err() && !Lock::has_been(directory) {
            first?;
        }
        let (made, lock) = make(directory, lock)?;
        let output = Self {
            directory: directory.to_owned(),
            existing,
            made,
            lock: Some(lock),
        };
        check(directory, existing, marker)?;
        if existing == Existing::Overwrite {
            lock::check_all(directory)?;
        }
        Ok(output)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn existing(&self) -> Existing {
        self.existing
    }

    /// Removes what is to be replaced. The directory is not given out of hand meanwhile.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        let directory = &self.directory;
        if self.existing != Existing::Overwrite {
            return Ok(());
        }
        let entries = fs::read_dir(directory);
        for entry in entries.map_err(Error::file("open the directory", directory))? {
            let entry = entry.map_err(Error::file("read", directory))?;
            if !Lock::is_file(&entry.file_name().to_string_lossy()) {
                files::remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        drop(self.lock.take());
        remove_empty(&self.made);
    }
}

/// Makes a directory if need be, and takes it; with what was made.
fn make(
    directory: &Path,
    lock: &dyn Fn() -> Result<Lock, Error>,
) -> Result<(Vec<PathBuf>, Lock), Error> {
    let mut attempt = 1;
    loop {
        let missing = directory.ancestors().take_while(|path| !path.exists());
        let missing = missing.filter(|path| !path.as_os_str().is_empty());
        let made: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        fs::create_dir_all(directory).map_err(Error::file("create the directory", directory))?;
        let error = match lock() {
            Ok(lock) => return Ok((made, lock)),
            Err(error) => error,
        };
        let is_gone = matches!(&error, Error::File { source, .. } if source.kind() == NotFound);
        if is_gone && attempt < ATTEMPTS {
            attempt += 1;
            continue;
        }
        remove_empty(&made);
        return Err(error);
    }
}

/// Removes directories, each of which is in the next one, up to the first that is not empty.
fn remove_empty(directories: &[PathBuf]) {
    for directory in directories {
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
}

/// Checks that `directory` may be written into, which need not exist.
fn check(directory: &Path, existing: Existing, marker: &str) -> Result<(), Error> {
    let occupied = match fs::read_dir(directory) {
        Ok(mut entries) => entries.any(|entry| !entry.is_ok_and(|e| is_left_over(&e.file_name()))),
        Err(error) if error.kind() == NotFound => false,
        Err(error) => return Err(Error::file("open the directory", directory)(error)),
    };
    let path = directory.to_owned();
    match existing {
        _ if !occupied => Ok(()),
        Existing::Refuse => Err(Error::Exists { path }),
        _ if !directory.join(marker).exists() => Err(Error::NotOurs { path }),
        Existing::Overwrite | Existing::Resume | Existing::Recover => Ok(()),
    }
}

/// Whether a name is that of a file which a process that was killed has left before there was anything else.
fn is_left_over(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') && (name.ends_with(".tmp") || name.ends_with(".lock"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::files::{read, write};

    fn take(directory: &Path, existing: Existing) -> Result<Output, Error> {
        Output::of_run(directory, existing, &Owner::this_process(), false)
    }

    fn prepare(directory: &Path, existing: Existing) -> Result<(), Error> {
        take(directory, existing)?.clear()
    }

    #[test]
    fn only_directories_of_ours_are_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let run = parent.path().join("a/run");
        prepare(&run, Existing::Refuse).unwrap();
        fs::create_dir_all(&run).unwrap();
        // Empty directories can be used, and those in which a process was killed before it had written anything.
        prepare(&run, Existing::Refuse).unwrap();
        fs::write(run.join(".run.json.1.tmp"), "{").unwrap();
        prepare(&run, Existing::Resume).unwrap();

        write(&run.join("precious.txt"), "mine").unwrap();
        let refused = prepare(&run, Existing::Refuse).unwrap_err();
        assert!(refused.to_string().contains("--overwrite") && refused.is_usage());
        let foreign = prepare(&run, Existing::Overwrite).unwrap_err();
        assert!(matches!(foreign, Error::NotOurs { .. }));
        assert!(prepare(&run, Existing::Resume).is_err());
        assert_eq!(read(&run.join("precious.txt")).unwrap(), "mine");

        write(&run.join("run.json"), "{}").unwrap();
        prepare(&run, Existing::Resume).unwrap();
        assert!(run.join("run.json").exists());
        prepare(&run, Existing::Overwrite).unwrap();
        assert!(!run.join("run.json").exists());
    }

    #[test]
    fn a_directory_in_which_nothing_came_to_be_is_not_left_behind() {
        let parent = tempfile::tempdir().unwrap();
        let run = parent.path().join("runs/run");
        let taken = take(&run, Existing::Refuse).unwrap();
        assert!(run.exists());
        drop(taken);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        fs::create_dir_all(&run).unwrap();
        drop(take(&run, Existing::Refuse).unwrap());
        assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
    }

    #[test]
    fn what_is_replaced_is_not_given_out_of_hand_meanwhile() {
        let parent = tempfile::tempdir().unwrap();
        let run = parent.path().join("run");
        fs::create_dir_all(run.join("landscape")).unwrap();
        write(&run.join(layout::RUN), "{}").unwrap();
        // Somebody measures the run.
        let measuring = Output::of_results(&run.join("landscape"), "xsam").unwrap();
        let busy = take(&run, Existing::Overwrite).unwrap_err();
        assert!(matches!(busy, Error::Busy { .. }), "{busy}");
        drop(measuring);

        let taken = take(&run, Existing::Overwrite).unwrap();
        taken.clear().unwrap();
        for existing in [Existing::Refuse, Existing::Resume, Existing::Overwrite] {
            let busy = take(&run, existing).unwrap_err();
            assert!(matches!(busy, Error::Busy { .. }), "{busy}");
        }
        assert!(!run.join("landscape").exists());
    }

    #[test]
    fn a_comparison_and_a_run_of_it_exclude_each_other() {
        let parent = tempfile::tempdir().unwrap();
        let comparison = parent.path().join("c");
        let owner = Owner::this_process();
        let compare =
            || Output::of_comparison(&comparison, Existing::Resume, "compare.json", &owner);
        for run in ["sgd-seed0", "tune/sgd-seed0"] {
            let run = comparison.join(run);
            fs::create_dir_all(&run).unwrap();
            write(&comparison.join("compare.json"), "{}").unwrap();
            let taken = compare().unwrap();
            let busy = take(&run, Existing::Resume).unwrap_err();
            let told = format!("is a run of the comparison in {}", comparison.display());
            assert!(busy.to_string().contains(&told), "{busy}");
            let own = Output::of_run(&run, Existing::Resume, &owner, true).unwrap();
            drop(own);
            drop(taken);

            let taken = take(&run, Existing::Resume).unwrap();
            let busy = compare().unwrap_err().to_string();
            assert!(busy.contains(&run.display().to_string()), "{busy}");
            drop(taken);
        }
        compare().unwrap();
    }
}
