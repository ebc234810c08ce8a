//! Where a data set is while it is fetched: the folder `NAME.part` beside its goal.
//!
//! It holds the files as they are downloaded, and `tree`, which becomes the goal. One process at a
//! time is at work in it, the one that has locked `.NAME.lock`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xsam_files::{LockError, LockFile, Owner};

use super::error::{io_error, removed};
use super::part::remove;
use super::{FetchError, RemoteFile};

pub(super) struct Staging {
    pub(super) folder: PathBuf,
    _lock: LockFile,
}

impl Staging {
    /// The staging folder of the folder `goal`, whether it is there or not.
    pub(super) fn path(goal: &Path) -> PathBuf {
        goal.with_added_extension("part")
    }

    /// Locks the staging folder of `goal`, and makes it if need be.
    pub(super) fn enter(goal: &Path) -> Result<Self, FetchError> {
        let make = |path: &Path| fs::create_dir_all(path).map_err(io_error("make", path));
        let (Some(parent), Some(_)) = (goal.parent(), goal.file_name()) else {
            let error = io::ErrorKind::InvalidFilename;
            return Err(io_error("make", goal)(error.into()));
        };
        make(parent)?;
        let path = LockFile::beside(goal);
        let lock = match LockFile::take(&path, &Owner::this_process()) {
            Ok(lock) => lock,
            Err(LockError::Busy(by)) => {
                let goal = goal.to_owned();
                return Err(FetchError::Busy { goal, by });
            }
            Err(LockError::System(error)) => return Err(io_error("lock", &path)(error)),
        };
        let folder = Self::path(goal);
        make(&folder)?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// An empty folder that becomes the goal. What an earlier process left of one is removed.
    pub(super) fn tree(&self) -> Result<PathBuf, FetchError> {
        let tree = self.folder.join("tree");
        remove_tree(&tree)?;
        fs::create_dir(&tree).map_err(io_error("make", &tree))?;
        Ok(tree)
    }

    /// Removes what a fetch makes here, and the folder, if nothing else is in it.
    pub(super) fn clear(self, files: &[RemoteFile<'_>]) -> Result<(), FetchError> {
        remove_tree(&self.folder.join("tree"))?;
        for file in files {
            for end in ["", ".part", ".part.toml"] {
                remove(&self.folder.join(format!("{}{end}", file.name)))?;
            }
        }
        // Not empty is no harm: someone put something there.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }
}

fn remove_tree(path: &Path) -> Result<(), FetchError> {
    removed(path, fs::remove_dir_all(path))
}
