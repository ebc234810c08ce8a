//! Tables as CSV. A field may have commas, quotes and line breaks in it.

use std::path::Path;

use csv_core::{ReadRecordResult, Reader, Writer};

use crate::error::Error;
use crate::files;

/// A table that is written.
#[derive(Default)]
pub(crate) struct Csv {
    writer: Writer,
    text: Vec<u8>,
}

impl Csv {
    /// With the names of the columns.
    pub(crate) fn with_head<F: AsRef<str>>(columns: impl IntoIterator<Item = F>) -> Self {
        let mut table = Self::default();
        table.row(columns);
        table
    }

    /// Adds a row.
    pub(crate) fn row<F: AsRef<str>>(&mut self, fields: impl IntoIterator<Item = F>) {
        for (i, field) in fields.into_iter().enumerate() {
            let field = field.as_ref().as_bytes();
            if i > 0 {
                self.write(1, |writer, room| writer.delimiter(room).1);
            }
            // As much as it takes if each byte is a quote.
            self.write(2 * field.len(), |writer, room| writer.field(field, room).2);
        }
        self.write(0, |writer, room| writer.terminator(room).1);
    }

    /// Writes to room for so many bytes and a pair of quotes and the end of a line around them.
    fn write(&mut self, bytes: usize, write: impl FnOnce(&mut Writer, &mut [u8]) -> usize) {
        let before = self.text.len();
        self.text.resize(before + bytes + 4, 0);
        let written = write(&mut self.writer, &mut self.text[before..]);
        self.text.truncate(before + written);
    }

    /// Its text.
    pub(crate) fn text(self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// A number as a field: its shortest text, `NaN`, `inf` or `-inf`, or nothing where there is none.
pub(crate) fn number(value: impl Into<Option<f64>>) -> String {
    let value: Option<f64> = value.into();
    value.map_or_else(String::new, |value| value.to_string())
}

/// Hands the rows of a file to `row`, each with the names of the columns before it. If `head` is given, it is what these
/// names have to be.
///
/// # Errors
/// If the file cannot be read, its rows are not as long as its first line, or `row` says what is wrong with one.
pub(crate) fn read(
    path: &Path,
    head: Option<&[&str]>,
    mut row: impl FnMut(&[String], &[&str]) -> Result<(), String>,
) -> Result<(), Error> {
    let text = files::read(path)?;
    let mut columns: Option<Vec<String>> = None;
    records(&text, |line, fields| {
        let Some(columns) = &columns else {
            if head.is_some_and(|head| head != fields) {
                return Err(other_head(head.unwrap_or_default()));
            }
            columns = Some(fields.iter().map(|field| (*field).to_owned()).collect());
            return Ok(());
        };
        if fields.len() != columns.len() {
            let (found, wanted) = (fields.len(), columns.len());
            return Err(format!("line {line} has {found} fields, and not {wanted}"));
        }
        row(columns, fields).map_err(|reason| format!("line {line}: {reason}"))
    })
    .and_then(|()| match head {
        Some(head) if columns.is_none() => Err(other_head(head)),
        _ => Ok(()),
    })
    .map_err(|reason| Error::damaged(path, reason))
}

fn other_head(head: &[&str]) -> String {
    format!("its first line is not {}", head.join(","))
}

/// Hands over the fields of each record, with the line that it begins on.
fn records(
    text: &str,
    mut each: impl FnMut(u64, &[&str]) -> Result<(), String>,
) -> Result<(), String> {
    let mut reader = Reader::new();
    let mut input = text.as_bytes();
    let (mut output, mut ends) = (vec![0; 1024], vec![0; 32]);
    let (mut written, mut fields, mut line) = (0, 0, 1);
    loop {
        let (result, read, more, ended) =
            reader.read_record(input, &mut output[written..], &mut ends[fields..]);
        input = &input[read..];
        (written, fields) = (written + more, fields + ended);
        match result {
            // Asked once more, it tells that this was all.
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull => output.resize(2 * output.len(), 0),
            ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
            ReadRecordResult::Record => {
                let mut from = 0;
                let bounds = ends[..fields].iter().map(|&end| {
                    let bounds = from..end;
                    from = end;
                    bounds
                });
                let found = bounds.map(|bounds| std::str::from_utf8(&output[bounds]));
                let found: Result<Vec<&str>, _> = found.collect();
                each(
                    line,
                    &found.map_err(|error| format!("line {line}: {error}"))?,
                )?;
                (written, fields, line) = (0, 0, reader.line());
            }
            ReadRecordResult::End => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn fields_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        let long = "\"".repeat(3000);
        let labels = ["lr 0,1", "x\"y", "a\nb", "=1+1", "", " é ", &long];
        let mut table = Csv::with_head(["label", "loss"]);
        for label in labels {
            table.row([label, &number(f64::NAN)]);
        }
        let text = table.text();
        let begin = "label,loss\n\"lr 0,1\",NaN\n\"x\"\"y\",NaN\n";
        assert!(text.starts_with(begin), "{text}");
        files::write(&path, &text).unwrap();
        let mut back = Vec::new();
        read(&path, Some(&["label", "loss"]), |columns, fields| {
            assert_eq!(columns, ["label", "loss"]);
            assert_eq!(fields[1], "NaN");
            back.push(fields[0].to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(back, labels);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        for (text, reason) in [
            ("", "its first line is not a,b"),
            ("a,c\n1,2\n", "its first line is not a,b"),
            ("a,c\n", "its first line is not a,b"),
            ("a,b\n\"1\n2\",3\n4,5,6\n", "line 4 has 3 fields, and not 2"),
            ("a,b\n1,2\n3,x\n", "line 3: no x"),
        ] {
            files::write(&path, text).unwrap();
            let read = read(&path, Some(&["a", "b"]), |_, fields| {
                (fields[1] != "x").then_some(()).ok_or("no x".to_owned())
            });
            let error = read.unwrap_err().to_string();
            assert!(error.ends_with(reason), "{error}");
        }
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        for (value, text) in [
            (Some(1.0), "1"),
            (Some(0.1 + 0.2), "0.30000000000000004"),
            (Some(f64::NEG_INFINITY), "-inf"),
            (None, ""),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
