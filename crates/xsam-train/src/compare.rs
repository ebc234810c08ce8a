//! A comparison: several methods, several seeds, one table.

use std::path::{Path, PathBuf};

use serde::Serialize;
use xsam_data::Dataset;

use crate::error::Error;
use crate::event::{Listener, StopSignal};
use crate::files::{self, Existing};
use crate::metrics::Metrics;
use crate::plot::{self, Line, Lines, Point, Words};
use crate::run::Run;
use crate::spec::{Compare, CompareEntry, MethodSpec, Spec};
use crate::statistics::{Spread, mean, median};
use crate::summary::{Recorded, RunSummary, SPEC_FILE, Status};

/// File that every directory of a comparison has.
pub(crate) const MARKER: &str = "compare.json";

/// The outcome of a comparison, as in `compare.json`.
#[derive(Clone, Debug, Serialize)]
pub struct ComparisonSummary {
    /// Finished if all runs are, failed if one of them is.
    pub status: Status,
    /// The runs that failed, and why.
    pub failures: Vec<String>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The methods, in the order of the table.
    pub methods: Vec<MethodSummary>,
    /// Files that were written, relative to the directory.
    pub files: Vec<String>,
}

/// A row of the table: a method over all seeds. Accuracies are on the test data.
#[derive(Clone, Debug, Serialize)]
pub struct MethodSummary {
    /// Its label.
    pub label: String,
    /// The method.
    pub method: MethodSpec,
    /// Finished runs.
    pub runs: usize,
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
    /// Forward-backward passes of a run.
    pub gradient_passes: Option<f64>,
}

/// The runs of a comparison and their directory.
#[derive(Debug)]
pub struct Comparison {
    entries: Vec<CompareEntry>,
    seeds: Vec<u64>,
    directory: PathBuf,
    existing: Existing,
    data: Dataset,
}

impl Comparison {
    /// Prepares the runs of `compare` on the experiment `spec`, in subdirectories of `directory`.
    ///
    /// # Errors
    /// If a spec cannot be, the data cannot be loaded, or the directory exists and `existing` does
    /// not say what to do with it.
    pub fn prepare(
        spec: &Spec,
        compare: &Compare,
        directory: &Path,
        existing: Existing,
    ) -> Result<Self, Error> {
        let entries = compare.entries(spec)?;
        let text = compare.to_toml(spec)?;
        let data = spec.data.load()?;
        for spec in entries.iter().flat_map(|entry| &entry.specs) {
            match &data {
                Dataset::Images(splits) => spec.check_data(splits.sizes())?,
                Dataset::Text(text) => spec.data.check_subset(text.train.len())?,
            }
        }
        files::prepare(directory, existing, MARKER)?;
        let comparison = Self {
            entries,
            seeds: compare.seeds.clone(),
            directory: directory.to_owned(),
            existing,
            data,
        };
        comparison.write_json(&comparison.summary(Status::Running, &[]))?;
        files::write(&directory.join(SPEC_FILE), &text)?;
        Ok(comparison)
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        self.entries.len() * self.seeds.len()
    }

    /// Makes the runs, seed by seed, and writes table and plots. Finished runs are not repeated.
    ///
    /// If `stop` asks for an end, the table is of what is finished. A run that diverges is told in
    /// the summary, and the others go on.
    ///
    /// # Errors
    /// If data or model cannot be made, or a file cannot be written.
    pub fn run(
        &self,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<ComparisonSummary, Error> {
        let mut done: Vec<(usize, Recorded)> = Vec::new();
        let mut status = Status::Finished;
        let mut failures = Vec::new();
        'runs: for (i, seed) in self.seeds.iter().enumerate() {
            for (m, entry) in self.entries.iter().enumerate() {
                let directory = self.directory.join(run_folder(&entry.label, *seed));
                let spec = &entry.specs[i];
                if let Some(recorded) = Recorded::finished(&directory, spec)? {
                    done.push((m, recorded));
                    continue;
                }
                let run =
                    Run::with_data(spec.clone(), self.data.clone(), &directory, self.existing)?;
                match run.train(stop, listener) {
                    Ok(summary) if summary.status == Status::Finished => {}
                    Ok(_) => {
                        status = Status::Interrupted;
                        break 'runs;
                    }
                    Err(error @ Error::Step { .. }) => {
                        status = Status::Failed;
                        failures.push(format!("{}, seed {seed}: {error}", entry.label));
                    }
                    Err(error) => return Err(error),
                }
                if let Some(recorded) = Recorded::finished(&directory, spec)? {
                    done.push((m, recorded));
                }
            }
        }
        self.report(status, failures, &done)
    }

