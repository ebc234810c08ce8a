//! Whether a JPEG holds all of its image.
//!
//! Decoders fill what is missing with grey and say nothing, as long as the end is marked. So the codes of every scan
//! are counted here, which takes no memory for pixels: as many blocks as the size of the image asks for must be
//! there (ITU-T T.81, annexes A, B, F and G). What a value is does not matter, and what a decoder refuses of itself,
//! or is forgiving about, is left to it.

mod huffman;
mod scan;

#[cfg(test)]
mod tests;

use huffman::Table;
use scan::{Component, Scan};

/// More scans than any sound image has; decoders have the same limit.
const SCANS: usize = 100;

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const HUFFMAN_TABLES: u8 = 0xC4;
const RESTART_INTERVAL: u8 = 0xDD;

/// Why codes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A marker, or the end of the file, is where a code should be.
    Ended,
    /// The bits are no code.
    Code,
    /// There is no such table.
    NoTable,
}

/// A JPEG, read up to its first scan.
pub(super) struct Jpeg<'a> {
    bytes: &'a [u8],
    at: usize,
    progressive: bool,
    width: usize,
    height: usize,
    components: Vec<Component>,
    /// By class, DC or AC, and number.
    tables: [[Option<Table>; 4]; 2],
    /// Units from one restart marker to the next; 0 if there are none.
    interval: usize,
    scan: Scan,
}

impl<'a> Jpeg<'a> {
    /// Reads the headers; nothing if they are not of a kind that is understood here.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        let mut jpeg = Self {
            bytes,
            at: 0,
            progressive: false,
            width: 0,
            height: 0,
            components: Vec::new(),
            tables: Default::default(),
            interval: 0,
            scan: Scan::default(),
        };
        let found = jpeg.next_scan() && !jpeg.components.is_empty();
        found.then_some(jpeg)
    }

    /// How many coefficients of each pixel a decoder has to keep until the last scan.
    pub(super) fn kept(&self) -> u64 {
        let at_once = !self.progressive && self.scan.parts.len() == self.components.len();
        if at_once {
            0
        } else {
            self.components.len() as u64
        }
    }

    /// Reads all scans, and says what is missing.
    pub(super) fn check(mut self) -> Result<(), String> {
        let mut scans = 0;
        loop {
            scans += 1;
            if scans > SCANS {
                return Err(format!("it has more than {SCANS} scans"));
            }
            match self.read_scan() {
                Ok(()) => {}
                // It is for the decoder to say what it does without one.
                Err((Fault::NoTable, ..)) => return Ok(()),
                Err((Fault::Code, block, of)) => {
                    return Err(format!("scan {scans} is damaged in block {block} of {of}"));
                }
                Err((Fault::Ended, block, of)) => {
                    return Err(format!("scan {scans} ends early, in block {block} of {of}"));
                }
            }
            let complete = self.components.iter().all(|component| component.begun);
            if !self.progressive && complete {
                break;
            }
            if !self.next_scan() {
                break;
            }
        }
        if !self.components.iter().all(|component| component.begun) {
            return Err("a colour is missing".to_owned());
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.windows(2).any(|pair| pair == [0xFF, END_OF_IMAGE]) {
            Ok(())
        } else {
            Err("the end is missing".to_owned())
        }
    }

    /// Goes to the data of the next scan, reading what is before them; whether there is one.
    fn next_scan(&mut self) -> bool {
        while let Some(at) = marker(self.bytes, self.at) {
            let kind = self.bytes[at];
            if kind == END_OF_IMAGE {
                // Not stepped over, so that it is found.
                return false;
            }
            self.at = at + 1;
            if matches!(kind, 0x01 | 0xD0..=START_OF_IMAGE) {
                continue;
            }
            let Some(segment) = segment(self.bytes, self.at) else {
                return false;
            };
            self.at += 2 + segment.len();
            let understood = match kind {
                START_OF_SCAN => match Scan::parse(segment, &self.components) {
                    Some(scan) => {
                        self.scan = scan;
                        return true;
                    }
                    None => false,
                },
                0xC0..=0xC2 => self.frame(kind, segment).is_some(),
                HUFFMAN_TABLES => self.huffman(segment).is_some(),
                RESTART_INTERVAL => match segment {
                    &[high, low] => {
                        self.interval = usize::from(u16::from_be_bytes([high, low]));
                        true
                    }
                    _ => false,
                },
                // Lossless, hierarchical and arithmetic images.
                0xC3 | 0xC5..=0xC7 | 0xC9..=0xCF => false,
                _ => true,
            };
            if !understood {
                return false;
            }
        }
        self.at = self.bytes.len();
        false
    }

    fn frame(&mut self, kind: u8, segment: &[u8]) -> Option<()> {
        let (&[_, h1, h0, w1, w0, count], components) = segment.split_first_chunk::<6>()?;
        self.progressive = kind == 0xC2;
        self.height = usize::from(u16::from_be_bytes([h1, h0]));
        self.width = usize::from(u16::from_be_bytes([w1, w0]));
        self.components = components
            .chunks_exact(3)
            .map(|part| Component::new(part[0], part[1] >> 4, part[1] & 15))
            .collect::<Option<_>>()?;
        let sound = self.components.len() == usize::from(count) && (1..=4).contains(&count);
        Component::measure(&mut self.components, self.width, self.height);
        (sound && self.width > 0 && self.height > 0).then_some(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&[head, counts @ ..], rest)) = segment.split_first_chunk::<17>() {
            let total = counts.iter().copied().map(usize::from).sum();
            let (symbols, rest) = rest.split_at_checked(total)?;
            let place = self.tables.get_mut(usize::from(head >> 4))?;
            *place.get_mut(usize::from(head & 15))? = Some(Table::new(&counts, symbols)?);
            segment = rest;
        }
        Some(())
    }
}

/// Where the kind of the next marker is, at or after `at`.
fn marker(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)? + 1;
        while bytes.get(at) == Some(&0xFF) {
            at += 1;
        }
        match bytes.get(at) {
            Some(0) => {}
            Some(_) => return Some(at),
            None => return None,
        }
    }
}

/// What is in the segment whose length is at `at`.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let &[high, low] = bytes.get(at..)?.first_chunk()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    bytes.get(at + 2..at + length)
}
