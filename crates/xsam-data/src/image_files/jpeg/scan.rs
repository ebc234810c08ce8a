//! The codes of one scan.

use super::huffman::{Bits, Table};
use super::{Fault, Jpeg};

const DC: usize = 0;
const AC: usize = 1;
/// Zeros without end: a run of 16 of them.
const RUN: u8 = 15;

/// A colour of an image.
pub(super) struct Component {
    id: u8,
    /// Blocks of it side by side, and one below the other, in a unit of several colours.
    across: usize,
    down: usize,
    /// Blocks of it in a row and in a column, in a scan of its own.
    columns: usize,
    rows: usize,
    /// Units of several colours in a row and in a column.
    units: [usize; 2],
    /// Whether a scan had its mean values.
    pub(super) begun: bool,
    /// For each block which of its coefficients are not zero so far; empty until a scan says.
    known: Vec<u64>,
}

impl Component {
    pub(super) fn new(id: u8, across: u8, down: u8) -> Option<Self> {
        let sound = (1..=4).contains(&across) && (1..=4).contains(&down);
        sound.then(|| Self {
            id,
            across: usize::from(across),
            down: usize::from(down),
            columns: 0,
            rows: 0,
            units: [0; 2],
            begun: false,
            known: Vec::new(),
        })
    }

    /// Works out how many blocks there are of each.
    pub(super) fn measure(components: &mut [Self], width: usize, height: usize) {
        let most = |of: fn(&Self) -> usize| components.iter().map(of).max().unwrap_or(1);
        let (across, down) = (most(|c| c.across), most(|c| c.down));
        for component in components {
            component.columns = (width * component.across).div_ceil(8 * across);
            component.rows = (height * component.down).div_ceil(8 * down);
            component.units = [width.div_ceil(8 * across), height.div_ceil(8 * down)];
        }
    }
}

/// A colour in a scan.
#[derive(Clone, Copy)]
pub(super) struct Part {
    component: usize,
    dc: usize,
    ac: usize,
}

/// What a scan holds.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// The first and the last coefficient of a progressive one.
    band: [u8; 2],
    /// Whether it adds a bit to what an earlier one had.
    refines: bool,
}

impl Scan {
    /// Reads the header of a scan; nothing if it does not fit the image.
    pub(super) fn parse(segment: &[u8], components: &[Component]) -> Option<Self> {
        let (&count, rest) = segment.split_first()?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bits] = rest.first_chunk()?;
        let parts = parts.chunks_exact(2).map(|part| {
            let component = components.iter().position(|c| c.id == part[0])?;
            let (dc, ac) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            Some(Part { component, dc, ac })
        });
        let parts = parts.collect::<Option<Vec<Part>>>()?;
        let sound = (1..=4).contains(&parts.len()) && last < 64;
        sound.then_some(Self {
            parts,
            band: [first, last],
            refines: bits >> 4 > 0,
        })
    }
}

/// How blocks are coded.
#[derive(Clone, Copy)]
enum Coding {
    Sequential,
    /// The mean values, of a progressive image.
    Means,
    /// One more bit of them.
    MeansRefined,
    /// Other coefficients, of one colour.
    Band,
    BandRefined,
}

/// What is needed to read the blocks of one colour.
struct Reader<'a, 'b> {
    bits: &'b mut Bits<'a>,
    coding: Coding,
    band: [u8; 2],
    /// Blocks that have nothing more in this band.
    done: u32,
}

impl Jpeg<'_> {
    /// Reads the scan whose data are next; of a fault also in which block of how many it is, from 1.
    pub(super) fn read_scan(&mut self) -> Result<(), (Fault, usize, usize)> {
        let mut bits = Bits::new(self.bytes, self.at);
        let parts = &self.scan.parts;
        let coding = match (self.progressive, self.scan.band[0], self.scan.refines) {
            (false, ..) => Coding::Sequential,
            (true, 0, false) => Coding::Means,
            (true, 0, true) => Coding::MeansRefined,
            (true, _, false) => Coding::Band,
            (true, _, true) => Coding::BandRefined,
        };
        let mut reader = Reader {
            bits: &mut bits,
            coding,
            band: self.scan.band,
            done: 0,
        };
        // The units between which restart markers may be: a block of a single colour, or as many blocks of each as
        // cover the same pixels.
        let (units, sizes): (usize, Vec<usize>) = match parts[..] {
            [part] => {
                let component = &self.components[part.component];
                (component.columns * component.rows, vec![1])
            }
            _ => {
                let components = parts.iter().map(|part| &self.components[part.component]);
                let units = self.components[parts[0].component].units;
                let sizes = components.map(|c| c.across * c.down).collect();
                (units[0] * units[1], sizes)
            }
        };
        let in_unit: usize = sizes.iter().sum();
        let fault = |fault, block: usize| (fault, block + 1, units * in_unit);
        // Mean values stand alone in a progressive scan, and other coefficients are of one colour.
        let [first, last] = self.scan.band;
        let odd = (first == 0 && last > 0) || (first > 0 && parts.len() > 1);
        if self.progressive && odd {
            return Err(fault(Fault::Code, 0));
        }
        if matches!(coding, Coding::Band | Coding::BandRefined) {
            for part in parts {
                let component = &mut self.components[part.component];
                component
                    .known
                    .resize(component.columns * component.rows, 0);
            }
        }
        for unit in 0..units {
            if self.interval > 0 && unit > 0 && unit % self.interval == 0 {
                reader.done = 0;
                reader
                    .bits
                    .restart()
                    .map_err(|f| fault(f, unit * in_unit))?;
            }
            let mut block = unit * in_unit;
            for (part, size) in parts.iter().zip(&sizes) {
                let table = |class: usize, index: usize| {
                    let table: Option<&Table> = self.tables[class].get(index)?.as_ref();
                    table
                };
                let tables = (table(DC, part.dc), table(AC, part.ac));
                let known = self.components[part.component].known.get_mut(unit);
                let mut nothing = 0;
                let known = known.unwrap_or(&mut nothing);
                for _ in 0..*size {
                    reader.block(tables, known).map_err(|f| fault(f, block))?;
                    block += 1;
                }
            }
        }
        for part in parts {
            let component = &mut self.components[part.component];
            component.begun |= matches!(coding, Coding::Sequential | Coding::Means);
        }
        self.at = bits.at();
        Ok(())
    }
}

