//! The bits of a scan, and the codes in them.

use super::Fault;

/// Codes of up to so many bits are looked up at once.
const SHORT: u32 = 9;
const LONGEST: usize = 16;

/// A table of Huffman codes, as a DHT segment has it.
pub(super) struct Table {
    /// By the next bits: how long the code is and what it stands for; 0 for one that is longer.
    short: Vec<(u8, u8)>,
    /// By the length: one more than the last code, in 16 bits; and where the symbols of that length are, less
    /// the first code.
    lengths: [(u32, i32); LONGEST + 1],
    symbols: Vec<u8>,
}

impl Table {
    /// A table from the number of codes of each length and what they stand for. Nothing if there are more codes
    /// than bits for them.
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            short: vec![(0, 0); 1 << SHORT],
            lengths: [(0, 0); LONGEST + 1],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut at) = (0_u32, 0_usize);
        for (bits, &count) in (1_u32..).zip(counts) {
            let last = code + u32::from(count);
            if last > 1 << bits {
                return None;
            }
            table.lengths[bits as usize] = (last << (16 - bits), at as i32 - code as i32);
            for symbol in symbols.get(at..at + usize::from(count))? {
                if bits <= SHORT {
                    let first = (code << (SHORT - bits)) as usize;
                    table.short[first..first + (1 << (SHORT - bits))].fill((bits as u8, *symbol));
                }
                code += 1;
            }
            at += usize::from(count);
            code <<= 1;
        }
        Some(table)
    }

    /// How long the code at the beginning of 16 bits is, and what it stands for.
    fn find(&self, next: u32) -> Option<(u32, u8)> {
        let (bits, symbol) = self.short[(next >> (16 - SHORT)) as usize];
        if bits > 0 {
            return Some((u32::from(bits), symbol));
        }
        for bits in SHORT + 1..=LONGEST as u32 {
            let (last, offset) = self.lengths[bits as usize];
            if next < last {
                let at = (next >> (16 - bits)) as i32 + offset;
                return Some((bits, *self.symbols.get(usize::try_from(at).ok()?)?));
            }
        }
        None
    }
}

/// Reads the bits of a scan up to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The bits that were read and not taken, at the low end.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            held: 0,
            count: 0,
        }
    }

    /// Where the bytes go on that were not read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Drops the bits up to the next marker, and steps over that if it is one of a restart.
    pub(super) fn restart(&mut self) -> Result<(), Fault> {
        self.count = 0;
        let at = super::marker(self.bytes, self.at).ok_or(Fault::Ended)?;
        match self.bytes.get(at) {
            Some(0xD0..=0xD7) => {
                self.at = at + 1;
                Ok(())
            }
            _ => Err(Fault::Ended),
        }
    }

    /// What the next code stands for.
    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Fault> {
        if self.count < 16 {
            self.fill();
        }
        let next = match self.count.checked_sub(16) {
            Some(more) => self.held >> more,
            None => self.held << (16 - self.count),
        };
        let found = table.find(next as u32 & 0xFFFF);
        // What is missing at the end was taken as zeros.
        let (bits, symbol) = match found {
            Some(found) if found.0 <= self.count => found,
            _ if self.count < 16 => return Err(Fault::Ended),
            _ => return Err(Fault::Code),
        };
        self.count -= bits;
        Ok(symbol)
    }

    /// The next bits as a number, at most 16.
    pub(super) fn number(&mut self, bits: u32) -> Result<u32, Fault> {
        if self.count < bits {
            self.fill();
        }
        self.count = self.count.checked_sub(bits).ok_or(Fault::Ended)?;
        Ok((self.held >> self.count) as u32 & ((1 << bits) - 1))
    }

    /// Steps over so many bits.
    pub(super) fn skip(&mut self, mut bits: u32) -> Result<(), Fault> {
        while bits > 16 {
            self.number(16)?;
            bits -= 16;
        }
        self.number(bits).map(drop)
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else {
                return;
            };
            let mut next = self.at + 1;
            if byte == 0xFF {
                // Any number of them may stand before a marker; with a zero it is a byte of the scan.
                while self.bytes.get(next) == Some(&0xFF) {
                    next += 1;
                }
                if self.bytes.get(next) != Some(&0) {
                    return;
                }
                next += 1;
            }
            self.at = next;
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }
}
