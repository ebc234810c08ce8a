//! Archives, read as if their makers were hostile: every name is checked, only files and folders
//! are made, and what is written is counted as it is written, whatever a header states.

mod sink;
mod tar;
mod zip;

use std::path::Path;

use super::folder::Sum;
use super::progress::Watch;
use super::{FetchError, RemoteFile, Unpack};
use sink::Sink;

/// The archives that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    TarGz,
    Zip,
}

impl Format {
    /// By the name of the file.
    pub(super) fn of(name: &str) -> Option<Self> {
        if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            Some(Self::TarGz)
        } else if name.ends_with(".zip") {
            Some(Self::Zip)
        } else {
            None
        }
    }
}

/// Unpacks `archive`, which is `file`, into the folder `into`, and says what it wrote.
pub(super) fn unpack(
    archive: &Path,
    file: &RemoteFile<'_>,
    rule: &Unpack<'_>,
    into: &Path,
    watch: &mut Watch<'_>,
) -> Result<Vec<Sum>, FetchError> {
    let mut sink = Sink {
        archive,
        name: file.name,
        rule,
        into,
        watch,
        entries: 0,
        bytes: 0,
        sums: Vec::new(),
    };
    match Format::of(file.name) {
        Some(Format::TarGz) => tar::read(&mut sink)?,
        Some(Format::Zip) => zip::read(&mut sink)?,
        None => return Err(sink.refuse("its name says neither .tar.gz, .tgz nor .zip")),
    }
    Ok(sink.sums)
}
