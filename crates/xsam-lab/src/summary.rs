//! The outcome of a run, as it is in its directory.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use crate::changed_data::differences;
use crate::checkpoint;
use crate::collapsed::collapsed;
use crate::error::Error;
use crate::files::{self, Terms};
use crate::fingerprint::Fingerprint;
use crate::format::{self, Format};
use crate::json;
use crate::layout;
use crate::metrics::Metrics;
use crate::score::{Part, Score, of_epochs};
use crate::spec::{About, FREE, Spec, TaskSpec};
use crate::statistics::{mean, median};
use crate::task::Task;

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

/// The outcome of a run, as in `run.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The format of the file.
    pub format: Format,
    /// How the run ended, or that it has not.
    pub status: Status,
    /// The error that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a person should know of it, in the order in which it came up, each sentence once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Name of the method.
    pub method: String,
    /// Seed of everything that the run draws.
    pub seed: u64,
    /// What the spec came to: all values that the run used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Table>,
    /// What is told of it.
    #[serde(default)]
    pub about: About,
    /// What its model is scored by. The columns of its epochs are those of [`columns`](crate::columns) for them.
    #[serde(default)]
    pub scores: Vec<Score>,
    /// What guessing comes to, by the names of scores and `loss`, as far as its task says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chance: BTreeMap<String, f64>,
    /// Why it counts as collapsed, once it is finished: it is no better than guessing, or has learned nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapsed: Option<String>,
    /// Learned values of the model.
    pub parameters: usize,
    /// What its task says of its data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Value>,
    /// The kernels of the process that went on with it last, with their instruction set: `fast (avx512)`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kernels: String,
    /// How many ranks went on with it last, if it is shared out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<usize>,
    /// The data that it learned from last. That they changed meanwhile is among the warnings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Fingerprint>,
    /// Number of epochs that are done.
    pub epochs: usize,
    /// Metrics of the last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Metrics>,
    /// The epoch of the best score on the validation data, the first of several, of those that were evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<Metrics>,
    /// Mean of that score on the test data over the last 5 epochs, of those that were evaluated, or over all if there are
    /// fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_of_last_5: Option<f64>,
    /// Time for all steps, in seconds.
    #[serde(default)]
    pub seconds: f64,
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
        let is_finished = self.status == Status::Finished;
        let was_trained = self.about.train.init.is_some();
        self.collapsed =
            collapsed(rows, &self.scores, &self.chance, was_trained).filter(|_| is_finished);
        self.last = rows.last().cloned();
        self.best = best(rows, &self.scores).cloned();
        let values = |column: &'static str| rows.iter().filter_map(move |row| row.get(column));
        let test = of_epochs(&self.scores).column(Part::Test);
        let last_5 = rows.iter().rev().take(5);
        self.mean_of_last_5 = mean(last_5.filter_map(|row| row.get(&test)));
        self.seconds = values("seconds").sum();
        self.seconds_per_epoch = median(values("seconds"));
        let share = values("waited").sum::<f64>() / self.seconds;
        self.waiting_share = share.is_finite().then_some(share);
        self.peak_mb = values("peak_mb").reduce(f64::max);
        self.gradient_passes = values("gradient_passes").sum::<f64>().round() as usize;
        self.search_passes = values("search_passes").sum::<f64>() as usize;
        self
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(layout::RUN);
        let text = json::pretty(self).map_err(|e| Error::damaged(&path, e))?;
        match self.status {
            Status::Running => files::write_again(&path, &text),
            _ => files::write(&path, &text),
        }
    }

    /// Reads the summary, `run.json`, of a run's directory.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        format::read(&directory.join(layout::RUN))
    }
}

/// The row of the best score on the validation data, the first of equals, of a task with these scores.
pub(crate) fn best<'a>(rows: &'a [Metrics], scores: &[Score]) -> Option<&'a Metrics> {
    let score = of_epochs(scores);
    let column = score.column(Part::Validation);
    let value = |row: &Metrics| row.get(&column).filter(|value| !value.is_nan());
    let evaluated = rows.iter().filter_map(|row| Some((row, value(row)?)));
    let best = evaluated.min_by(|(_, a), (_, b)| score.better.order(*a, *b));
    best.map(|(row, _)| row)
}

