//! The outcome of a comparison: a row for each method.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::budget::passes;
use super::jobs::choice;
use super::{Comparison, TuningMeasure, TuningSummary, of_method};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::spec::{CompareEntry, MethodSpec, Spec};
use crate::statistics::{PairedTest, Spread, mean, median, paired, paired_t_test};
use crate::summary::{Recorded, RunSummary, Status};

/// The outcome of a comparison, as in `compare.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparisonSummary {
    /// Finished if all runs are, failed if one of them is; a candidate that diverges is not chosen, no more.
    pub status: Status,
    /// The runs that failed, and why.
    pub failures: Vec<String>,
    /// What a person should know of the comparison itself, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Whether methods with fewer passes an epoch have more epochs, so that all have as many passes.
    #[serde(default)]
    pub equal_compute: bool,
    /// How hyper-parameters were chosen, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuningSummary>,
    /// The methods, in the order of the table.
    pub methods: Vec<MethodSummary>,
    /// Files that were written, relative to the directory.
    pub files: Vec<String>,
}

/// A row of the table: a method over all seeds. Accuracies are on the test data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MethodSummary {
    /// Its label.
    pub label: String,
    /// The method, with the values that were chosen for it; its name alone before they are.
    pub method: MethodSpec,
    /// Epochs of a run; none before its hyper-parameters are chosen.
    #[serde(default)]
    pub epochs: Option<usize>,
    /// Directories of its runs, within that of the comparison; none before its hyper-parameters are chosen.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
    /// Finished runs.
    pub runs: usize,
    /// Warnings of these runs, of those that have any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RunWarnings>,
    /// Whether its results after the last epoch, BLEU of translations and accuracy otherwise, differ from the
    /// first method's from the same seeds.
    #[serde(default)]
    pub test_against_first: Option<PairedTest>,
    /// Accuracy after the last epoch.
    pub last: Option<Spread>,
    /// Accuracy after the epoch of the highest validation accuracy.
    pub best: Option<Spread>,
    /// Mean accuracy of the last 5 epochs.
    pub mean_of_last_5: Option<Spread>,
    /// Validation accuracy after the last epoch: what hyper-parameters are tuned by.
    pub validation: Option<Spread>,
    /// BLEU of the validation data after the last epoch, for translations.
    pub validation_bleu: Option<Spread>,
    /// BLEU of the test data after the last epoch.
    pub test_bleu: Option<Spread>,
    /// Training loss of the last epoch.
    pub train_loss: Option<Spread>,
    /// Training accuracy of the last epoch, measured while the weights were trained.
    pub train_accuracy: Option<Spread>,
    /// Alpha of the last epoch.
    pub alpha: Option<Spread>,
    /// Median time for the steps of an epoch.
    pub seconds_per_epoch: Option<f64>,
    /// That time in relation to the first method's.
    pub time_ratio: Option<f64>,
    /// Time for the steps of a run, in seconds: mean over the seeds.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Forward-backward passes of a run.
    pub gradient_passes: Option<f64>,
    /// Forward passes of its searches.
    #[serde(default)]
    pub search_passes: Option<f64>,
    /// What a run costs in forward-backward passes: a forward pass of a search counts as a third of one.
    #[serde(default)]
    pub passes: Option<f64>,
}

/// What a person should know of a run of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunWarnings {
    /// Its seed.
    pub seed: u64,
    /// The sentences, in the order in which they came up.
    pub warnings: Vec<String>,
}

impl RunWarnings {
    fn of(run: &Recorded) -> Option<Self> {
        let RunSummary { seed, warnings, .. } = &run.summary;
        (!warnings.is_empty()).then(|| Self {
            seed: *seed,
            warnings: warnings.clone(),
        })
    }
}

