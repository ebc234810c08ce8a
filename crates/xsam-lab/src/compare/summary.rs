//! The outcome of a comparison: a row for each method.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Value;

use super::aggregate::{Aggregate, aggregates, compared_names};
use super::budget::passes;
use super::jobs::{Runs, choice};
use super::pairs::{Pair, Row, pairs};
use super::sweep::{Compared, SweepSummary};
use super::{Comparison, TuningSummary, sentences};
use crate::columns::Column;
use crate::error::Error;
use crate::files;
use crate::format::{self, Format};
use crate::json;
use crate::layout;
use crate::score::{Part, Score, compared};
use crate::spec::{About, MethodSpec};
use crate::statistics::{PairedTest, Spread, mean, median, paired, paired_t_test};
use crate::summary::{Recorded, RunSummary, Status};
use crate::tasks::Tasks;

/// The outcome of a comparison, as in `compare.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ComparisonSummary {
    /// The format of the file.
    pub format: Format,
    /// Finished if all runs are, failed if one of them is; a candidate that diverges is not chosen, no more.
    pub status: Status,
    /// The runs that failed, and why.
    pub failures: Vec<String>,
    /// What a person should know of the comparison itself, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Seeds that every method is run from.
    pub seeds: Vec<u64>,
    /// Whether methods with fewer passes an epoch have more epochs, so that all have as many passes.
    #[serde(default)]
    pub equal_compute: bool,
    /// What is told of the experiment; the method is that of the spec.
    pub about: About,
    /// What models are scored by.
    pub scores: Vec<Score>,
    /// The columns that have a spread over the seeds, in their order.
    pub columns: Vec<Column>,
    /// How hyper-parameters were chosen, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuningSummary>,
    /// What is swept, if anything is, and what came out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSummary>,
    /// Whether any two methods differ: all rows of a comparison without a sweep, those with the best values of their methods
    /// of one with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<Pair>,
    /// What came out, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<String>,
    /// How many seeds would tell a difference of a point between the best two methods, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds_needed: Option<String>,
    /// The methods, or each method with each of its swept values, in the order of the table.
    pub methods: Vec<MethodSummary>,
    /// Files that were written, relative to the directory.
    pub files: Vec<String>,
}

/// A row of the table: a method, or one with values of the swept fields, over all seeds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MethodSummary {
    /// Label of the method, unique in the comparison.
    pub label: String,
    /// The label of its method, in `compare.methods`.
    #[serde(default)]
    pub of: String,
    /// The values of the swept fields that it has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Value>,
    /// The method, with the values that were chosen for it; none before they are.
    pub method: Option<MethodSpec>,
    /// Epochs of a run; none before its hyper-parameters are chosen.
    pub epochs: Option<usize>,
    /// Directories of its runs, within that of the comparison; none before its hyper-parameters are chosen.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
    /// Number of runs that finished.
    #[serde(default)]
    pub runs: usize,
    /// The seeds of those that collapsed: no better than guessing, or with nothing learned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collapsed: Vec<u64>,
    /// Warnings of these runs, of those that have any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RunWarnings>,
    /// Whether what it is compared by, on the test data after the last epoch, differs from the first method's from the
    /// same seeds; in a sweep from that row of the first method which has the same values. By itself: not corrected for the
    /// number of tests.
    pub test_against_first: Option<PairedTest>,
    /// Mean and deviation over the seeds, by the names of the comparison's [`columns`](ComparisonSummary::columns); of
    /// those that a run has.
    #[serde(default)]
    pub spreads: BTreeMap<String, Spread>,
    /// Median time for the steps of an epoch.
    pub seconds_per_epoch: Option<f64>,
    /// That time in relation to the first method's.
    pub time_ratio: Option<f64>,
    /// Time for the steps of a run, in seconds: mean over the seeds.
    pub seconds: Option<f64>,
    /// The most memory that the process of a run had, in 10^6 bytes: mean over the seeds.
    pub peak_mb: Option<f64>,
    /// Forward-backward passes of a run.
    pub gradient_passes: Option<f64>,
    /// Forward passes of its searches.
    pub search_passes: Option<f64>,
    /// What a run costs in forward-backward passes: a forward pass of a search counts as a third of one.
    pub passes: Option<f64>,
}

/// What a person should know of a run of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunWarnings {
    /// Seed of the run.
    pub seed: u64,
    /// The sentences, in the order in which they came up.
    pub warnings: Vec<String>,
}

