//! The outcome of a run, as it is in its directory.

use std::path::Path;

use serde::{Deserialize, Serialize};
use xsam_data::Fingerprint;

use crate::changed_data::differences;
use crate::checkpoint;
use crate::error::Error;
use crate::files::{self, Terms};
use crate::json;
use crate::metrics::Metrics;
use crate::spec::Spec;
use crate::statistics::{mean, median};

/// File that every run directory has.
pub(crate) const MARKER: &str = "run.json";

/// The spec of a run, as it was asked for. What it came to is in `run.json`.
pub(crate) const SPEC_FILE: &str = "spec.toml";

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is not over, or the program was killed.
    #[default]
    Running,
    /// All epochs are done.
    Finished,
    /// It was asked to stop.
    Interrupted,
    /// An error ended it.
    Failed,
}

/// What becomes of the training pairs of a translation. Those that are in none of the three counts `subset` leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingPairs {
    /// Lines of each training file.
    pub lines: usize,
    /// Left out because a side is empty.
    pub empty: usize,
    /// Left out because a side has more than `translation.max_length` subwords.
    pub too_long: usize,
    /// Learned from.
    pub used: usize,
}

/// The outcome of a run, as in `run.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// How it ended.
    pub status: Status,
    /// The error that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a person should know of it, in the order in which it came up, each sentence once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Name of the method.
    pub method: String,
    /// The seed.
    pub seed: u64,
    /// What the spec came to: all values that the run used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Spec>,
    /// Learned values of the model.
    pub parameters: usize,
    /// Training labels that noise has changed.
    pub changed_labels: usize,
    /// The kernels of the process that went on with it last, with their instruction set: `fast (avx512)`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kernels: String,
    /// Of a translation, what becomes of the training pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<TrainingPairs>,
    /// The data that it learned from last. That they changed meanwhile is among the warnings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Fingerprint>,
    /// Epochs done.
    pub epochs: usize,
    /// The last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Metrics>,
    /// The epoch of the highest validation accuracy, the first of several, of those that were evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<Metrics>,
    /// Mean test accuracy of the last 5 epochs, of those that were evaluated, or of all if there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_of_last_5: Option<f64>,
    /// Median time for the steps of an epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_per_epoch: Option<f64>,
    /// Share of the time of the steps for which they waited for their data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_share: Option<f64>,
    /// The most memory that the process had, in 10^6 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mb: Option<f64>,
    /// Time for checkpoints, logs and whoever listens, as a share of that of the steps, since the program was last
    /// started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bookkeeping_share: Option<f64>,
    /// How often the run diverged and went back to a checkpoint.
    #[serde(default)]
    pub restored: usize,
    /// Forward-backward passes in all.
    pub gradient_passes: usize,
    /// Forward passes of searches in all.
    pub search_passes: usize,
}

impl RunSummary {
    /// Fills in what follows from the epochs.
    pub(crate) fn with_rows(mut self, rows: &[Metrics]) -> Self {
        self.epochs = rows.len();
        self.last = rows.last().cloned();
        self.best = best(rows).cloned();
        let last_5 = rows.iter().rev().take(5);
        self.mean_of_last_5 = mean(last_5.filter_map(|row| row.test_accuracy));
        self.seconds_per_epoch = median(rows.iter().map(|row| row.seconds));
        let sum = |value: fn(&Metrics) -> f64| rows.iter().map(value).sum::<f64>();
        let share = sum(|row| row.waited) / sum(|row| row.seconds);
        self.waiting_share = share.is_finite().then_some(share);
        let peaks = rows.iter().filter_map(|row| row.peak_mb);
        self.peak_mb = peaks.reduce(f64::max);
        self.gradient_passes = rows.iter().map(|row| row.gradient_passes).sum();
        self.search_passes = rows.iter().map(|row| row.search_passes).sum();
        self
    }

    /// Writes `run.json`.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(MARKER);
        let text = json::pretty(self).map_err(|e| Error::damaged(&path, e))?;
        match self.status {
            Status::Running => files::write_again(&path, &text),
            _ => files::write(&path, &text),
        }
    }

    /// Reads `run.json`.
    pub(crate) fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(MARKER);
        json::parse(&files::read(&path)?).map_err(|e| Error::damaged(&path, e))
    }
}

