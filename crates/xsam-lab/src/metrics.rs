//! What is measured in an epoch, and the file that holds it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::columns::{Column, OWN, Source, Step};
use crate::csv_file::{self, Csv};
use crate::error::Error;
use crate::memory::peak_mb;
use crate::score::{Part, Score, Scores};
use crate::tally::{Tally, Totals, Waiting};

/// The column that every row has.
const EPOCH: &str = "epoch";

/// One epoch of a run: a row of `metrics.csv`, and an object in JSON. What its columns are, [`columns`](crate::columns::columns) says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Option<f64>>")]
pub struct Metrics {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The values that it has, by the names of their columns.
    #[serde(flatten)]
    values: BTreeMap<String, f64>,
}

impl Metrics {
    /// An epoch of which nothing has been measured.
    pub fn new(epoch: usize) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// The value of a column, if the epoch has one.
    pub fn get(&self, column: &str) -> Option<f64> {
        self.values.get(column).copied()
    }

    /// Sets the value of a column; without one, the epoch has none.
    pub fn set(&mut self, column: &str, value: impl Into<Option<f64>>) {
        match value.into() {
            Some(value) => self.values.insert(column.to_owned(), value),
            None => self.values.remove(column),
        };
    }

    /// The rows of a run of these columns as CSV; what a method does not have, or an epoch, is left empty.
    pub fn csv(columns: &[Column], rows: &[Self]) -> String {
        let names = columns.iter().map(|column| &*column.name);
        let mut table = Csv::with_head([EPOCH].into_iter().chain(names));
        for row in rows {
            let fields = columns
                .iter()
                .map(|column| column.field(row.get(&column.name)));
            table.row([row.epoch.to_string()].into_iter().chain(fields));
        }
        table.text()
    }