    fn report(
        &self,
        status: Status,
        failures: Vec<String>,
        done: &[(usize, Recorded)],
    ) -> Result<ComparisonSummary, Error> {
        let mut summary = self.summary(status, done);
        summary.failures = failures;
        let mut files = Vec::new();
        for (file, text) in [
            ("methods.csv", methods_csv(&summary)),
            ("runs.csv", self.runs_csv(done)),
        ] {
            files::write(&self.directory.join(file), &text)?;
            files.push(file.to_owned());
        }
        type Column = fn(&Metrics) -> Option<f64>;
        let plots: [(&str, &str, &str, Column); 4] = [
            ("test-accuracy", "Test accuracy", "accuracy", |row| {
                row.test_accuracy
            }),
            (
                "train-loss",
                "Training loss",
                "loss at the weights",
                |row| Some(row.train_loss),
            ),
            ("alpha", "Position on the arc", "alpha", |row| row.alpha),
            (
                "psi",
                "Angle of displacement and ascent gradient",
                "psi in radians",
                |row| row.psi,
            ),
        ];
        let runs = self.seeds.len();
        let subtitle = format!("mean of {runs} seeds; the bands reach from lowest to highest");
        for (name, title, axis, column) in plots {
            let curves = self.curves(done, column);
            if !curves.is_empty() {
                let words = Words {
                    title,
                    subtitle: &subtitle,
                    x: "epoch",
                    y: axis,
                };
                let figure = Lines {
                    words,
                    lines: &curves,
                    marks: &[],
                    logarithmic: false,
                };
                files.push(plot::svg(&self.directory, name, &figure)?);
            }
        }
        files.push(MARKER.to_owned());
        summary.files = files;
        self.write_json(&summary)?;
        Ok(summary)
    }

    fn summary(&self, status: Status, done: &[(usize, Recorded)]) -> ComparisonSummary {
        let mut methods: Vec<MethodSummary> = self
            .entries
            .iter()
            .enumerate()
            .map(|(m, entry)| MethodSummary::new(entry, &of_method(done, m)))
            .collect();
        let first = methods.first().and_then(|method| method.seconds_per_epoch);
        for method in &mut methods {
            let seconds = method.seconds_per_epoch;
            method.time_ratio = seconds.zip(first).map(|(seconds, first)| seconds / first);
        }
        ComparisonSummary {
            status,
            seeds: self.seeds.clone(),
            methods,
            failures: Vec::new(),
            files: Vec::new(),
        }
    }

    fn write_json(&self, summary: &ComparisonSummary) -> Result<(), Error> {
        let path = self.directory.join(MARKER);
        let text = serde_json::to_string_pretty(summary).map_err(|e| Error::damaged(&path, e))?;
        files::write(&path, &text)
    }

    /// A line for each run: where it is, and its outcome.
    fn runs_csv(&self, done: &[(usize, Recorded)]) -> String {
        let mut text = "label,seed,test_accuracy_last,test_accuracy_best,test_accuracy_mean_of_\
                        last_5,validation_accuracy_last,validation_bleu,test_bleu,train_loss,train_accuracy,\
                        alpha,seconds_per_epoch\n"
            .to_owned();
        for (m, run) in done {
            let summary = &run.summary;
            let last = summary.last.as_ref();
            let fields = [
                last.and_then(|row| row.test_accuracy),
                summary.best.as_ref().and_then(|row| row.test_accuracy),
                summary.mean_of_last_5,
                last.and_then(|row| row.validation_accuracy),
                last.and_then(|row| row.validation_bleu),
                last.and_then(|row| row.test_bleu),
                last.map(|row| row.train_loss),
                last.map(|row| row.train_accuracy),
                last.and_then(|row| row.alpha),
                summary.seconds_per_epoch,
            ];
            let label = &self.entries[*m].label;
            text.push_str(&format!(
                "{label},{},{}\n",
                summary.seed,
                csv_fields(&fields)
            ));
        }
        text
    }

