//! A file that is whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::WeightsError;

/// Writes a file beside `path` and gives it that name once it is whole and on the disk.
pub(super) fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WeightsError> {
    /// No two writers of a process share a file, as no two processes do.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}-{number}.tmp", std::process::id()));
    let beside = Path::new(&beside);

    let created = OpenOptions::new().write(true).create_new(true).open(beside);
    let file = created.map_err(WeightsError::file("write", path))?;
    let mut to = BufWriter::new(file);
    let written = content(&mut to)
        .and_then(|()| to.flush())
        .and_then(|()| to.get_ref().sync_all())
        .and_then(|()| fs::rename(beside, path));
    written.map_err(|error| {
        // What is left of the attempt is of no use to anyone; the error is what counts.
        let _ = fs::remove_file(beside);
        WeightsError::file("write", path)(error)
    })
}
