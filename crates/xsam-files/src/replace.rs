//! Files that are never half written.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file beside `path`, flushes it to the disk and renames it: readers see what was there or all of
/// the new, whenever the program or the machine stops. Of several that write the same file at once, the last wins.
///
/// # Errors
///
/// What the system says. `path` is then as it was.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, true, |to| to.write_all(bytes))
}

/// The same without waiting for the disk: when the machine stops, and not the program alone, the file may be
/// empty afterwards.
///
/// # Errors
///
/// As of [`replace_file`].
pub fn replace_file_unsynced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, false, |to| to.write_all(bytes))
}

/// [`replace_file`] with what `content` writes.
///
/// # Errors
///
/// As of [`replace_file`], and of `content`.
pub fn replace_file_with(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    replace(path, true, |file| {
        let mut to = BufWriter::new(file.try_clone()?);
        content(&mut to)?;
        to.flush()
    })
}

fn replace(
    path: &Path,
    sync: bool,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    // The rest of the name is random, and a file of this name is never there: no two writers share one, be they threads,
    // processes or machines. It is removed if anything below fails. It gets the permissions of any new file.
    let mut beside = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".tmp")
        .make_in(path.parent().unwrap_or(path), |beside| {
            OpenOptions::new().write(true).create_new(true).open(beside)
        })?;
    content(beside.as_file_mut())?;
    if sync {
        beside.as_file().sync_all()?;
    }
    beside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::thread;

    use super::*;

    fn names_in(directory: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_there_is_replaced_as_a_whole_or_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        replace_file(&path, b"old").unwrap();
        replace_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let failed = replace_file_with(&path, |to| {
            to.write_all(b"half")?;
            Err(io::ErrorKind::Other.into())
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // A folder cannot be replaced by a file.
        let folder = directory.path().join("folder");
        fs::create_dir(&folder).unwrap();
        assert!(replace_file(&folder, b"new").is_err());
        let missing = replace_file(&directory.path().join("no/where"), b"").unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(!missing.to_string().contains(".tmp"), "{missing}");
        assert!(replace_file(Path::new("/"), b"").is_err());
        assert_eq!(names_in(directory.path()), ["a.txt", "folder"]);
    }

    #[test]
    fn threads_that_write_the_same_file_do_not_meet() {
        const ROUNDS: usize = 100;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        let texts = ["a", "b"].map(|letter| letter.repeat(1 << 16));
        replace_file(&path, texts[0].as_bytes()).unwrap();
        thread::scope(|scope| {
            for text in &texts {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        replace_file_unsynced(path, text.as_bytes()).unwrap();
                    }
                });
            }
            for _ in 0..ROUNDS {
                assert!(texts.contains(&fs::read_to_string(&path).unwrap()));
            }
        });
        assert_eq!(names_in(directory.path()), ["a.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_has_the_permissions_of_any_new_one() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let [ours, any] = ["ours", "any"].map(|name| directory.path().join(name));
        replace_file(&ours, b"").unwrap();
        fs::write(&any, "").unwrap();
        let [ours, any] = [ours, any].map(|path| fs::metadata(path).unwrap().permissions().mode());
        assert_eq!(ours, any);
    }
}
