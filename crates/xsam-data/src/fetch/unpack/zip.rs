//! Archives of zip.

use std::io::BufReader;

use ::zip::ZipArchive;

use super::sink::Sink;
use crate::fetch::FetchError;

/// The bits of a mode of Unix that say what an entry is, and two of their values.
const KIND: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

pub(super) fn read(sink: &mut Sink<'_, '_>) -> Result<(), FetchError> {
    let file = BufReader::new(sink.open()?);
    let mut archive = ZipArchive::new(file).map_err(|error| sink.damaged(error))?;
    for index in 0..archive.len() {
        let entry = archive
            .by_index(index)
            .map_err(|error| sink.damaged(error))?;
        let name = entry.name_raw().to_vec();
        if entry.is_symlink() {
            return Err(sink.refuse_kind(&name, "a link, and links are not made"));
        }
        if !matches!(entry.unix_mode().unwrap_or(0) & KIND, 0 | FILE | FOLDER) {
            return Err(sink.refuse_kind(&name, "neither a file nor a folder"));
        }
        if entry.is_dir() {
            sink.folder(&name)?;
        } else {
            sink.file(&name, None, entry)?;
        }
    }
    Ok(())
}
