//! The IDX format: arrays of bytes with their sizes before them, compressed by gzip or not.

use std::io::{self, BufRead, Read};

use crate::files::{Fault, Position};
use crate::gzip::Gunzip;

#[cfg(test)]
mod tests;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Two bytes of zero, the code of unsigned bytes, and the number of dimensions.
const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

/// What an array holds.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    Images { height: u32, width: u32 },
    Labels { classes: u8 },
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Self::Images { .. } => "images",
            Self::Labels { .. } => "labels",
        }
    }

    /// The numbers of the header if there are `count` of them, and what they say.
    fn header(self, count: u32) -> Vec<(&'static str, u32)> {
        match self {
            Self::Images { height, width } => vec![
                ("magic number", IMAGES),
                ("number of images", count),
                ("height", height),
                ("width", width),
            ],
            Self::Labels { .. } => vec![("magic number", LABELS), ("number of labels", count)],
        }
    }
}

/// The bytes of an array that must hold `count` of `content`. The input is compressed if it begins
/// so.
///
/// The header must say just this before any memory is taken, so that no file, small as it may be on
/// the disk, takes more.
pub(crate) fn read(
    mut input: impl BufRead,
    content: Content,
    count: u32,
) -> Result<Vec<u8>, Fault> {
    let start = input.fill_buf().map_err(|error| unreadable(0, &error))?;
    if !start.starts_with(&GZIP) {
        return parse(input, content, count);
    }
    parse(Gunzip::new(input), content, count).map_err(|fault| match fault.position {
        Position::Byte(offset) => Fault {
            position: Position::UnpackedByte(offset),
            ..fault
        },
        _ => fault,
    })
}

fn parse(mut input: impl Read, content: Content, count: u32) -> Result<Vec<u8>, Fault> {
    let expected = content.header(count);
    let mut header = vec![0; 4 * expected.len()];
    let start = header.len();
    let found = fill(&mut input, &mut header, 0)?;
    if found < start {
        let reason = format!("the file ends in its header of {start} bytes");
        return Err(Fault::byte(found, reason));
    }
    for (index, (word, (name, expected))) in header.chunks_exact(4).zip(&expected).enumerate() {
        let given = word.iter().fold(0, |all, &byte| all << 8 | u32::from(byte));
        if given != *expected {
            let other = match (index, given) {
                (0, IMAGES) => " (that of images)",
                (0, LABELS) => " (that of labels)",
                _ => "",
            };
            let reason = format!("the {name} is {given}{other} and must be {expected}");
            return Err(Fault::byte(4 * index, reason));
        }
    }
    let sizes = expected.iter().skip(1).map(|&(_, size)| size as usize);
    let mut bytes = vec![0; sizes.product()];
    let (what, total) = (content.name(), bytes.len());
    let found = fill(&mut input, &mut bytes, start)?;
    let end = start + found;
    if found < total {
        let reason = format!("the file ends after {found} of the {total} bytes of its {what}");
        return Err(Fault::byte(end, reason));
    }
    // Reading on is also what checks the sum at the end of a compressed file.
    if fill(&mut input, &mut [0], end)? > 0 {
        let reason = format!("the file goes on after its {count} {what}");
        return Err(Fault::byte(end, reason));
    }
    if let Content::Labels { classes } = content
        && let Some(index) = bytes.iter().position(|&label| label >= classes)
    {
        let (label, last) = (bytes[index], classes - 1);
        let reason = format!("label {} is {label}, above {last}", index + 1);
        return Err(Fault::byte(start + index, reason));
    }
    Ok(bytes)
}

/// Reads until the buffer is full or the input ends, and says how much. `start` is how much was read
/// before.
fn fill(input: &mut impl Read, buffer: &mut [u8], start: usize) -> Result<usize, Fault> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(start + filled, &error)),
        }
    }
    Ok(filled)
}

/// The input cannot be read beyond this.
fn unreadable(offset: usize, error: &io::Error) -> Fault {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the compressed data end too early".to_owned(),
        _ => format!("it cannot be read further: {error}"),
    };
    Fault::byte(offset, reason)
}
