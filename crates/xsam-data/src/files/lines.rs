//! Text files of one entry a line.

use std::collections::HashMap;

use super::Fault;

/// What is wrong with a line that may be two.
pub(crate) const CARRIAGE_RETURN: &str = "a carriage return inside of the line: make it a line \
     feed if a line ends there, and a blank if none does";

/// What stands at the start of a file of some programs, and is no text.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// A text without the byte order mark that it may begin with.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// The character that ends the lines of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// With a carriage return before it or without.
    Feed,
    /// Of a text without line feeds, as on the first Macs.
    Return,
}

impl LineEnd {
    /// How the lines of this text end, or the number of the first that has a carriage return inside of it: nobody knows
    /// whether a line was to end there.
    pub(crate) fn of(text: &[u8]) -> Result<Self, usize> {
        if !text.contains(&b'\n') && text.contains(&b'\r') {
            return Ok(Self::Return);
        }
        // At the very end it is a line end that was cut off.
        let inside = text
            .windows(2)
            .position(|pair| pair[0] == b'\r' && pair[1] != b'\n');
        match inside {
            None => Ok(Self::Feed),
            Some(place) => Err(1 + text[..place].iter().filter(|&&byte| byte == b'\n').count()),
        }
    }

    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Feed => b'\n',
            Self::Return => b'\r',
        }
    }
}

/// The lines with their numbers, without the empty ones at the end.
pub(crate) fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = (usize, &[u8])>, Fault> {
    let bytes = without_mark(bytes);
    let end = LineEnd::of(bytes).map_err(|line| Fault::line(line, CARRIAGE_RETURN))?;
    let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let last = bytes.iter().rposition(is_text).map(|last| last + 1);
    let text = last.map(|last| &bytes[..last]);
    let lines = text
        .into_iter()
        .flat_map(move |text| text.split(move |&byte| byte == end.byte()));
    Ok((1..).zip(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))))
}

/// A line as text.
pub(crate) fn text(line: usize, bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::line(line, "the line is not UTF-8"))
}

/// `count` different names, one a line.
pub(crate) fn names(bytes: &[u8], count: usize) -> Result<Vec<String>, Fault> {
    let mut seen = HashMap::new();
    let mut names = Vec::with_capacity(count);
    for (line, bytes) in lines(bytes)? {
        let name = text(line, bytes)?.trim();
        if name.is_empty() {
            return Err(Fault::line(line, "the line is empty"));
        }
        if names.len() == count {
            return Err(Fault::line(
                line,
                format!("there are more than {count} names"),
            ));
        }
        if let Some(before) = seen.insert(name, line) {
            let reason = format!("`{name}` is also on line {before}");
            return Err(Fault::line(line, reason));
        }
        names.push(name.to_owned());
    }
    if names.len() < count {
        let (line, found) = (names.len() + 1, names.len());
        let reason = format!("the file ends after {found} of {count} names");
        return Err(Fault::line(line, reason));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_one_a_line_whatever_ends_the_lines() {
        for text in [
            "cat\ndog",
            "cat\ndog\n",
            "cat\r\ndog\r\n\r\n",
            "cat \n dog\n\r\n",
            "cat\r\ndog\n",
            "cat\ndog\r",
            "cat\rdog",
            "cat\rdog\r\r",
            "\u{FEFF}cat\ndog",
        ] {
            assert_eq!(names(text.as_bytes(), 2).unwrap(), ["cat", "dog"]);
        }
        assert_eq!(names(b"", 0).unwrap(), [""; 0]);
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        for (bytes, message) in [
            (&b""[..], "line 1: the file ends after 0 of 2 names"),
            (b"\n\n", "line 1: the file ends after 0 of 2 names"),
            (b"cat\n", "line 2: the file ends after 1 of 2 names"),
            (b"cat\n\ndog", "line 2: the line is empty"),
            (b"cat\ndog\nemu\n", "line 3: there are more than 2 names"),
            (b"cat\ndog\n \n", "line 3: the line is empty"),
            (b"cat\ncat\n", "line 2: `cat` is also on line 1"),
            (b"cat\nd\xffg\n", "line 2: the line is not UTF-8"),
            (
                b"cat\nd\rg\n",
                "line 2: a carriage return inside of the line: make it a line feed if a line ends there, and a blank if \
                 none does",
            ),
        ] {
            assert_eq!(names(bytes, 2).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_carriage_return_ends_a_line_or_is_found_inside_of_one() {
        for text in ["", "a", "a\n", "a\r\nb", "a\r\nb\nc\r"] {
            assert_eq!(LineEnd::of(text.as_bytes()), Ok(LineEnd::Feed), "{text:?}");
        }
        for text in ["\r", "a\r", "a\rb", "a\r\rb\r"] {
            assert_eq!(
                LineEnd::of(text.as_bytes()),
                Ok(LineEnd::Return),
                "{text:?}"
            );
        }
        for (text, line) in [("a\rb\n", 1), ("a\n\r\r\n", 2), ("a\r\n\nb\rc\r\n", 3)] {
            assert_eq!(LineEnd::of(text.as_bytes()), Err(line), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn different_names_are_read_as_written(
            written in proptest::collection::hash_set("[a-z_]{1,8}", 0..20),
        ) {
            let written: Vec<String> = written.into_iter().collect();
            let read = names(written.join("\n").as_bytes(), written.len());
            prop_assert_eq!(read, Ok(written));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, count in 0_usize..5) {
            if let Ok(names) = names(&bytes, count) {
                prop_assert_eq!(names.len(), count);
            }
        }
    }
}
