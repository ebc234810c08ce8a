//! Archives of tar, compressed by gzip.

use std::io::{self, BufReader, Read};

use ::tar::{Archive, EntryType};
use flate2::bufread::MultiGzDecoder;

use super::sink::Sink;
use crate::fetch::FetchError;

/// Headers, padding and long names of an entry take this much of the stream, generously.
const OVERHEAD: u64 = 1 << 14;

pub(super) fn read(sink: &mut Sink<'_, '_>) -> Result<(), FetchError> {
    let file = BufReader::new(sink.open()?);
    // What the entries hold is counted as it is written. This bounds what else there is: long
    // names, which are kept in memory, and what is skipped.
    let rule = sink.rule();
    let overhead = rule
        .at_most_entries
        .saturating_mul(OVERHEAD)
        .saturating_add(OVERHEAD);
    let most = rule.at_most_bytes.saturating_add(overhead);
    let mut archive = Archive::new(Bounded {
        inner: MultiGzDecoder::new(file),
        left: most,
    });
    let entries = archive.entries().map_err(|error| sink.damaged(error))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| sink.damaged(error))?;
        let name = entry.path_bytes().into_owned();
        match entry.header().entry_type() {
            EntryType::Directory => sink.folder(&name)?,
            EntryType::Regular | EntryType::Continuous => {
                let size = entry.size();
                let mut data = Exact {
                    inner: &mut entry,
                    left: size,
                };
                sink.file(&name, &mut data)?;
            }
            EntryType::Symlink | EntryType::Link => {
                return Err(sink.refuse_kind(&name, "a link, and links are not made"));
            }
            // Comments on the whole archive.
            EntryType::XGlobalHeader => {}
            _ => return Err(sink.refuse_kind(&name, "neither a file nor a folder")),
        }
    }
    Ok(())
}

/// Fails once more than `left` bytes were read.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(n as u64)
            .ok_or_else(|| io::Error::other("it unpacks to more than it may"))?;
        Ok(n)
    }
}

/// Fails if there are fewer than `left` bytes, where the crate would end in silence.
struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if n == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}
