//! Archives of tar, compressed by gzip.

use std::cell::Cell;
use std::io::{self, BufReader, Read};

use ::tar::{Archive, EntryType};

use super::sink::Sink;
use crate::fetch::FetchError;
use crate::gzip::Gunzip;

/// Headers, padding and long names of an entry take this much of the stream, generously. Long names are kept in
/// memory.
const OVERHEAD: u64 = 1 << 14;

pub(super) fn read(sink: &mut Sink<'_, '_>) -> Result<(), FetchError> {
    let file = BufReader::new(sink.open()?);
    let left = Cell::new(OVERHEAD);
    let mut archive = Archive::new(Bounded {
        inner: Gunzip::new(file),
        left: &left,
    });
    let entries = archive.entries().map_err(|error| sink.damaged(error))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| sink.damaged(error))?;
        let name = entry.path_bytes().into_owned();
        match entry.header().entry_type() {
            EntryType::Directory => sink.folder(&name)?,
            EntryType::Regular | EntryType::Continuous => {
                let size = entry.size();
                // What is written is counted by the sink.
                left.set(u64::MAX);
                // The crate ends in silence if there is less.
                sink.file(&name, Some(size), &mut entry)?;
            }
            EntryType::Symlink | EntryType::Link => {
                return Err(sink.refuse_kind(&name, "a link, and links are not made"));
            }
            // Comments on the whole archive.
            EntryType::XGlobalHeader => sink.count()?,
            _ => return Err(sink.refuse_kind(&name, "neither a file nor a folder")),
        }
        left.set(OVERHEAD);
    }
    Ok(())
}

/// Fails once more than `left` bytes were read.
struct Bounded<'a, R> {
    inner: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let left = self.left.get().checked_sub(n as u64);
        let left = left.ok_or_else(|| io::Error::other("it unpacks to more than it may"))?;
        self.left.set(left);
        Ok(n)
    }
}
