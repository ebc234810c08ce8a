//! MD5 of what passes by. It tells damage, not forgery, and is what the publishers state.

use std::io::Read;
use std::path::Path;

use md5::{Digest, Md5};

use super::FetchError;
use super::error::io_error;
use super::progress::{Stage, Watch};
use crate::files;

/// Bytes that are read at once.
pub(super) const CHUNK: usize = 1 << 16;

/// The hexadecimal digits of the MD5 of what `hasher` has seen.
pub(super) fn digits(hasher: Md5) -> String {
    let bytes = hasher.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The MD5 of some bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    digits(Md5::new_with_prefix(bytes))
}

/// Reads the file at `path`, called `name`, to its end; its bytes, and the MD5 of them so far.
pub(super) fn of_file(
    path: &Path,
    name: &str,
    watch: &mut Watch<'_>,
) -> Result<(u64, Md5), FetchError> {
    let read = |error| io_error("read", path)(error);
    let mut file = files::open(path).map_err(read)?;
    let total = file.metadata().map_err(read)?.len();
    let (mut hasher, mut bytes) = (Md5::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = file.read(&mut chunk).map_err(read)?;
        hasher.update(&chunk[..n]);
        bytes += n as u64;
        watch.at(name, Stage::Verifying, bytes, Some(total))?;
        if n == 0 {
            return Ok((bytes, hasher));
        }
    }
}