impl<L: Tasks> Comparison<L> {
    pub(super) fn summary(
        &self,
        status: Status,
        tuning: Option<TuningSummary>,
        done: &[(usize, Recorded)],
    ) -> Result<ComparisonSummary, Error> {
        let mut methods = Vec::new();
        let Runs {
            entries,
            seeds,
            budget,
            directory,
            ..
        } = &self.runs;
        for (m, entry) in entries.iter().enumerate() {
            let mut method = MethodSummary {
                label: entry.label.clone(),
                of: entry.method.clone(),
                values: entry.values.iter().cloned().collect(),
                ..MethodSummary::default()
            };
            if let Some(c) = choice(tuning.as_ref(), entry) {
                for &seed in seeds {
                    let job = self.runs.job(m, c, seed)?;
                    let within = job.directory.strip_prefix(directory);
                    let folder = within.unwrap_or(&job.directory).to_owned();
                    method.folders.push(folder);
                    method.epochs = Some(job.spec().train.epochs);
                    method.method = Some(job.experiment.spec.method);
                }
            }
            methods.push(method);
        }
        let mut summary = ComparisonSummary {
            status,
            seeds: seeds.clone(),
            equal_compute: budget.is_some(),
            about: self.about.clone(),
            scores: self.scores.clone(),
            tuning,
            sweep: self.sweep.clone(),
            methods,
            ..ComparisonSummary::default()
        };
        let runs = (0..entries.len()).map(|m| {
            let of_method = done.iter().filter(|(method, _)| *method == m);
            of_method.map(|(_, run)| &run.summary).collect()
        });
        summary.aggregate(&runs.collect::<Vec<_>>());
        Ok(summary)
    }
}

