//! Files that are never half written.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside `path`, flushes it to the disk and renames it: readers see what was there or all of
/// the new, whenever the program or the machine stops.
///
/// # Errors
///
/// What the system says. `path` is then as it was.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, true)
}

/// The same without waiting for the disk: when the machine stops, and not the program alone, the file may be
/// empty afterwards.
///
/// # Errors
///
/// As of [`replace_file`].
pub fn replace_file_unsynced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, false)
}

fn replace(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    // Hidden, and with a number of this process: two that write the same file do not meet.
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            if sync { file.sync_all() } else { Ok(()) }
        })
        .and_then(|()| fs::rename(&beside, path));
    written.inspect_err(|_| {
        // What is left of the attempt is of no use to anyone; the error is what counts.
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_there_is_replaced_as_a_whole_or_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        replace_file(&path, b"old").unwrap();
        replace_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // A folder cannot be replaced by a file.
        let folder = directory.path().join("folder");
        fs::create_dir(&folder).unwrap();
        assert!(replace_file(&folder, b"new").is_err());
        assert!(replace_file(&directory.path().join("no/where"), b"").is_err());
        assert!(replace_file(Path::new("/"), b"").is_err());
        let names = fs::read_dir(directory.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.txt", "folder"]);
    }
}
