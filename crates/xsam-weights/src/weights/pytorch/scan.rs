//! A pickle, of which nothing is made: its objects are counted.

use std::io::{self, BufRead, Read};

/// There are more objects than there may be.
pub(super) struct TooMany;

/// How a pickle ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    Stop,
    /// With something that no reader understands, or too early.
    Broken,
}

/// Counts the objects of pickles.
pub(super) struct Scan {
    /// Objects that there may yet be.
    left: u64,
    /// The classes that the last pickle names.
    classes: Vec<String>,
}

/// What follows an operation's code.
enum Argument {
    /// So many bytes.
    Fixed(u64),
    /// So many lines.
    Lines(usize),
    /// As many bytes as a number of so many bytes says.
    Counted(usize),
}

/// The name of a class is as long as that of a storage at most.
const LONGEST_CLASS: u64 = 64;

impl Scan {
    /// Of all pickles together, so many objects.
    pub(super) fn new(most: u64) -> Self {
        Self {
            left: most,
            classes: Vec::new(),
        }
    }

    /// The class that the last pickle names, if it is one.
    pub(super) fn class(&self) -> Option<&str> {
        match self.classes.as_slice() {
            [class] => Some(class),
            _ => None,
        }
    }

    /// Counts the objects of the pickle that begins here, and ends up behind it.
    pub(super) fn pickle(&mut self, from: &mut impl BufRead) -> Result<End, TooMany> {
        self.classes.clear();
        loop {
            let mut code = [0];
            if from.read_exact(&mut code).is_err() {
                return Ok(End::Broken);
            }
            let [code] = code;
            if code == b'.' {
                return Ok(End::Stop);
            }
            let Some((argument, objects)) = operation(code) else {
                return Ok(End::Broken);
            };
            self.left = self.left.checked_sub(objects).ok_or(TooMany)?;
            let passed = match code {
                b'c' => self.global(from),
                _ => argument.pass(from),
            };
            if passed.is_err() {
                return Ok(End::Broken);
            }
        }
    }

    /// A class: its module and its name, in two lines. Of very many only the number is of interest.
    fn global(&mut self, from: &mut impl BufRead) -> io::Result<()> {
        from.skip_until(b'\n')?;
        let mut name = Vec::new();
        from.take(LONGEST_CLASS).read_until(b'\n', &mut name)?;
        if name.pop() != Some(b'\n') {
            from.skip_until(b'\n')?;
        }
        if self.classes.len() < 2 {
            let name = String::from_utf8_lossy(&name);
            self.classes.push(name.trim_end_matches('\r').to_owned());
        }
        Ok(())
    }
}