    /// The rows of a file; none if it is not there.
    ///
    /// # Errors
    /// If the file cannot be read, or a line of it is not an epoch.
    pub fn read(path: &Path) -> Result<Vec<Self>, Error> {
        let mut rows = Vec::new();
        if !path.exists() {
            return Ok(rows);
        }
        csv_file::read(path, None, |columns, fields| {
            let wrong = |column: &str, field: &str| format!("its {column} is {field}");
            let cells = columns.iter().zip(fields.iter().copied());
            let mut cells = cells.filter(|(_, field)| !field.is_empty());
            let epoch = cells.next().filter(|(column, _)| *column == EPOCH);
            let (_, epoch) = epoch.ok_or("it does not begin with an epoch")?;
            let mut row = Self::new(epoch.parse().map_err(|_| wrong(EPOCH, epoch))?);
            for (column, field) in cells {
                let value: f64 = field.parse().map_err(|_| wrong(column, field))?;
                row.set(column, value);
            }
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// A warning of what is not finite in the last of the rows, unless it was not finite before, when it was last
    /// measured: that was told then.
    pub(crate) fn warning(columns: &[Column], rows: &[Self]) -> Option<String> {
        let (row, before) = rows.split_last()?;
        let odd = |value: &f64| !value.is_finite();
        let new = columns.iter().filter_map(|column| {
            let value = row.get(&column.name).filter(odd)?;
            let last = before.iter().rev().find_map(|row| row.get(&column.name));
            let told_before = last.is_some_and(|value| odd(&value));
            (!told_before).then(|| format!("{} is {value}", column.name))
        });
        let new: Vec<String> = new.collect();
        (!new.is_empty()).then(|| format!("after epoch {} {}", row.epoch, new.join(" and ")))
    }
}

impl TryFrom<BTreeMap<String, Option<f64>>> for Metrics {
    type Error = String;

    fn try_from(mut row: BTreeMap<String, Option<f64>>) -> Result<Self, String> {
        let epoch = row.remove(EPOCH).flatten().ok_or("it has no epoch")?;
        if epoch.fract() != 0.0 || epoch < 0.0 {
            return Err(format!("its epoch is {epoch}"));
        }
        let values = row
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        Ok(Self {
            epoch: epoch as usize,
            values: values.collect(),
        })
    }
}

/// Sums over the steps of an epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    #[serde(rename = "tally")]
    totals: Totals,
    /// What was counted in them and still is on the device.
    #[serde(skip)]
    waiting: Waiting,
    /// What steps measured, by the names of the columns: a sum, or the last value, and over how much it is.
    values: BTreeMap<String, (f64, usize)>,
}

impl Sums {
    pub(crate) fn add(&mut self, step: &Step<'_>, tally: &Tally) -> Result<(), Error> {
        self.totals.add(tally.known());
        self.waiting.add(&tally.waiting, &mut self.totals)?;
        for (column, source) in OWN.iter() {
            let Some(value) = source.of(step) else {
                continue;
            };
            let (sum, count) = self.values.entry(column.name.to_string()).or_default();
            (*sum, *count) = match source {
                Source::Last(_) => (value, 1),
                _ => (*sum + value, count.saturating_add(1)),
            };
        }
        Ok(())
    }

    /// Reads what still is on the device, which a checkpoint must have.
    pub(crate) fn read(&mut self) -> Result<(), Error> {
        self.waiting.read_into(&mut self.totals)
    }

    /// The row of an epoch of a task with these scores, and what they came to after it, if it was evaluated.
    pub(crate) fn metrics(
        mut self,
        epoch: usize,
        declared: &[Score],
        found: Option<&Scores>,
    ) -> Result<Metrics, Error> {
        self.read()?;
        let mut row = Metrics::new(epoch);
        for (column, source) in OWN.iter() {
            let value = self.values.get(&*column.name);
            let value = value.map(|&(sum, count)| match source {
                Source::Mean(_) => sum / count.max(1) as f64,
                _ => sum,
            });
            row.set(&column.name, value);
        }
        let trained = self.totals.measured(declared);
        for (part, measured) in [
            (Part::Train, (self.totals.items > 0).then_some(&trained)),
            (Part::Validation, found.map(|found| &found.validation)),
            (Part::Test, found.map(|found| &found.test)),
        ] {
            let Some(measured) = measured else {
                continue;
            };
            for score in declared {
                let value = measured.values.get(&*score.name);
                row.set(&score.column(part), value.copied());
            }
            row.set(&Score::loss().column(part), measured.loss);
        }
        row.set("peak_mb", peak_mb());
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use xsam::StepReport;

    use super::*;
    use crate::columns::columns;
    use crate::score::{Better, Measured};
    use crate::{files, json};

    #[test]
    fn what_is_not_finite_is_told_when_it_begins() {
        let columns = columns(&[]);
        let mut rows = Vec::new();
        let mut told = Vec::new();
        for (epoch, validation, test) in [
            (1, Some(0.5), Some(0.5)),
            (2, Some(f64::NAN), Some(0.5)),
            (3, None, None),
            (4, Some(f64::NAN), Some(f64::INFINITY)),
            (5, Some(0.5), Some(0.5)),
            (6, Some(f64::NAN), Some(f64::NEG_INFINITY)),
        ] {
            let mut row = Metrics::new(epoch);
            row.set("validation_loss", validation);
            row.set("test_loss", test);
            rows.push(row);
            told.extend(Metrics::warning(&columns, &rows));
        }
        assert_eq!(
            told,
            [
                "after epoch 2 validation_loss is NaN",
                "after epoch 4 test_loss is inf",
                "after epoch 6 validation_loss is NaN and test_loss is -inf",
            ]
        );
        assert!(Metrics::warning(&columns, &[]).is_none());
    }

    fn step(loss: f64, alpha: Option<f64>) -> StepReport {
        let mut report = StepReport::default();
        (report.loss, report.alpha, report.psi) = (loss, alpha, alpha);
        report.passes.gradients = 2;
        report
    }

    #[test]
    fn a_row_has_what_its_steps_and_its_evaluation_measured() {
        let bits = Score::new("bits", Better::Lower, "");
        let mut sums = Sums::default();
        for (report, items, hits) in [
            (step(1.0, Some(0.5)), 3, 6.0),
            (step(2.0, Some(1.5)), 1, 2.0),
            (step(2.0, None), 1, 2.0),
        ] {
            let step = Step {
                report: &report,
                lr: 0.1,
                seconds: 0.25,
                waited: 0.0,
            };
            let tally = Tally::new(items, report.loss * items as f64).with("bits", hits);
            sums.add(&step, &tally).unwrap();
        }
        // As a checkpoint keeps them.
        let sums: Sums = json::parse(&json::line(&sums).unwrap()).unwrap();
        let measured = |loss, value| Measured {
            loss,
            values: [("bits".to_owned(), value)].into(),
        };
        let found = Scores::new(measured(0.5, 1.5), measured(f64::NAN, 1.75));
        let row = sums.metrics(7, &[bits], Some(&found)).unwrap();
        for (column, value) in [
            ("lr", 0.1),
            ("train_loss", 7.0 / 5.0),
            ("train_bits", 2.0),
            ("validation_loss", 0.5),
            ("validation_bits", 1.5),
            ("test_bits", 1.75),
            ("alpha", 1.5),
            ("psi", 1.0),
            ("gradient_passes", 6.0),
            ("seconds", 0.75),
        ] {
            assert_eq!(row.get(column), Some(value), "{column}");
        }
        assert!(row.get("test_loss").unwrap().is_nan() && row.get("ascent_loss").is_none());
        // NaN equals nothing, but is written as it was.
        let back: Metrics = json::parse(&json::line(&row).unwrap()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{row:?}"));
        assert!(json::parse::<Metrics>("{\"lr\": 1}").is_err());
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let run = tempfile::tempdir().unwrap();
        let path = run.path().join("metrics.csv");
        assert!(Metrics::read(&path).unwrap().is_empty());

        let columns = columns(&[Score::percent("accuracy", "")]);
        let mut first = Metrics::new(1);
        first.set("train_loss", 0.1 + 0.2);
        first.set("alpha", 1.0);
        first.set("peak_mb", 812.5);
        let mut second = Metrics::new(2);
        second.set("test_accuracy", f64::NAN);
        let text = Metrics::csv(&columns, &[first.clone(), second.clone()]);
        files::write(&path, &text).unwrap();
        let back = Metrics::read(&path).unwrap();
        assert_eq!(format!("{back:?}"), format!("{:?}", [first, second]));

        for (line, reason) in [
            ("3,0.05\n", "line 4"),
            (&text.replace("epoch", "x")[..], "line 4"),
        ] {
            files::write(&path, &format!("{text}{line}")).unwrap();
            let error = Metrics::read(&path).unwrap_err().to_string();
            assert!(
                error.contains("metrics.csv") && error.contains(reason),
                "{error}"
            );
        }
    }
}