impl Reader<'_, '_> {
    /// Reads a block, of which `known` coefficients are not zero so far.
    fn block(
        &mut self,
        tables: (Option<&Table>, Option<&Table>),
        known: &mut u64,
    ) -> Result<(), Fault> {
        let dc = || tables.0.ok_or(Fault::NoTable);
        let ac = || tables.1.ok_or(Fault::NoTable);
        match self.coding {
            Coding::Sequential => {
                self.mean(dc()?)?;
                self.sequential(ac()?)
            }
            Coding::Means => self.mean(dc()?),
            Coding::MeansRefined => self.bits.skip(1),
            Coding::Band => self.first(ac()?, known),
            Coding::BandRefined => self.refine(ac()?, known),
        }
    }

    fn mean(&mut self, table: &Table) -> Result<(), Fault> {
        let size = self.bits.symbol(table)?;
        self.bits.skip(u32::from(size))
    }

    fn sequential(&mut self, table: &Table) -> Result<(), Fault> {
        let mut at = 1;
        while at < 64 {
            let (run, size) = split(self.bits.symbol(table)?);
            match (size, run) {
                (0, RUN) => at += 16,
                (0, _) => break,
                _ => {
                    self.bits.skip(u32::from(size))?;
                    at += run + 1;
                }
            }
        }
        Ok(())
    }

    fn first(&mut self, table: &Table, known: &mut u64) -> Result<(), Fault> {
        if self.done > 0 {
            self.done -= 1;
            return Ok(());
        }
        let [mut at, last] = self.band;
        while at <= last {
            let (run, size) = split(self.bits.symbol(table)?);
            match (size, run) {
                (0, RUN) => at += 16,
                (0, run) => {
                    self.end_of_band(run)?;
                    self.done -= 1;
                    break;
                }
                _ => {
                    self.bits.skip(u32::from(size))?;
                    *known |= bit(at + run);
                    at += run + 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of each coefficient that is not zero, and new ones between them (G.1.2.3).
    fn refine(&mut self, table: &Table, known: &mut u64) -> Result<(), Fault> {
        let [mut at, last] = self.band;
        while self.done == 0 && at <= last {
            let (mut run, size) = split(self.bits.symbol(table)?);
            match (size, run) {
                (0, RUN) => {}
                (0, run) => {
                    self.end_of_band(run)?;
                    break;
                }
                // The sign of a new one.
                _ => self.bits.skip(1)?,
            }
            while at <= last {
                if *known & bit(at) != 0 {
                    self.bits.skip(1)?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                at += 1;
            }
            if size > 0 && at <= last {
                *known |= bit(at);
            }
            at += 1;
        }
        if self.done > 0 {
            let rest = *known & from(at) & !from(last + 1);
            self.bits.skip(rest.count_ones())?;
            self.done -= 1;
        }
        Ok(())
    }

    /// This block and more have nothing new in this band.
    fn end_of_band(&mut self, run: u8) -> Result<(), Fault> {
        self.done = (1 << run) + self.bits.number(u32::from(run))?;
        Ok(())
    }
}

/// A run of zeros and the size of what follows it.
fn split(symbol: u8) -> (u8, u8) {
    (symbol >> 4, symbol & 15)
}

/// A coefficient's place in a block. A run that leads out of it has none.
fn bit(at: u8) -> u64 {
    1_u64.checked_shl(u32::from(at)).unwrap_or(0)
}

/// The places from this one on.
fn from(at: u8) -> u64 {
    u64::MAX.checked_shl(u32::from(at)).unwrap_or(0)
}
