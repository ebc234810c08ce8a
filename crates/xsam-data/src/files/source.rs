//! The folder of a published data set.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{FileError, entries, open};
use crate::facts::{Facts, Origin};

/// Where the files of a data set are.
pub(crate) struct Source {
    facts: &'static Facts,
    root: PathBuf,
}

impl Source {
    /// The files are in `dir`, or in the folder in it that an archive unpacks to.
    pub(crate) fn new(facts: &'static Facts, dir: &Path) -> Result<Self, FileError> {
        let files = match facts.origin {
            Origin::Published(files) => files,
            _ => &[],
        };
        let unpacked = files.iter().find_map(|file| file.unpack);
        let inner = unpacked.map(|unpack| dir.join(unpack.folder));
        let root = inner.filter(|path| path.is_dir());
        let source = Self {
            facts,
            root: root.unwrap_or_else(|| dir.to_owned()),
        };
        match dir.is_dir() {
            true => Ok(source),
            false => Err(source.missing(dir.to_owned())),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn open(&self, path: &Path) -> Result<File, FileError> {
        open(path).map_err(|error| self.failed(path, &error))
    }

    /// The bytes of a file, or the first `limit` of them: no file takes more memory than it may.
    pub(crate) fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        match self.open(path)?.take(limit as u64).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.failed(path, &error)),
        }
    }

    /// What is in a folder, as [`entries`] has it.
    pub(crate) fn entries(&self, path: &Path) -> Result<Vec<PathBuf>, FileError> {
        entries(path).map_err(|error| self.failed(path, &error))
    }

    /// A file or folder that cannot be had, for this reason.
    fn failed(&self, path: &Path, error: &io::Error) -> FileError {
        match error.kind() {
            io::ErrorKind::NotFound => self.missing(path.to_owned()),
            _ => FileError::unreadable(path, error),
        }
    }

    fn missing(&self, path: PathBuf) -> FileError {
        let Facts { name, holds, .. } = self.facts;
        let get = self.facts.how_to_get();
        let expected = format!("the folder of {name} holds {holds}{get}");
        FileError::Missing { path, expected }
    }
}