impl ComparisonSummary {
    /// Writes it to `compare.json` in the directory of its comparison.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(layout::COMPARISON);
        let text = json::pretty(self).map_err(|e| Error::damaged(&path, e))?;
        files::write(&path, &text)
    }

    /// Reads `compare.json`.
    ///
    /// # Errors
    /// If it is not there, damaged, or of another release.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        format::read(&directory.join(layout::COMPARISON))
    }

    /// Fills in all that follows from the finished runs of each method.
    pub fn aggregate(&mut self, runs: &[Vec<&RunSummary>]) {
        let aggregates = aggregates(&self.scores);
        let test = compared(&self.scores).column(Part::Test);
        let firsts = self.firsts();
        for (method, of_method) in self.methods.iter_mut().zip(runs) {
            method.aggregate(&aggregates, of_method);
        }
        let first = self
            .methods
            .first()
            .and_then(|first| first.seconds_per_epoch);
        for (m, method) in self.methods.iter_mut().enumerate() {
            let seconds = method.seconds_per_epoch;
            method.time_ratio = seconds.zip(first).map(|(seconds, first)| seconds / first);
            let against = firsts[m].and_then(|first| runs.get(first)).zip(runs.get(m));
            method.test_against_first = against.and_then(|(first, runs)| {
                let (first, second) = paired(by_seed(first, &test), by_seed(runs, &test));
                paired_t_test(&first, &second)
            });
        }
        let columns = aggregates.into_iter().map(|aggregate| aggregate.column);
        self.columns = columns.collect();
        self.conclude(runs);
    }

    /// Fills in what comes out of the rows together.
    fn conclude(&mut self, runs: &[Vec<&RunSummary>]) {
        let score = compared(&self.scores);
        let [test, validation] = compared_names(&self.scores);
        let compared = Compared {
            score: &score,
            test: &test,
            validation: &validation,
        };
        if let Some(sweep) = &mut self.sweep {
            sweep.fill(&self.methods, &compared);
        }
        let column = score.column(Part::Test);
        let row = |label: &str| -> Option<Row<'_>> {
            let m = self.methods.iter().position(|row| row.label == label)?;
            let values = by_seed(runs.get(m)?, &column);
            let finite = values.filter(|(_, value)| value.is_finite());
            Some((&*self.methods[m].label, finite.collect()))
        };
        let families: Vec<Vec<Row<'_>>> = match &self.sweep {
            None => {
                let labels = self.methods.iter().map(|method| &*method.label);
                vec![labels.filter_map(row).collect()]
            }
            Some(sweep) => {
                let slices = sweep.slices.iter();
                let best = slices.map(|slice| {
                    let methods = slice.methods.iter();
                    methods.filter_map(|method| row(&method.best)).collect()
                });
                best.collect()
            }
        };
        self.pairs = pairs(&families, &score);
        self.sentences = sentences::sentences(self);
        let ranked = self.ranked();
        self.seeds_needed = match &ranked[..] {
            [best, next, ..] => sentences::seeds_needed(self, best, next),
            _ => None,
        };
    }

    /// The labels of the rows that are set against each other, the best on the test data first: all, or of a sweep those with
    /// the best values of their methods, under the first of several conditions.
    fn ranked(&self) -> Vec<String> {
        match &self.sweep {
            None => self.in_order(self.methods.iter().map(|row| &*row.label)),
            Some(sweep) => {
                let methods = sweep.slices.first().map_or(&[][..], |slice| &slice.methods);
                self.in_order(methods.iter().map(|method| &*method.best))
            }
        }
    }

    /// Those of the rows that have a score, the best on the test data first.
    pub(super) fn in_order<'a>(&self, labels: impl Iterator<Item = &'a str>) -> Vec<String> {
        let score = compared(&self.scores);
        let value = |label: &str| self.row(label)?.compared(self);
        let with_value = labels.filter_map(|label| Some((label, value(label)?)));
        let mut ranked: Vec<(&str, f64)> = with_value.collect();
        ranked.sort_by(|(_, a), (_, b)| score.better.order(*a, *b));
        let labels = ranked.into_iter();
        labels.map(|(label, _)| label.to_owned()).collect()
    }

    /// The row of that label.
    pub fn row(&self, label: &str) -> Option<&MethodSummary> {
        self.methods.iter().find(|row| row.label == label)
    }

    /// Of each row, the row of the first method that it is tested against: that with the same values of the fields which both
    /// have.
    fn firsts(&self) -> Vec<Option<usize>> {
        let first = self.methods.first().map_or("", MethodSummary::method_label);
        let same = |a: &MethodSummary, b: &MethodSummary| {
            let mut both = a
                .values
                .iter()
                .filter_map(|(name, value)| Some((value, b.values.get(name)?)));
            both.all(|(a, b)| a == b)
        };
        let of_row = |row: &MethodSummary| {
            let rows = self.methods.iter().enumerate();
            let mut rows =
                rows.filter(|(_, other)| other.method_label() == first && same(other, row));
            let found = rows.next().map(|(m, _)| m);
            // Of several none is the one.
            found.filter(|_| row.method_label() != first && rows.next().is_none())
        };
        self.methods.iter().map(of_row).collect()
    }

    /// A sentence for each mean over the seeds that is not finite, and whether the runs warn of the column themselves.
    pub fn odd_means(&self) -> Vec<(String, bool)> {
        let mut odd = Vec::new();
        for MethodSummary {
            label,
            spreads,
            warnings,
            ..
        } in &self.methods
        {
            for (name, Spread { mean, .. }) in spreads {
                if !mean.is_finite() {
                    let sentence = format!(
                        "{label}: {name} is not finite in every run, its mean over the seeds is {mean}"
                    );
                    let mut warnings = warnings.iter().flat_map(|run| &run.warnings);
                    let told = format!(" {name} is ");
                    odd.push((sentence, warnings.any(|warning| warning.contains(&told))));
                }
            }
        }
        odd
    }

    /// The column of the score that methods are compared by, after the last epoch.
    pub fn compared(&self) -> Option<&Column> {
        let [name, _] = compared_names(&self.scores);
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The values of a column after the last epoch of each run, with its seed.
fn by_seed(runs: &[&RunSummary], column: &str) -> impl Iterator<Item = (u64, f64)> {
    runs.iter()
        .filter_map(move |run| Some((run.seed, run.last.as_ref()?.get(column)?)))
}

impl MethodSummary {
    /// The label of its method: its own, if it was written before there were sweeps.
    pub fn method_label(&self) -> &str {
        match &*self.of {
            "" => &self.label,
            of => of,
        }
    }

    /// The finite mean of what it is compared by, on the test data after the last epoch.
    pub(super) fn compared(&self, summary: &ComparisonSummary) -> Option<f64> {
        let [test, _] = compared_names(&summary.scores);
        self.finite_mean(&test)
    }

    /// The mean of a column of the comparison, if it is finite.
    pub(super) fn finite_mean(&self, column: &str) -> Option<f64> {
        let mean = self.spreads.get(column)?.mean;
        mean.is_finite().then_some(mean)
    }

    /// Fills in what follows from its finished runs.
    fn aggregate(&mut self, aggregates: &[Aggregate], runs: &[&RunSummary]) {
        let of_run =
            |value: fn(&RunSummary) -> Option<f64>| mean(runs.iter().filter_map(|run| value(run)));
        self.runs = runs.len();
        let collapsed = runs.iter().filter(|run| run.collapsed.is_some());
        self.collapsed = collapsed.map(|run| run.seed).collect();
        let warned = runs.iter().filter(|run| !run.warnings.is_empty());
        let warnings = warned.map(|run| RunWarnings {
            seed: run.seed,
            warnings: run.warnings.clone(),
        });
        self.warnings = warnings.collect();
        let spreads = aggregates.iter().filter_map(|aggregate| {
            let values = runs.iter().filter_map(|run| aggregate.of(run));
            Some((aggregate.column.name.to_string(), Spread::of(values)?))
        });
        self.spreads = spreads.collect();
        self.seconds_per_epoch = median(runs.iter().filter_map(|run| run.seconds_per_epoch));
        self.seconds = of_run(|run| Some(run.seconds));
        self.peak_mb = of_run(|run| run.peak_mb);
        self.gradient_passes = of_run(|run| Some(run.gradient_passes as f64));
        self.search_passes = of_run(|run| Some(run.search_passes as f64));
        let both = self.gradient_passes.zip(self.search_passes);
        self.passes = both.map(|(gradients, searches)| passes(gradients, searches));
    }
}
