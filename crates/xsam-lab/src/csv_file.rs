//! Tables as CSV. A field may have commas, quotes and line breaks in it.

use std::path::Path;

use csv::{Position, ReaderBuilder, Writer, WriterBuilder};

use crate::error::Error;
use crate::files;

/// A table that is written.
pub(crate) struct Csv(Writer<Vec<u8>>);

impl Default for Csv {
    fn default() -> Self {
        Self(WriterBuilder::new().flexible(true).from_writer(Vec::new()))
    }
}

impl Csv {
    /// With the names of the columns.
    pub(crate) fn with_head<F: AsRef<str>>(columns: impl IntoIterator<Item = F>) -> Self {
        let mut table = Self::default();
        table.row(columns);
        table
    }

    pub(crate) fn row<F: AsRef<str>>(&mut self, fields: impl IntoIterator<Item = F>) {
        let fields: Vec<F> = fields.into_iter().collect();
        // Memory takes what is written, and rows may have any length.
        let _ = self
            .0
            .write_record(fields.iter().map(|field| field.as_ref()));
    }

    pub(crate) fn text(self) -> String {
        let text = self.0.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Hands the rows of a file to `row`, each with the names of the columns before it. If `head` is given, it is what these
/// names have to be.
///
/// # Errors
/// If the file cannot be read, its rows are not as long as its first line, or `row` says what is wrong with one.
pub fn read(
    path: &Path,
    head: Option<&[&str]>,
    mut row: impl FnMut(&[String], &[&str]) -> Result<(), String>,
) -> Result<(), Error> {
    let text = files::read(path)?;
    let damaged = |reason: String| Error::damaged(path, reason);
    let unread = |error: csv::Error| damaged(error.to_string());
    let mut records = ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let columns = records.headers().map_err(unread)?;
    let columns: Vec<String> = columns.iter().map(str::to_owned).collect();
    if let Some(head) = head.filter(|head| columns != *head) {
        return Err(damaged(format!("its first line is not {}", head.join(","))));
    }
    for record in records.records() {
        let record = record.map_err(unread)?;
        let line = record.position().map_or(0, Position::line);
        let fields: Vec<&str> = record.iter().collect();
        if fields.len() != columns.len() {
            let (found, wanted) = (fields.len(), columns.len());
            let reason = format!("line {line} has {found} fields, and not {wanted}");
            return Err(damaged(reason));
        }
        row(&columns, &fields).map_err(|reason| damaged(format!("line {line}: {reason}")))?;
    }
    Ok(())
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
            table.row([label, "NaN"]);
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
}
