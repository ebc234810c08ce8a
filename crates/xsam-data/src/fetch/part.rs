//! A file on its way: what has arrived, and beside it what is needed to go on.
//!
//! `NAME.part` holds the bytes, `NAME.part.toml` where they came from. The bytes are never newer
//! than that record: a file that begins anew is emptied first, then the record is replaced, then
//! the first byte is written. Whenever a process dies, the next one finds a beginning of the file
//! that the record names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use xsam_files::replace_file_unsynced;

use super::FetchError;
use super::checksum;
use super::error::{io_error, removed};
use super::progress::Watch;
use crate::files;

/// More bytes than a record has.
const RECORD: u64 = 1 << 16;

/// Which version of which file the bytes are of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) url: String,
    /// The strong `ETag`, or else `Last-Modified`: what `If-Range` takes.
    pub(super) validator: Option<String>,
    /// The bytes of the whole file.
    pub(super) total: Option<u64>,
}

pub(super) struct Part {
    path: PathBuf,
    file: File,
    pub(super) len: u64,
    hasher: Md5,
    origin: Option<Origin>,
    /// Whether some of it was there when it was opened.
    pub(super) inherited: bool,
}

impl Part {
    /// Opens what there is of the file `name`, or begins it.
    pub(super) fn open(
        folder: &Path,
        name: &str,
        watch: &mut Watch<'_>,
    ) -> Result<Self, FetchError> {
        let path = folder.join(format!("{name}.part"));
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(io_error("write", &path))?;
        let origin = read_record(&record(&path));
        let mut part = Self {
            path,
            file,
            len: 0,
            hasher: Md5::new(),
            origin,
            inherited: false,
        };
        if part.origin.is_none() {
            part.discard()?;
        } else {
            let (len, hasher) = checksum::of_file(&part.path, name, watch)?;
            (part.len, part.hasher, part.inherited) = (len, hasher, len > 0);
            let end = part.file.seek(io::SeekFrom::Start(len));
            end.map_err(io_error("write", &part.path))?;
        }
        Ok(part)
    }

    /// Whether every byte is there.
    pub(super) fn is_whole(&self) -> bool {
        self.total() == Some(self.len)
    }

    /// From which byte, and of which version, `url` can be asked for the rest.
    pub(super) fn rest(&self, url: &str) -> Option<(u64, String)> {
        let origin = self.origin.as_ref().filter(|origin| origin.url == url)?;
        let validator = origin.validator.clone()?;
        (self.len > 0).then_some((self.len, validator))
    }

    /// The bytes of the whole file, if known.
    pub(super) fn total(&self) -> Option<u64> {
        self.origin.as_ref().and_then(|origin| origin.total)
    }

    /// Begins anew with bytes from `origin`.
    pub(super) fn begin(&mut self, origin: Origin) -> Result<(), FetchError> {
        self.discard()?;
        write_record(&record(&self.path), &origin)?;
        self.origin = Some(origin);
        Ok(())
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        let written = self.file.write_all(bytes);
        written.map_err(io_error("write", &self.path))?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what is there.
    pub(super) fn discard(&mut self) -> Result<(), FetchError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(io_error("write", &self.path))?;
        (self.len, self.hasher, self.origin) = (0, Md5::new(), None);
        self.inherited = false;
        remove(&record(&self.path))
    }

    pub(super) fn md5(&self) -> String {
        checksum::digits(self.hasher.clone())
    }

    /// Gives the whole file its name.
    pub(super) fn finish(self, goal: &Path) -> Result<(), FetchError> {
        let flushed = self.file.sync_all();
        flushed.map_err(io_error("write", &self.path))?;
        drop(self.file);
        fs::rename(&self.path, goal).map_err(io_error("write", goal))?;
        remove(&record(&self.path))
    }
}

/// Where the record of the part at `path` is.
fn record(path: &Path) -> PathBuf {
    path.with_added_extension("toml")
}

/// A record that cannot be read is none: the download begins anew.
fn read_record(path: &Path) -> Option<Origin> {
    let text = String::from_utf8(files::read(path, RECORD).ok()?).ok()?;
    toml::from_str(&text).ok()
}

fn write_record(path: &Path, origin: &Origin) -> Result<(), FetchError> {
    let text = toml::to_string(origin)
        .map_err(|error| io_error("write", path)(io::Error::other(error)))?;
    replace_file_unsynced(path, text.as_bytes()).map_err(io_error("write", path))
}

/// Removes a file that may be there.
pub(super) fn remove(path: &Path) -> Result<(), FetchError> {
    removed(path, fs::remove_file(path))
}