impl Argument {
    fn pass(self, from: &mut impl BufRead) -> io::Result<()> {
        let bytes = match self {
            Self::Fixed(bytes) => bytes,
            Self::Lines(lines) => {
                for _ in 0..lines {
                    from.skip_until(b'\n')?;
                }
                0
            }
            Self::Counted(size) => {
                let mut count = [0; 8];
                from.read_exact(&mut count[..size])?;
                u64::from_le_bytes(count)
            }
        };
        let passed = io::copy(&mut from.take(bytes), &mut io::sink())?;
        match passed == bytes {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The argument of an operation, and how many objects more there are in memory after it; none for a code that there is
/// not. <https://github.com/python/cpython/blob/main/Lib/pickletools.py>
fn operation(code: u8) -> Option<(Argument, u64)> {
    use Argument::{Counted, Fixed, Lines};
    Some(match code {
        // Numbers and texts in lines.
        b'I' | b'L' | b'F' | b'V' | b'S' => (Lines(1), 1),
        // Numbers.
        b'K' => (Fixed(1), 1),
        b'M' => (Fixed(2), 1),
        b'J' => (Fixed(4), 1),
        b'G' => (Fixed(8), 1),
        0x8a => (Counted(1), 1),
        0x8b => (Counted(4), 1),
        // Texts and bytes.
        b'U' | b'C' | 0x8c => (Counted(1), 1),
        b'T' | b'X' | b'B' => (Counted(4), 1),
        0x8d | 0x8e | 0x96 => (Counted(8), 1),
        // None, true, false, empty containers, a mark, the top once more, and containers of what is there: a tuple of
        // one takes memory and leaves the stack as high as it was.
        b'N' | 0x88 | 0x89 | b')' | b']' | b'}' | 0x8f | b'(' | b'2' | 0x85 | 0x86 | 0x87 => {
            (Fixed(0), 1)
        }
        // What was kept, and keeping.
        b'g' | b'p' => (Lines(1), 1),
        b'h' | b'q' => (Fixed(1), 1),
        b'j' | b'r' => (Fixed(4), 1),
        0x94 => (Fixed(0), 1),
        // Classes, instances and what is beside the pickle.
        b'c' | b'i' => (Lines(2), 1),
        b'P' => (Lines(1), 1),
        0x82 => (Fixed(1), 1),
        0x83 => (Fixed(2), 1),
        0x84 => (Fixed(4), 1),
        b'o' | 0x97 => (Fixed(0), 1),
        // Less, or as much as before.
        b'0' | b'1' | b'R' | b'b' | b'd' | b'l' | b't' | b's' | b'a' | b'e' | b'u' | b'Q' => {
            (Fixed(0), 0)
        }
        0x81 | 0x90 | 0x91 | 0x92 | 0x93 | 0x98 => (Fixed(0), 0),
        // The version, and how long a part is.
        0x80 => (Fixed(1), 0),
        0x95 => (Fixed(8), 0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::weights::pytorch::pickle;
    use crate::weights::written::{Content, WrittenTensor};

    /// What PyTorch has written: five pickles, and the values.
    const LEGACY: &[u8] = include_bytes!("../../../tests/torch/legacy.pt");

    fn scanned(pickle: &[u8], most: u64) -> (Option<End>, Scan, usize) {
        let mut scan = Scan::new(most);
        let mut rest = pickle;
        let end = scan.pickle(&mut rest).ok();
        (end, scan, rest.len())
    }

    #[test]
    fn pickles_are_passed_from_end_to_end() {
        let mut scan = Scan::new(10_000);
        let mut rest = LEGACY;
        for _ in 0..5 {
            assert!(scan.pickle(&mut rest).ok() == Some(End::Stop));
        }
        // Eight bytes for the number of each of the tensors' elements, and these.
        let floats = 2 * 9 + 4 * 2 + 4 * 18 + 4 * 4 + 3 * 4 + 3;
        assert_eq!(rest.len(), 14 * 8 + 4 * floats + 2 * 8);
    }

    #[test]
    fn a_state_dict_has_few_objects() {
        let tensor = |number: usize| WrittenTensor {
            name: format!("layer{number}.conv.weight"),
            shape: vec![8, 4, 3, 3],
            content: Content::F32(vec![0.0; 8 * 4 * 9]),
        };
        let tensors: Vec<WrittenTensor> = (0..100).map(tensor).collect();
        let (end, scan, rest) = scanned(&pickle::state_dict(&tensors), 10_000);
        assert_eq!((end, rest), (Some(End::Stop), 0));
        let objects = 10_000 - scan.left;
        assert!((1_000..4_000).contains(&objects), "{objects}");
    }

    #[test]
    fn a_pickle_has_as_many_objects_as_it_may() {
        let pickle = b"\x80\x02](}K\x01X\x02\0\0\0abe.";
        assert_eq!(scanned(pickle, 5).0, Some(End::Stop));
        assert_eq!(scanned(pickle, 4).0, None);
        for broken in [&b"]"[..], b"]X\xff\xff\xff\xffab.", b"\x8d\0\0", b"\xfe."] {
            assert_eq!(scanned(broken, 5).0, Some(End::Broken));
        }
    }

    #[test]
    fn the_one_class_of_a_pickle_is_known() {
        let class = |pickle: &[u8]| scanned(pickle, 9).1.class().map(str::to_owned);
        assert_eq!(
            class(b"ctorch\nFloatStorage\n."),
            Some("FloatStorage".into())
        );
        assert_eq!(class(b"ctorch\nA\nctorch\nB\n."), None);
        assert_eq!(class(b"N."), None);
    }
}
