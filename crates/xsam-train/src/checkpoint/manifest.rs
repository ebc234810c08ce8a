//! What a checkpoint consists of, so that damage is found before it is used.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::files;

/// The file that says it.
const MANIFEST: &str = "manifest.json";

/// Raised whenever the layout of a checkpoint changes.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u32,
    /// The program that has written it.
    program: String,
    files: BTreeMap<String, Entry>,
}

/// A file as it was written.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    bytes: usize,
    /// CRC-32 in hexadecimal.
    pub(super) crc32: String,
}

impl Entry {
    /// Reads a file.
    pub(super) fn of(file: &Path) -> Result<Self, Error> {
        let bytes = fs::read(file).map_err(Error::file("read", file))?;
        Ok(Self {
            bytes: bytes.len(),
            crc32: format!("{:08x}", crc32fast::hash(&bytes)),
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

/// Checks that the files of a checkpoint are as they were written.
pub(super) fn check(checkpoint: &Path) -> Result<(), Error> {
    let path = checkpoint.join(MANIFEST);
    let manifest: Manifest =
        serde_json::from_str(&files::read(&path)?).map_err(|error| Error::damaged(&path, error))?;
    if manifest.version != VERSION {
        let reason = format!(
            "its version is {}, written by xsam {}, not {VERSION}",
            manifest.version, manifest.program
        );
        return Err(Error::damaged(&path, reason));
    }
    for (name, written) in &manifest.files {
        let file = checkpoint.join(name);
        let found = Entry::of(&file)?;
        if found.bytes != written.bytes {
            let reason = format!("it has {} of {} bytes", found.bytes, written.bytes);
            return Err(Error::damaged(&file, reason));
        }
        if found != *written {
            let reason = format!("its checksum is {}, not {}", found.crc32, written.crc32);
            return Err(Error::damaged(&file, reason));
        }
    }
    Ok(())
}
