//! How much a file may ask for, before it is read.
//!
//! A byte of a pickle makes an object of a hundred bytes, and a byte of an archive a thousand bytes of a pickle: what
//! a file asks for is counted without making any of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use tar::Archive;
use zip::{CompressionMethod, ZipArchive};

use super::super::WeightsError;
use super::scan::{End, Scan};

/// How many times its own size a file may take in memory. A tensor under several names is there once; but the file says
/// how often values are repeated, and a few bytes of it can claim any number of them.
const MOST_REPEATED: u64 = 16;
/// What any file may take.
const ALWAYS: u64 = 1 << 20;

/// A file of so many bytes may hold an object, and more than that only together with [`ALWAYS_OBJECTS`]. State dicts
/// have one in a hundred bytes or fewer; lists of numbers beside them have more.
const BYTES_PER_OBJECT: u64 = 8;
/// What any file may hold.
const ALWAYS_OBJECTS: u64 = 1 << 18;

/// Pickles of a file of an early release: a mark, a version, the machine, the content and the keys of the values.
const LEGACY_PICKLES: usize = 5;

/// The bytes that a file of this length may take in memory.
pub(super) fn most_bytes(length: u64) -> u64 {
    length.saturating_mul(MOST_REPEATED).saturating_add(ALWAYS)
}

/// Refuses a file that would take far more memory than it has bytes. What else is wrong with it, its reader finds.
pub(super) fn check(path: &Path, length: u64) -> Result<(), WeightsError> {
    let mut file = File::open(path).map_err(WeightsError::file("read", path))?;
    check_file(&mut file, length).map_err(|error| WeightsError::unread(path, error))
}

fn unpacks() -> io::Error {
    io::Error::other("its archive unpacks to far more bytes than the file has")
}

fn check_file(file: &mut File, length: u64) -> io::Result<()> {
    let mut scan = Scan::new(ALWAYS_OBJECTS + length / BYTES_PER_OBJECT);
    let mut start = Vec::new();
    file.take(TAR_MARK.1 + 5).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    if start.starts_with(b"PK") {
        archive(&mut scan, BufReader::new(file), length)
    } else if start.get(TAR_MARK.1 as usize..) == Some(TAR_MARK.0) {
        early_archive(&mut scan, file, length)
    } else {
        let mut reader = BufReader::new(file);
        for _ in 0..LEGACY_PICKLES {
            if scan.pickle(&mut reader)? == End::Broken {
                break;
            }
        }
        Ok(())
    }
}

/// A zip archive: the pickle in it, and how large what is compressed becomes.
fn archive(scan: &mut Scan, file: BufReader<&mut File>, length: u64) -> io::Result<()> {
    let damaged = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => error,
        other => io::Error::other(format!("zip archive error: {other}")),
    };
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    let mut unpacked = 0u64;
    let mut pickles = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        if entry.compression() != CompressionMethod::Stored {
            unpacked = unpacked.saturating_add(entry.size());
        }
        if entry.name_raw().ends_with(b"data.pkl") {
            pickles.push(index);
        }
    }
    if unpacked > most_bytes(length) {
        return Err(unpacks());
    }
    for index in pickles {
        let entry = archive.by_index(index).map_err(damaged)?;
        scan.pickle(&mut BufReader::new(entry))?;
    }
    Ok(())
}

/// What tells a tar archive, and where it is.
const TAR_MARK: (&[u8], u64) = (b"ustar", 257);

/// A tar archive, as PyTorch wrote before its release 0.1.10: pickles, some with numbers between them.
fn early_archive(scan: &mut Scan, file: &mut File, length: u64) -> io::Result<()> {
    let mut archive = Archive::new(BufReader::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        // One with holes in it can be larger.
        if entry.size() > length {
            return Err(unpacks());
        }
        let name = entry.path_bytes().into_owned();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        match name {
            b"sys_info" | b"pickle" => {
                scan.pickle(&mut BufReader::new(&mut entry))?;
            }
            b"storages" | b"tensors" => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                table(scan, &mut Cursor::new(content), name == b"storages")?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// How many there are, and for each a pickle and its numbers. After the last of the storages is one more pickle.
fn table(scan: &mut Scan, from: &mut Cursor<Vec<u8>>, storages: bool) -> io::Result<()> {
    if scan.pickle(from)? == End::Broken {
        return Ok(());
    }
    while !from.fill_buf()?.is_empty() {
        let end = scan.pickle(from)?;
        let skipped = match (end, storages) {
            (End::Broken, _) => None,
            (End::Stop, true) => storage(scan, from),
            (End::Stop, false) => tensor(from),
        };
        if skipped.is_none() {
            break;
        }
    }
    Ok(())
}

/// Skips the count and the bytes of a storage whose pickle was scanned.
fn storage(scan: &Scan, from: &mut Cursor<Vec<u8>>) -> Option<()> {
    let size = match scan.class()? {
        "DoubleStorage" | "LongStorage" => 8,
        "FloatStorage" | "IntStorage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "CharStorage" | "ByteStorage" | "BoolStorage" => 1,
        _ => return None,
    };
    let count = u64::try_from(i64::from_le_bytes(bytes(from)?)).ok()?;
    skip(from, count.checked_mul(size)?)
}

/// Skips rank, shape, strides and offset of a tensor.
fn tensor(from: &mut Cursor<Vec<u8>>) -> Option<()> {
    let rank = u64::try_from(i32::from_le_bytes(bytes(from)?)).ok()?;
    skip(from, 4 + rank * 2 * 8 + 8)
}

fn bytes<const N: usize>(from: &mut Cursor<Vec<u8>>) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn skip(from: &mut Cursor<Vec<u8>>, bytes: u64) -> Option<()> {
    let to = from.position().checked_add(bytes)?;
    from.set_position(to);
    (to <= from.get_ref().len() as u64).then_some(())
}
