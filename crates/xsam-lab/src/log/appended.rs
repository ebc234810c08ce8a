//! A file that grows, and can be cut back to what it was.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::files;

/// A file that is written at its end, without a buffer: what was written can be read.
#[derive(Debug)]
pub(super) struct Appended {
    file: File,
    pub(super) path: PathBuf,
    pub(super) length: u64,
}

impl Appended {
    /// The first `length` bytes of a file. A file of which there is less begins anew: someone has taken it away.
    pub(super) fn open(path: &Path, length: u64) -> Result<Self, Error> {
        let error = |error| Error::file("open", path)(error);
        // A link would lead what is cut off and written elsewhere.
        if path.symlink_metadata().is_ok() {
            files::own(path)?;
        }
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true);
        let mut file = options.open(path).map_err(error)?;
        let there = file.metadata().map_err(error)?.len();
        let length = if there < length { 0 } else { length };
        file.set_len(length).map_err(error)?;
        file.seek(SeekFrom::End(0)).map_err(error)?;
        let path = path.to_owned();
        Ok(Self { file, path, length })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(bytes);
        written.map_err(Error::file("write", &self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}
