//! The folder of a fetched data set, and how it is told from any other.
//!
//! Two files in it are ours. `.md5sums` lists every file with its MD5, in the form that `md5sum -c`
//! reads. `.complete` says from which published files the folder was made, and the MD5 of that
//! list. Both are written before the folder gets its name, so that what has the name is whole.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checksum;
use super::error::io_error;
use super::names;
use super::progress::Watch;
use super::{FetchError, RemoteFile};
use crate::files;

const COMPLETE: &str = ".complete";
const SUMS: &str = ".md5sums";
/// More bytes than the two have.
const COMPLETE_LIMIT: u64 = 1 << 16;
const SUMS_LIMIT: u64 = 1 << 26;

/// What is where a fetched data set belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing, or an empty folder.
    Absent,
    /// The data set as it is published now.
    Complete,
    /// The data set, from other files than those published now.
    Outdated,
    /// Something that was not made by a fetch.
    Foreign,
}

/// What [`Fetch::verify`](super::Fetch::verify) found as it was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The files that were read.
    pub files: u64,
    /// Bytes of all files together.
    pub bytes: u64,
}

/// A file of the folder, by its path in it, and its MD5.
pub(super) struct Sum {
    pub(super) path: String,
    pub(super) md5: String,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct Marker {
    /// The MD5 of the list of files.
    sums: String,
    /// The MD5 of every published file, by its name.
    published: BTreeMap<String, String>,
}

/// Whether a name at the top of the folder is one of ours.
pub(super) fn is_reserved(name: &str) -> bool {
    [COMPLETE, SUMS]
        .iter()
        .any(|ours| ours.eq_ignore_ascii_case(name))
}

/// What is at `path`.
pub(super) fn state(path: &Path, files: &[RemoteFile<'_>]) -> Result<State, FetchError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Absent),
        other => other.map_err(io_error("read", path))?,
    };
    Ok(match marker(path) {
        None if is_empty(path) => State::Absent,
        None => State::Foreign,
        Some(marker) if marker.published == sources(files) => State::Complete,
        Some(_) => State::Outdated,
    })
}

/// Checks that the folder at `path` holds what the archives must, and marks it as whole.
pub(super) fn complete(
    path: &Path,
    files: &[RemoteFile<'_>],
    mut sums: Vec<Sum>,
) -> Result<(), FetchError> {
    for file in files {
        let holds = file.unpack.map_or(&[][..], |unpack| unpack.holds);
        if let Some(missing) = holds.iter().find(|name| !path.join(name).exists()) {
            return Err(FetchError::Archive {
                archive: file.name.into(),
                reason: format!("there is no {missing} in it"),
            });
        }
    }
    sums.sort_by(|a, b| a.path.cmp(&b.path));
    let list: String = sums
        .iter()
        .map(|sum| format!("{}  {}\n", sum.md5, sum.path))
        .collect();
    let marker = Marker {
        sums: checksum::of_bytes(list.as_bytes()),
        published: sources(files),
    };
    let marker = toml::to_string(&marker)
        .map_err(|error| io_error("write", path)(io::Error::other(error)))?;
    write(&path.join(SUMS), &list)?;
    write(&path.join(COMPLETE), &marker)
}

/// Reads every file of the folder at `path` and compares it with what was fetched.
pub(super) fn verify(path: &Path, watch: &mut Watch<'_>) -> Result<Verified, FetchError> {
    let marker = marker(path).ok_or_else(|| FetchError::NotFetched {
        path: path.to_owned(),
    })?;
    let damaged = |differences| FetchError::Damaged {
        path: path.to_owned(),
        differences,
    };
    let list = files::read(&path.join(SUMS), SUMS_LIMIT).unwrap_or_default();
    if checksum::of_bytes(&list) != marker.sums {
        return Err(damaged(vec![format!("{SUMS} differs")]));
    }
    let root = path.canonicalize().map_err(io_error("read", path))?;
    let mut verified = Verified { files: 0, bytes: 0 };
    let mut differences = Vec::new();
    let mut seen = HashSet::new();
    let list = String::from_utf8_lossy(&list);
    for (number, line) in (1..).zip(list.lines()) {
        let Some((md5, name)) = line.split_once("  ") else {
            differences.push(format!("line {number} of {SUMS} is not of a file"));
            continue;
        };
        let file = match listed(&root, name) {
            Ok(file) if seen.insert(name) => file,
            Ok(_) => {
                differences.push(format!("{name} is in {SUMS} twice"));
                continue;
            }
            Err(difference) => {
                differences.push(difference);
                continue;
            }
        };
        let (bytes, found) = checksum::of_file(&file, name, watch)?;
        if checksum::digits(found) == md5 {
            verified.files += 1;
            verified.bytes += bytes;
        } else {
            differences.push(format!("{name} differs"));
        }
    }
    if differences.is_empty() {
        Ok(verified)
    } else {
        Err(damaged(differences))
    }
}

/// The file of this name in the folder `root`, whose path has no links; or what is wrong with it. Nothing outside
/// of the folder is read, whatever the list says or a link leads to.
fn listed(root: &Path, name: &str) -> Result<PathBuf, String> {
    let parts =
        names::parts(name).map_err(|why| format!("{} of {SUMS} {why}", names::shown(name)))?;
    let path: PathBuf = parts.into_iter().collect();
    let Ok(file) = root.join(path).canonicalize() else {
        return Err(format!("{name} is missing"));
    };
    match (file.starts_with(root), file.is_file()) {
        (false, _) => Err(format!("{name} is a link that leads out of the folder")),
        (true, false) => Err(format!("{name} is not a file")),
        (true, true) => Ok(file),
    }
}

fn sources(files: &[RemoteFile<'_>]) -> BTreeMap<String, String> {
    let pair = |file: &RemoteFile<'_>| (file.name.to_owned(), file.md5.to_owned());
    files.iter().map(pair).collect()
}

/// A marker that cannot be read is none: such a folder is not ours to touch.
fn marker(path: &Path) -> Option<Marker> {
    let bytes = files::read(&path.join(COMPLETE), COMPLETE_LIMIT).ok()?;
    toml::from_str(&String::from_utf8(bytes).ok()?).ok()
}

fn write(path: &Path, text: &str) -> Result<(), FetchError> {
    let mut file = File::create_new(path).map_err(io_error("write", path))?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(io_error("write", path))
}

/// Whether there is a folder with nothing in it.
fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Gives the folder at `from` its name. Nothing that is there is replaced but an empty folder.
pub(super) fn publish(from: &Path, to: &Path) -> Result<(), FetchError> {
    // Only an empty folder can be removed like this; what else is there is told next.
    let _ = fs::remove_dir(to);
    if to.symlink_metadata().is_ok() {
        let path: PathBuf = to.to_owned();
        return Err(FetchError::Occupied { path });
    }
    fs::rename(from, to).map_err(io_error("make", to))
}
