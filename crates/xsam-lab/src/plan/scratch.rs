//! Directories for temporary files, and those that plans which were killed have left.

use std::env::temp_dir;
use std::fs;
use std::path::Path;

use tempfile::{Builder, TempDir};
use xsam_files::Owner;

use crate::error::Error;
use crate::lock::Lock;

/// Beginning of their names.
const PREFIX: &str = "xsam-plan-";

/// A directory for temporary files, removed in the end. It is locked as long as this process or one that it has told
/// to use it is there.
pub(super) struct Scratch {
    // Not all systems remove files that are open: it is dropped first.
    _lock: Lock,
    pub(super) directory: TempDir,
}

impl Scratch {
    pub(super) fn new() -> Result<Self, Error> {
        loop {
            let made = Builder::new().prefix(PREFIX).tempdir();
            let directory = made.map_err(Error::file("make a directory in", &temp_dir()))?;
            match Lock::take(directory.path(), &Owner::this_process()) {
                Ok(_lock) => return Ok(Self { _lock, directory }),
                // Another plan has swept it away before it was locked.
                Err(_) if !directory.path().exists() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Removes the directories of plans in `parent` that were killed: those that nobody has locked any more.
pub(super) fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if let Some(_left) = Lock::left(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_used_is_not_swept_away() {
        let (one, other) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        let [one_path, other_path] = [&one, &other].map(|made| made.directory.path().to_owned());
        assert_ne!(one_path, other_path);
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        for name in ["xsam-plan-1-0", "xsam-plan-1-1", "xsam-plan-1-2", "mine"] {
            fs::create_dir(at(name)).unwrap();
        }
        let owner = Owner::this_process();
        let used = Lock::take(&at("xsam-plan-1-0"), &owner).unwrap();
        // As they are left by those that were killed.
        let leave = |name: &str| fs::write(at(name).join(".xsam.lock"), "").unwrap();
        leave("xsam-plan-1-1");
        leave("mine");
        sweep(parent.path());
        // The third one is not locked yet.
        let there = ["xsam-plan-1-0", "xsam-plan-1-1", "xsam-plan-1-2", "mine"];
        let there = there.map(|name| at(name).exists());
        assert_eq!(there, [true, false, true, true]);
        drop(used);
        // The process that worked for it has not noticed yet.
        leave("xsam-plan-1-0");
        let left = at("xsam-plan-1-0");
        let working = Lock::share(&left).unwrap();
        sweep(parent.path());
        assert!(left.exists());
        drop(working);
        sweep(parent.path());
        assert!(!left.exists());

        sweep(&temp_dir());
        assert!(one_path.exists());
        drop(one);
        assert!(!one_path.exists() && other_path.exists());
    }
}
