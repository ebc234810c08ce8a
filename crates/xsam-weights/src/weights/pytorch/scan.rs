//! A pickle, of which nothing is made: its objects are counted.

use std::io::{self, BufRead, Read};

/// How a pickle ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
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

    /// Counts the objects of the pickle that begins here, and ends up behind it. Only that there are more of them than
    /// there may be is an error.
    pub(super) fn pickle(&mut self, from: &mut impl BufRead) -> io::Result<End> {
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
            self.left = self.left.checked_sub(objects).ok_or_else(|| {
                io::Error::other("it describes far more objects than the file has room for")
            })?;
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
        // None, true, false, empty containers, a mark, the top once more, what was kept or built, and containers of what
        // is there: a tuple of one takes memory and leaves the stack as high as it was.
        b'N' | 0x88 | 0x89 | b')' | b']' | b'}' | 0x8f | b'(' | b'2' | 0x85 | 0x86 | 0x87
        | 0x94 | b'o' | 0x97 => (Fixed(0), 1),
        // Numbers, what was kept by a number, and classes.
        b'K' | b'h' | b'q' | 0x82 => (Fixed(1), 1),
        b'M' | 0x83 => (Fixed(2), 1),
        b'J' | b'j' | b'r' | 0x84 => (Fixed(4), 1),
        b'G' => (Fixed(8), 1),
        // Numbers, texts and names in lines, and classes and instances in two.
        b'I' | b'L' | b'F' | b'V' | b'S' | b'g' | b'p' | b'P' => (Lines(1), 1),
        b'c' | b'i' => (Lines(2), 1),
        // Long numbers, texts and bytes.
        0x8a | b'U' | b'C' | 0x8c => (Counted(1), 1),
        0x8b | b'T' | b'X' | b'B' => (Counted(4), 1),
        0x8d | 0x8e | 0x96 => (Counted(8), 1),
        // Less, or as much as before.
        b'0'
        | b'1'
        | b'R'
        | b'b'
        | b'd'
        | b'l'
        | b't'
        | b's'
        | b'a'
        | b'e'
        | b'u'
        | b'Q'
        | 0x81
        | 0x90..=0x93
        | 0x98 => (Fixed(0), 0),
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
    use crate::weights::written::WrittenTensor;
    use burn::tensor::DType;

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
            dtype: DType::F32,
            bytes: vec![0; 8 * 4 * 9 * 4],
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