/// The row of the highest validation accuracy.
pub(crate) fn best(rows: &[Metrics]) -> Option<&Metrics> {
    let evaluated = rows
        .iter()
        .rev()
        .filter_map(|row| Some((row, row.validation_accuracy?)));
    // Of equals `max_by` gives the last one, which reversed is the first.
    let best = evaluated.max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map(|(row, _)| row)
}

/// What a run directory says of its run.
pub(crate) struct Recorded {
    pub(crate) summary: RunSummary,
    pub(crate) rows: Vec<Metrics>,
    /// In what its data differ from those that are there now, if they do.
    pub(crate) differences: Option<String>,
}

impl Recorded {
    /// The finished run of `spec` in `directory`, if there is one. Whether it is finished or not, other data than `data`
    /// are refused unless that is on these `terms`.
    pub(crate) fn finished(
        directory: &Path,
        spec: &Spec,
        data: &Fingerprint,
        terms: Terms,
    ) -> Result<Option<Self>, Error> {
        // A run that was killed at its very start has the one and not yet the other.
        if !directory.join(MARKER).exists() || !directory.join(SPEC_FILE).exists() {
            return Ok(None);
        }
        let summary = RunSummary::read(directory)?;
        same_spec(directory, spec)?;
        let is_finished = summary.status == Status::Finished;
        let position = match checkpoint::latest_position(directory) {
            Ok(position) => position.unwrap_or_default(),
            Err(error) if is_finished => return Err(error),
            // Whoever goes on with the run tells what is wrong with it, and may recover.
            Err(_) => return Ok(None),
        };
        let was = position.data.as_ref();
        let differs = |was| differences(directory, was, data, terms.changed_data);
        let differences = was.map(differs).transpose()?.flatten();
        Ok(is_finished.then_some(Self {
            summary,
            rows: position.rows,
            differences,
        }))
    }
}

/// Checks that a run directory is of the spec that is to be run.
fn same_spec(directory: &Path, spec: &Spec) -> Result<(), Error> {
    let other = other_fields(directory, read_spec(directory)?, spec)?;
    let other = other.into_iter().find(|[key, ..]| key != DATA_DIR);
    refuse(directory, other)
}

/// Checks that a run can go on with this spec: it comes to the same but for the fields that leave the steps as they are,
/// and has at least as many epochs. What depends on their number is that of the longer run.
pub(crate) fn goes_on(directory: &Path, spec: &Spec) -> Result<(), Error> {
    let mut was = read_spec(directory)?;
    was.train.epochs = was.train.epochs.max(spec.train.epochs);
    let other = other_fields(directory, was, spec)?;
    let other = other
        .into_iter()
        .find(|[key, ..]| !CHANGEABLE.contains(&key.as_str()));
    refuse(directory, other)
}

/// Where the data are may change: what they are is looked at when they are loaded.
const DATA_DIR: &str = "data.dir";

/// What of a spec may change when a run goes on.
const CHANGEABLE: [&str; 7] = [
    DATA_DIR,
    "train.checkpoint_every",
    "train.checkpoint_steps",
    "train.keep_checkpoints",
    "train.log_every",
    "train.on_divergence",
    "train.workers",
];

/// The spec that a run directory is of.
fn read_spec(directory: &Path) -> Result<Spec, Error> {
    let path = directory.join(SPEC_FILE);
    let (spec, _) = Spec::parse(&files::read(&path)?, &[]).map_err(|e| Error::damaged(&path, e))?;
    Ok(spec)
}

/// The fields in which what `spec` comes to is not what the one in a run directory comes to, with both values.
fn other_fields(directory: &Path, was: Spec, spec: &Spec) -> Result<Vec<[String; 3]>, Error> {
    let damaged = |error| Error::damaged(&directory.join(SPEC_FILE), error);
    let was = was.resolved().map_err(damaged)?;
    Ok(was.differences(&spec.clone().resolved()?)?)
}

fn refuse(directory: &Path, difference: Option<[String; 3]>) -> Result<(), Error> {
    match difference {
        None => Ok(()),
        Some([key, was, is]) => Err(Error::OtherSpec {
            path: directory.to_owned(),
            key,
            was,
            is,
        }),
    }
}
