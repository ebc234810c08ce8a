//! Text files of one entry a line.

use std::collections::HashMap;

use super::Fault;

/// The lines with their numbers, without the empty ones at the end.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let end = bytes.iter().rposition(is_text).map(|last| last + 1);
    let text = end.map(|end| &bytes[..end]);
    let lines = text
        .into_iter()
        .flat_map(|text| text.split(|&byte| byte == b'\n'));
    (1..).zip(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
}

/// A line as text.
pub(crate) fn text(line: usize, bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::line(line, "the line is not UTF-8"))
}

/// `count` different names, one a line.
pub(crate) fn names(bytes: &[u8], count: usize) -> Result<Vec<String>, Fault> {
    let mut seen = HashMap::new();
    let mut names = Vec::with_capacity(count);
    for (line, bytes) in lines(bytes) {
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
        ] {
            assert_eq!(names(bytes, 2).unwrap_err().to_string(), message);
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
