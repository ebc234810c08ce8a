//! The files of a published data set, and what is said if one is not as published.

mod error;
pub(crate) mod lines;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub(crate) use error::Fault;
pub use error::{FileError, Position};

use crate::DatasetName;

/// Where the files of a data set are.
pub(crate) struct Source {
    dataset: DatasetName,
    root: PathBuf,
}

impl Source {
    /// The files are in `dir` or in its sub-folder `published`, which is what its archive unpacks
    /// to.
    pub(crate) fn new(
        dataset: DatasetName,
        dir: &Path,
        published: Option<&str>,
    ) -> Result<Self, FileError> {
        let inner = published.map(|name| dir.join(name));
        let root = match inner.filter(|path| path.is_dir()) {
            Some(inner) => inner,
            None => dir.to_owned(),
        };
        let source = Self { dataset, root };
        match dir.is_dir() {
            true => Ok(source),
            false => Err(source.missing(dir.to_owned())),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Opens a file.
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
    pub(crate) fn failed(&self, path: &Path, error: &io::Error) -> FileError {
        match error.kind() {
            io::ErrorKind::NotFound => self.missing(path.to_owned()),
            _ => FileError::Unreadable {
                path: path.to_owned(),
                reason: error.to_string(),
            },
        }
    }

    fn missing(&self, path: PathBuf) -> FileError {
        FileError::Missing {
            path,
            dataset: self.dataset,
        }
    }
}

/// Opens a file, or what a link to one leads to. Anything else is refused: a pipe would be waited for, and a device
/// has no end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a file")),
    }
}

/// The bytes of a file, which may be so many.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::with_capacity(file.metadata()?.len().min(limit) as usize);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let reason = format!("it has more than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// What is in a folder, sorted by name: systems list it in any order. Hidden files are left out.
pub(crate) fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
