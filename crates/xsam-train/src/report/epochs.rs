//! The epochs of a run as they are in `metrics.csv`: also those after the last checkpoint, and of a run that failed.

use std::path::Path;

use serde_json::{Map, Number, Value};

use crate::error::Error;
use crate::files;
use crate::metrics::Metrics;

const FILE: &str = "metrics.csv";

/// The epochs of the run in `run`; none if it has not got so far as to write them.
///
/// # Errors
/// If the file cannot be read, or a line of it is not an epoch.
pub(super) fn read(run: &Path) -> Result<Vec<Metrics>, Error> {
    let path = run.join(FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = files::read(&path)?;
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let rows = lines.enumerate().map(|(i, line)| {
        let metrics = serde_json::from_value(Value::Object(row(&columns, line)));
        metrics.map_err(|error| Error::damaged(&path, format!("line {}: {error}", i + 2)))
    });
    rows.collect()
}

/// The values of a line by their columns. What is empty or no finite number is null.
fn row(columns: &[&str], line: &str) -> Map<String, Value> {
    let value = |field: &str| match (field.parse::<u64>(), field.parse::<f64>()) {
        (Ok(whole), _) => Value::from(whole),
        (_, Ok(number)) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        _ => Value::Null,
    };
    let fields = columns.iter().zip(line.split(','));
    fields
        .map(|(column, field)| ((*column).to_owned(), value(field)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metrics::Sums;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let run = tempfile::tempdir().unwrap();
        assert!(read(run.path()).unwrap().is_empty());

        let mut first = Sums::default().metrics(1, None);
        first.train_loss = 0.1 + 0.2;
        first.alpha = Some(1.0);
        first.peak_mb = Some(812.5);
        let mut second = first.clone();
        second.epoch = 2;
        second.test_accuracy = Some(f64::NAN);
        second.peak_mb = None;
        let text = Metrics::csv(&[first.clone(), second.clone()]);
        let path = run.path().join(FILE);
        files::write(&path, &text).unwrap();
        second.test_accuracy = None;
        assert_eq!(read(run.path()).unwrap(), [first, second]);

        files::write(&path, &format!("{text}3,0.05\n")).unwrap();
        let error = read(run.path()).unwrap_err().to_string();
        assert!(
            error.contains("metrics.csv") && error.contains("line 4"),
            "{error}"
        );
    }
}
