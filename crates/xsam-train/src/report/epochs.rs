//! The epochs of a run as they are in `metrics.csv`: also those after the last checkpoint, and of a run that failed.

use std::path::Path;

use serde_json::{Map, Number, Value};

use crate::error::Error;
use crate::files;
use crate::metrics::Metrics;

const FILE: &str = "metrics.csv";
/// Column of the peak memory so far, in megabytes, which not every run has.
const PEAK: &str = "peak_mb";

/// The epochs of a run.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    pub(super) rows: Vec<Metrics>,
    /// Peak memory in megabytes, of the last epoch that has it.
    pub(super) peak_mb: Option<f64>,
}

impl Epochs {
    /// Those of the run in `run`; none if it has not got so far as to write them.
    ///
    /// # Errors
    /// If the file cannot be read, or a line of it is not an epoch.
    pub(super) fn read(run: &Path) -> Result<Self, Error> {
        let path = run.join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = files::read(&path)?;
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let mut epochs = Self::default();
        for (i, line) in lines.enumerate() {
            let row = row(&columns, line);
            if let Some(peak) = row.get(PEAK).and_then(Value::as_f64) {
                epochs.peak_mb = Some(peak);
            }
            let metrics = serde_json::from_value(Value::Object(row));
            let metrics = metrics
                .map_err(|error| Error::damaged(&path, format!("line {}: {error}", i + 2)))?;
            epochs.rows.push(metrics);
        }
        Ok(epochs)
    }
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
    use crate::metrics::{Sums, Times};

    #[test]
    fn rows_are_read_as_they_were_written() {
        let run = tempfile::tempdir().unwrap();
        assert!(Epochs::read(run.path()).unwrap().rows.is_empty());

        let times = Times {
            steps: 1.25,
            waited: 0.5,
        };
        let mut first = Sums::default().metrics(1, 0.05, None, times);
        first.train_loss = 0.1 + 0.2;
        first.alpha = Some(1.0);
        let mut second = first.clone();
        second.epoch = 2;
        second.test_accuracy = Some(f64::NAN);
        let text = Metrics::csv(&[first.clone(), second.clone()]);
        let path = run.path().join(FILE);
        files::write(&path, &text).unwrap();
        second.test_accuracy = None;
        let read = Epochs::read(run.path()).unwrap();
        assert_eq!(read.rows, [first, second]);
        assert_eq!(read.peak_mb, None);

        let more: Vec<String> = text
            .lines()
            .zip([PEAK, "812.5", "813.5"])
            .map(|(line, field)| format!("{line},{field}\n"))
            .collect();
        files::write(&path, &more.concat()).unwrap();
        assert_eq!(Epochs::read(run.path()).unwrap().peak_mb, Some(813.5));

        files::write(&path, &format!("{text}3,0.05\n")).unwrap();
        let error = Epochs::read(run.path()).unwrap_err().to_string();
        assert!(
            error.contains("metrics.csv") && error.contains("line 4"),
            "{error}"
        );
    }
}