/// What a run directory says of its run.
pub(crate) struct Recorded {
    pub(crate) summary: RunSummary,
    /// In what its data differ from those that are there now, if they do.
    pub(crate) differences: Option<String>,
}

impl Recorded {
    /// The finished run of a resolved `spec` in `directory`, if there is one. Whether it is finished or not, other data than `data`
    /// are refused unless that is on these `terms`.
    pub(crate) fn finished<T: Task>(
        directory: &Path,
        spec: &Spec<T::Spec>,
        data: Option<&Fingerprint>,
        terms: Terms,
    ) -> Result<Option<Self>, Error> {
        // A run that was killed at its very start has the one and not yet the other.
        if !directory.join(layout::RUN).exists() || !directory.join(layout::SPEC).exists() {
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
        let both = (position.data.as_ref(), data);
        let differences = differences::<T>(directory, both, terms.changed_data)?;
        Ok(is_finished.then_some(Self {
            summary,
            differences,
        }))
    }
}

/// Checks that a run directory is of the resolved spec that is to be run.
fn same_spec<S: TaskSpec>(directory: &Path, spec: &Spec<S>) -> Result<(), Error> {
    let was = read_spec(directory)?;
    same_but_for(directory, was, spec, |key| S::PLACES.contains(&key))
}

/// Checks that a run can go on with this resolved spec: its own comes to the same but for the fields that leave the steps
/// as they are, and has no more epochs. What depends on their number is that of the longer run.
pub(crate) fn goes_on<S: TaskSpec>(directory: &Path, spec: &Spec<S>) -> Result<(), Error> {
    let mut was = read_spec(directory)?;
    was.train.epochs = was.train.epochs.max(spec.train.epochs);
    let free = |key: &str| [&FREE[..], S::PLACES, S::FREE].concat().contains(&key);
    same_but_for(directory, was, spec, free)
}

/// The spec that a run directory is of.
pub(crate) fn read_spec<S: TaskSpec>(directory: &Path) -> Result<Spec<S>, Error> {
    // A spec of another release may be written otherwise: that it is damaged would be wrong.
    format::check_release(directory)?;
    let path = directory.join(layout::SPEC);
    let (spec, _) = Spec::parse(&files::read(&path)?, &[]).map_err(|e| Error::damaged(&path, e))?;
    Ok(spec)
}

/// Refuses `spec` if what the one in a run directory comes to differs from it, but for the fields that are `free`.
fn same_but_for<S: TaskSpec>(
    directory: &Path,
    was: Spec<S>,
    spec: &Spec<S>,
    free: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let damaged = |error| Error::damaged(&directory.join(layout::SPEC), error);
    let was = was.resolved().map_err(damaged)?;
    let mut differences = was.differences(spec)?.into_iter();
    Error::unless_same_spec(directory, differences.find(|[key, ..]| !free(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Better;

    #[test]
    fn epochs_are_chosen_by_the_score_in_its_direction() {
        let perplexity = Score::new("perplexity", Better::Lower, "");
        let accuracy = Score::percent("accuracy", "");
        let row = |(epoch, value): (usize, Option<f64>)| {
            let mut row = Metrics::new(epoch);
            for part in ["validation", "test"] {
                for score in ["perplexity", "accuracy", "loss"] {
                    row.set(&format!("{part}_{score}"), value);
                }
            }
            row
        };
        let values = [
            Some(f64::NAN),
            Some(7.0),
            None,
            Some(3.0),
            Some(9.0),
            Some(3.0),
            Some(9.0),
        ];
        let rows: Vec<Metrics> = (1..).zip(values).map(row).collect();
        for (scores, epoch) in [
            (vec![perplexity.clone(), accuracy.clone()], 4),
            (vec![accuracy, perplexity.clone()], 5),
            (vec![perplexity.costly()], 4),
            (Vec::new(), 4),
        ] {
            let summary = RunSummary {
                scores,
                ..RunSummary::default()
            };
            let summary = summary.with_rows(&rows);
            assert_eq!(summary.best.map(|row| row.epoch), Some(epoch));
            // Of the last 5, those that were evaluated.
            assert_eq!(summary.mean_of_last_5, Some(6.0));
        }
        assert!(best(&rows[..1], &[]).is_none());
    }
}