impl Comparison {
    pub(super) fn summary(
        &self,
        status: Status,
        tuning: Option<TuningSummary>,
        done: &[(usize, Recorded)],
    ) -> Result<ComparisonSummary, Error> {
        let mut methods = Vec::new();
        for (m, entry) in self.entries.iter().enumerate() {
            let (mut spec, mut folders) = (None, Vec::new());
            if let Some(c) = choice(tuning.as_ref(), entry) {
                let asked = self.spec(&entry.candidates[c], self.seeds[0])?;
                spec = Some(asked.resolved()?);
                for &seed in &self.seeds {
                    let directory = self.job(m, c, seed)?.directory;
                    let within = directory.strip_prefix(&self.directory);
                    folders.push(within.unwrap_or(&directory).to_owned());
                }
            }
            let (runs, first) = (of_method(done, m), of_method(done, 0));
            let mut method = MethodSummary::new(entry, spec, &runs);
            method.folders = folders;
            if m > 0 {
                method.test_against_first = against(&first, &runs, self.measure);
            }
            methods.push(method);
        }
        let first = methods.first().and_then(|method| method.seconds_per_epoch);
        for method in &mut methods {
            let seconds = method.seconds_per_epoch;
            method.time_ratio = seconds.zip(first).map(|(seconds, first)| seconds / first);
        }
        Ok(ComparisonSummary {
            status,
            seeds: self.seeds.clone(),
            equal_compute: self.budget.is_some(),
            tuning,
            methods,
            failures: Vec::new(),
            warnings: Vec::new(),
            files: Vec::new(),
        })
    }
}

impl MethodSummary {
    /// Of the runs that have finished of a method, whose first comes to this spec once it is chosen.
    fn new(entry: &CompareEntry, spec: Option<Spec>, runs: &[&Recorded]) -> Self {
        let spread = |value: &dyn Fn(&RunSummary) -> Option<f64>| {
            Spread::of(runs.iter().filter_map(|run| value(&run.summary)))
        };
        let last = |value: fn(&Metrics) -> Option<f64>| {
            spread(&|summary| summary.last.as_ref().and_then(value))
        };
        let seconds = runs.iter().filter_map(|run| run.summary.seconds_per_epoch);
        let of_run = |value: fn(&RunSummary) -> f64| mean(runs.iter().map(|r| value(&r.summary)));
        let gradient_passes = of_run(|run| run.gradient_passes as f64);
        let search_passes = of_run(|run| run.search_passes as f64);
        let time = |run: &&Recorded| run.rows.iter().map(|row| row.seconds).sum();
        let name = entry.candidates[0].method().name;
        Self {
            label: entry.label.clone(),
            epochs: spec.as_ref().map(|spec| spec.train.epochs),
            method: spec.map_or_else(|| MethodSpec::new(name), |spec| spec.method),
            folders: Vec::new(),
            runs: runs.len(),
            warnings: runs.iter().filter_map(|run| RunWarnings::of(run)).collect(),
            test_against_first: None,
            last: last(|row| row.test_accuracy),
            best: spread(&|summary| summary.best.as_ref().and_then(|row| row.test_accuracy)),
            mean_of_last_5: spread(&|summary| summary.mean_of_last_5),
            validation: last(|row| row.validation_accuracy),
            validation_bleu: last(|row| row.validation_bleu),
            test_bleu: last(|row| row.test_bleu),
            train_loss: last(|row| Some(row.train_loss)),
            train_accuracy: last(|row| Some(row.train_accuracy)),
            alpha: last(|row| row.alpha),
            seconds_per_epoch: median(seconds),
            time_ratio: None,
            seconds: mean(runs.iter().map(time)),
            gradient_passes,
            search_passes,
            passes: gradient_passes
                .zip(search_passes)
                .map(|(gradients, searches)| passes(gradients, searches)),
        }
    }
}

/// The test of a method against the first one, over the seeds that both have a run from.
fn against(first: &[&Recorded], runs: &[&Recorded], measure: TuningMeasure) -> Option<PairedTest> {
    let value = |run: &&Recorded| {
        let last = run.summary.last.as_ref()?;
        let value = match measure {
            TuningMeasure::ValidationAccuracy => last.test_accuracy,
            TuningMeasure::ValidationBleu => last.test_bleu,
        };
        Some((run.summary.seed, value?))
    };
    let (first, runs) = (
        first.iter().filter_map(value),
        runs.iter().filter_map(value),
    );
    let (first, second) = paired(first, runs);
    paired_t_test(&first, &second)
}
