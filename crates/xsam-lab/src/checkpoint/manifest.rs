//! What a checkpoint consists of, so that damage is found before it is used.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::{files, json};

/// The file that says it.
pub(super) const MANIFEST: &str = "manifest.json";

/// Raised whenever the layout of a checkpoint changes.
const VERSION: u32 = 3;

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u32,
    /// The program that has written it.
    program: String,
    files: BTreeMap<String, Entry>,
}

/// No checkpoint has so many files that it needs more.
const LARGEST: u64 = 1 << 20;

/// A file as it was written.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    bytes: u64,
    /// CRC-32 in hexadecimal.
    pub(super) crc32: String,
}

impl Entry {
    /// Reads a file, a piece at a time.
    pub(super) fn of(file: &Path) -> Result<Self, Error> {
        let failed = |error| Error::file("read", file)(error);
        let mut reader = BufReader::new(File::open(file).map_err(failed)?);
        let mut hasher = crc32fast::Hasher::new();
        let mut bytes = 0;
        loop {
            let piece = reader.fill_buf().map_err(failed)?;
            if piece.is_empty() {
                break;
            }
            hasher.update(piece);
            let length = piece.len();
            bytes += length as u64;
            reader.consume(length);
        }
        Ok(Self {
            bytes,
            crc32: format!("{:08x}", hasher.finalize()),
        })
    }
}

/// Writes of all files in `folder` what they are.
pub(super) fn write(folder: &Path) -> Result<(), Error> {
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(Error::file("open the directory", folder))? {
        let entry = entry.map_err(Error::file("read", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.insert(name, Entry::of(&entry.path())?);
    }
    let manifest = Manifest {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        files: entries,
    };
    let path = folder.join(MANIFEST);
    let text = serde_json::to_string(&manifest).map_err(|error| Error::damaged(&path, error))?;
    fs::write(&path, text).map_err(Error::file("write", &path))
}

/// Checks that the files of a checkpoint are as they were written, and that those that are read are among them.
pub(super) fn check(checkpoint: &Path, read: &[&str]) -> Result<(), Error> {
    let path = checkpoint.join(MANIFEST);
    let length = files::own(&path)?.len();
    if length > LARGEST {
        return Err(Error::damaged(&path, format!("it has {length} bytes")));
    }
    let manifest: Manifest =
        json::parse(&files::read(&path)?).map_err(|error| Error::damaged(&path, error))?;
    if manifest.version != VERSION {
        let reason = format!(
            "its version is {}, written by xsam {}, not {VERSION}: go on with a build of that program, or begin the \
             run anew",
            manifest.version, manifest.program
        );
        return Err(Error::damaged(&path, reason));
    }
    if let Some(name) = manifest.files.keys().find(|name| !files::is_name(name)) {
        let reason = format!("{name:?} is not the name of a file beside it");
        return Err(Error::damaged(&path, reason));
    }
    let mut read = read.iter();
    if let Some(name) = read.find(|name| !manifest.files.contains_key(**name)) {
        return Err(Error::damaged(&path, format!("{name} is not in it")));
    }
    for (name, written) in &manifest.files {
        let file = checkpoint.join(name);
        let found = files::own(&file)?.len();
        if found != written.bytes {
            let reason = format!("it has {found} of {} bytes", written.bytes);
            return Err(Error::damaged(&file, reason));
        }
        let found = Entry::of(&file)?;
        if found != *written {
            let reason = format!("its checksum is {}, not {}", found.crc32, written.crc32);
            return Err(Error::damaged(&file, reason));
        }
    }
    Ok(())
}
