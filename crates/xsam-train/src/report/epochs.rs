//! The epochs of a run as they are in `metrics.csv`: also those after the last checkpoint, and of a run that failed.

use std::path::Path;

use serde_json::{Map, Number, Value};

use crate::csv_file;
use crate::error::Error;
use crate::json;
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
    let mut rows = Vec::new();
    csv_file::read(&path, None, |columns, fields| {
        let row = json::of(Value::Object(row(columns, fields)));
        rows.push(row.map_err(|error| error.to_string())?);
        Ok(())
    })?;
    Ok(rows)
}

/// The values of a line by their columns. What is empty is null, and what is no finite number is the text that it is in
/// JSON.
fn row(columns: &[String], fields: &[&str]) -> Map<String, Value> {
    let value = |field: &str| match (field.parse::<u64>(), field.parse::<f64>()) {
        _ if field.is_empty() => Value::Null,
        (Ok(whole), _) => Value::from(whole),
        (_, Ok(number)) => Number::from_f64(number).map_or_else(|| field.into(), Value::Number),
        _ => field.into(),
    };
    let fields = columns.iter().zip(fields);
    fields
        .map(|(column, field)| (column.clone(), value(field)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::files;
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
        let back = read(run.path()).unwrap();
        // NaN equals nothing, but is written as it was.
        assert_eq!(format!("{back:?}"), format!("{:?}", [first, second]));

        files::write(&path, &format!("{text}3,0.05\n")).unwrap();
        let error = read(run.path()).unwrap_err().to_string();
        assert!(
            error.contains("metrics.csv") && error.contains("line 4"),
            "{error}"
        );
    }
}
