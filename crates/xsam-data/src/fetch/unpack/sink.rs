//! Where the entries of an archive go: the checks are here, once for every format.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use md5::{Digest, Md5};

use crate::fetch::checksum::{self, CHUNK};
use crate::fetch::error::io_error;
use crate::fetch::folder::{self, Sum};
use crate::fetch::progress::{Stage, Watch};
use crate::fetch::{FetchError, Unpack, names};

pub(super) struct Sink<'a, 'w> {
    pub(super) archive: &'a Path,
    pub(super) name: &'a str,
    pub(super) rule: &'a Unpack<'a>,
    pub(super) into: &'a Path,
    pub(super) watch: &'a mut Watch<'w>,
    /// The files and folders so far.
    pub(super) entries: u64,
    /// The bytes written so far.
    pub(super) bytes: u64,
    /// The files written so far.
    pub(super) sums: Vec<Sum>,
}

impl Sink<'_, '_> {
    /// The archive is not as it must be.
    pub(super) fn refuse(&self, reason: impl Into<String>) -> FetchError {
        FetchError::Archive {
            archive: self.archive.to_owned(),
            reason: reason.into(),
        }
    }

    /// The archive cannot be read.
    pub(super) fn damaged(&self, error: impl std::fmt::Display) -> FetchError {
        self.refuse(format!("it is damaged: {error}"))
    }

    /// The entry is of a kind that is never made.
    pub(super) fn refuse_kind(&self, name: &[u8], kind: &str) -> FetchError {
        self.refuse(format!("{} is {kind}", shown(name)))
    }

    pub(super) fn open(&self) -> Result<File, FetchError> {
        File::open(self.archive).map_err(io_error("read", self.archive))
    }

    /// Makes the folder of an entry.
    pub(super) fn folder(&mut self, name: &[u8]) -> Result<(), FetchError> {
        self.count()?;
        match self.place(name)? {
            Some(place) => self.make_folder(&self.into.join(place)),
            None => Ok(()),
        }
    }

    /// Writes the file of an entry, of exactly `size` bytes if that is given.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        size: Option<u64>,
        mut data: impl Read,
    ) -> Result<(), FetchError> {
        self.count()?;
        let Some(place) = self.place(name)? else {
            return Err(self.refuse(format!("{} is no folder in it", shown(name))));
        };
        let path = self.into.join(&place);
        if let Some(parent) = path.parent() {
            self.make_folder(parent)?;
        }
        if path.symlink_metadata().is_ok() {
            return Err(self.refuse(format!("{place} is in it twice")));
        }
        let mut file = File::create_new(&path).map_err(io_error("write", &path))?;
        let mut hasher = Md5::new();
        let mut chunk = vec![0; CHUNK];
        let before = self.bytes;
        loop {
            let n = data.read(&mut chunk).map_err(|error| self.damaged(error))?;
            if n == 0 {
                if size.is_some_and(|size| self.bytes - before < size) {
                    return Err(self.damaged(io::Error::from(io::ErrorKind::UnexpectedEof)));
                }
                break;
            }
            self.bytes += n as u64;
            if self.bytes > self.rule.at_most_bytes {
                let limit = self.rule.at_most_bytes;
                return Err(self.refuse(format!("more than {limit} bytes are in it")));
            }
            let written = file.write_all(&chunk[..n]);
            written.map_err(io_error("write", &path))?;
            hasher.update(&chunk[..n]);
            self.watch
                .at(self.name, Stage::Unpacking, self.bytes, None)?;
        }
        let md5 = checksum::digits(hasher);
        self.sums.push(Sum { path: place, md5 });
        Ok(())
    }

    pub(super) fn count(&mut self) -> Result<(), FetchError> {
        self.watch.check()?;
        self.entries += 1;
        if self.entries > self.rule.at_most_entries {
            let limit = self.rule.at_most_entries;
            return Err(self.refuse(format!("more than {limit} files and folders are in it")));
        }
        Ok(())
    }

    fn make_folder(&self, path: &Path) -> Result<(), FetchError> {
        if path.is_file() {
            return Err(self.refuse(format!("{} is a file and a folder in it", path.display())));
        }
        fs::create_dir_all(path).map_err(io_error("make", path))
    }

    /// Where an entry goes below `into`; nowhere if it is the folder that becomes `into`.
    fn place(&self, name: &[u8]) -> Result<Option<String>, FetchError> {
        let refuse = |why: &str| self.refuse(format!("{} {why}", shown(name)));
        let text = std::str::from_utf8(name).map_err(|_| refuse("is not UTF-8"))?;
        let mut parts = names::parts(text).map_err(refuse)?;
        let folder = self.rule.folder;
        match &parts[..] {
            [] => {}
            [first, ..] if *first == folder => drop(parts.remove(0)),
            _ => return Err(refuse(&format!("is not in {folder}"))),
        }
        match &parts[..] {
            [] => Ok(None),
            [first, ..] if folder::is_reserved(first) => Err(refuse("is a name of our own")),
            parts => Ok(Some(parts.join("/"))),
        }
    }
}

fn shown(name: &[u8]) -> String {
    format!("the entry {}", names::shown(&String::from_utf8_lossy(name)))
}