    /// Mean over the seeds of a column, and its range, for each method that has it.
    fn curves(
        &self,
        done: &[(usize, Recorded)],
        column: impl Fn(&Metrics) -> Option<f64>,
    ) -> Vec<Line> {
        let curve = |(m, entry): (usize, &CompareEntry)| {
            let runs = of_method(done, m);
            let epochs = runs.iter().map(|run| run.rows.len()).max()?;
            let points: Vec<_> = (0..epochs)
                .filter_map(|epoch| {
                    let values = runs.iter().filter_map(|run| column(run.rows.get(epoch)?));
                    Point::over((epoch + 1) as f64, &values.collect::<Vec<_>>())
                })
                .collect();
            (!points.is_empty()).then(|| Line {
                label: entry.label.clone(),
                colour: m,
                points,
            })
        };
        self.entries.iter().enumerate().filter_map(curve).collect()
    }
}

/// Name of the folder of a run in a comparison's directory.
pub(crate) fn run_folder(label: &str, seed: u64) -> String {
    format!("{label}-seed{seed}")
}

fn of_method(done: &[(usize, Recorded)], method: usize) -> Vec<&Recorded> {
    let of = done.iter().filter(|(m, _)| *m == method);
    of.map(|(_, run)| run).collect()
}

impl MethodSummary {
    fn new(entry: &CompareEntry, runs: &[&Recorded]) -> Self {
        let spread = |value: &dyn Fn(&RunSummary) -> Option<f64>| {
            Spread::of(runs.iter().filter_map(|run| value(&run.summary)))
        };
        let last = |value: fn(&Metrics) -> Option<f64>| {
            spread(&|summary| summary.last.as_ref().and_then(value))
        };
        let seconds = runs.iter().filter_map(|run| run.summary.seconds_per_epoch);
        let passes = runs.iter().map(|run| run.summary.gradient_passes as f64);
        Self {
            label: entry.label.clone(),
            method: entry.specs[0].method.clone(),
            runs: runs.len(),
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
            gradient_passes: mean(passes),
        }
    }
}

/// A line for each method: the table.
fn methods_csv(summary: &ComparisonSummary) -> String {
    let mut text = "label,rho,runs,last_mean,last_deviation,best_mean,best_deviation,\
                    mean_of_last_5_mean,mean_of_last_5_deviation,validation_mean,\
                    validation_deviation,validation_bleu_mean,validation_bleu_deviation,\
                    test_bleu_mean,test_bleu_deviation,train_loss_mean,train_loss_deviation,\
                    train_accuracy_mean,train_accuracy_deviation,alpha_mean,alpha_deviation,seconds_per_epoch,time_ratio,gradient_passes\n"
        .to_owned();
    for method in &summary.methods {
        let spreads = [
            method.last,
            method.best,
            method.mean_of_last_5,
            method.validation,
            method.validation_bleu,
            method.test_bleu,
            method.train_loss,
            method.train_accuracy,
            method.alpha,
        ];
        let mut fields = vec![method.method.rho, Some(method.runs as f64)];
        for spread in spreads {
            fields.push(spread.map(|s| s.mean));
            fields.push(spread.map(|s| s.deviation));
        }
        fields.push(method.seconds_per_epoch);
        fields.push(method.time_ratio);
        fields.push(method.gradient_passes);
        text.push_str(&format!("{},{}\n", method.label, csv_fields(&fields)));
    }
    text
}

fn csv_fields(fields: &[Option<f64>]) -> String {
    let field = |value: &Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    fields.iter().map(field).collect::<Vec<_>>().join(",")
}
