//! Files that are never half written, and directories that are never lost.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xsam_files::{replace_file, replace_file_unsynced};

use crate::error::Error;

/// What to do with an output directory that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Existing {
    /// Refuses to write into it.
    #[default]
    Refuse,
    /// Replace it, if xsam has written it.
    Overwrite,
    /// Go on with what is in it.
    Resume,
    /// Go on with what is in it, from the latest checkpoint that is whole if later ones are damaged.
    Recover,
}

/// On which terms a directory is taken that may have results in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What to do with them.
    pub existing: Existing,
    /// Go on with them although the data are not those that they were made from any more. What has changed is among the
    /// warnings of a run.
    pub changed_data: bool,
}

impl Terms {
    /// The same, but what is there is gone on with.
    pub(crate) fn going_on(mut self) -> Self {
        if !self.existing.goes_on() {
            self.existing = Existing::Resume;
        }
        self
    }
}

impl From<Existing> for Terms {
    /// For data that are what they were.
    fn from(existing: Existing) -> Self {
        Self {
            existing,
            changed_data: false,
        }
    }
}

impl Existing {
    /// Whether what is there is gone on with.
    pub(crate) fn goes_on(self) -> bool {
        matches!(self, Self::Resume | Self::Recover)
    }
}

/// Replaces the text of a file: readers see the old one or the new, never a part.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    write_bytes(path, text.as_bytes())
}

/// The same of a file that can be made again: after a loss of power it may be empty.
pub(crate) fn write_again(path: &Path, text: &str) -> Result<(), Error> {
    replace_file_unsynced(path, text.as_bytes()).map_err(Error::file("write", path))
}

/// The same of a file that is not text.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace_file(path, bytes).map_err(Error::file("write", path))
}

/// Sees to it that what was written to a file, or the names in a folder, are on the disk. (Only Unix opens folders.)
pub(crate) fn sync(path: &Path) -> Result<(), Error> {
    if path.is_dir() && !cfg!(unix) {
        return Ok(());
    }
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(Error::file("write to the disk", path))
}

/// Sees to it that a folder, the files in it and some others are on the disk: all at once, which takes as long as one.
pub(crate) fn sync_all(folder: &Path, others: &[PathBuf]) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(Error::file("open the directory", folder))?;
    let mut paths = vec![folder.to_owned()];
    paths.extend_from_slice(others);
    for entry in entries {
        paths.push(entry.map_err(Error::file("read", folder))?.path());
    }
    paths.par_iter().try_for_each(|path| sync(path))
}

/// Removes a file, or a folder with all that is in it, if it is there.
pub fn remove(path: &Path) -> Result<(), Error> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// The text of a file. A device has no end, and a pipe makes whoever opens it wait: both are refused.
pub fn read(path: &Path) -> Result<String, Error> {
    regular(path)?;
    fs::read_to_string(path).map_err(Error::file("read", path))
}

/// Refuses what is no file.
///
/// # Errors
/// If there is a folder, a device or a pipe, or nothing.
pub fn regular(path: &Path) -> Result<(), Error> {
    let metadata = fs::metadata(path).map_err(Error::file("read", path))?;
    is_file(path, &metadata)
}

/// What is known of a file in a place of ours, where a link to elsewhere is refused as well.
pub(crate) fn own(path: &Path) -> Result<fs::Metadata, Error> {
    let metadata = fs::symlink_metadata(path).map_err(Error::file("read", path))?;
    is_file(path, &metadata)?;
    Ok(metadata)
}

fn is_file(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    let kind = metadata.file_type();
    let what = match (kind.is_file(), kind.is_symlink(), kind.is_dir()) {
        (true, ..) => return Ok(()),
        (_, true, _) => "a link",
        (_, _, true) => "a directory",
        _ => "a device, a pipe or a socket",
    };
    Err(Error::NotAFile {
        path: path.to_owned(),
        what,
    })
}

/// Whether a path leads down from where it is joined, and nowhere else.
pub fn leads_down(path: &Path) -> bool {
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a text is the name of a file, without a path.
pub fn is_name(name: &str) -> bool {
    leads_down(Path::new(name)) && Path::new(name).file_name() == Some(OsStr::new(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["model.bpk", ".hidden", "a b", "..."] {
            assert!(is_name(name) && leads_down(Path::new(name)), "{name}");
        }
        assert!(leads_down(Path::new("xsam/seed-0")) && !is_name("xsam/seed-0"));
        for name in [
            "",
            ".",
            "..",
            "/dev/zero",
            "../a",
            "a/../../b",
            "/",
            "./a",
            "a/",
        ] {
            assert!(!is_name(name), "{name}");
        }
        for path in ["", ".", "/dev/zero", "../a", "a/../../b"] {
            assert!(!leads_down(Path::new(path)), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_read() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, path(name)).unwrap();
        fs::write(path("file"), "text").unwrap();
        link("file", "link");
        link("/dev/zero", "endless");
        fs::create_dir(path("folder")).unwrap();
        assert_eq!(read(&path("file")).unwrap(), "text");
        assert_eq!(read(&path("link")).unwrap(), "text");
        assert_eq!(own(&path("file")).unwrap().len(), 4);
        let refused = |error: Error, name: &str, what: &str| {
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(what), "{text}");
        };
        refused(read(&path("endless")).unwrap_err(), "endless", "a device");
        refused(read(&path("folder")).unwrap_err(), "folder", "a directory");
        refused(own(&path("link")).unwrap_err(), "link", "is a link");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("missing/metrics.csv");
        let error = write(&path, "").unwrap_err();
        assert!(error.to_string().contains("missing/metrics.csv"));
    }
}
