//! What the directory of a run or a comparison holds.

use std::path::{Path, PathBuf};

use super::flatness::{self, Measured};
use super::pictures::{self, Picture};
use super::search::{self, Search};
use crate::plot::{Line, Point};
use xsam_lab::columns::Column;
use xsam_lab::compare::{ComparisonSummary, MethodSummary};
use xsam_lab::{Error, Metrics, RunSummary, Status, files, layout};

/// A run, finished or not.
#[derive(Debug)]
pub(super) struct RunSource {
    pub(super) directory: PathBuf,
    /// The spec as it is in its file.
    pub(super) text: String,
    pub(super) summary: RunSummary,
    pub(super) epochs: Vec<Metrics>,
    pub(super) searches: Vec<Search>,
    pub(super) measured: Option<Measured>,
    pub(super) landscapes: Vec<Picture>,
    /// What could not be read and is left out, and what else is to be known of what was measured.
    pub(super) notices: Vec<String>,
}

/// A comparison, finished or not.
#[derive(Debug)]
pub(super) struct ComparisonSource {
    pub(super) directory: PathBuf,
    /// The spec as it is in its file, with the methods and seeds.
    pub(super) text: String,
    /// What came out, its methods left aside.
    pub(super) summary: ComparisonSummary,
    pub(super) methods: Vec<MethodSource>,
    /// What could not be read and is left out.
    pub(super) notices: Vec<String>,
}

/// A method of a comparison, and those of its runs that have begun.
#[derive(Debug)]
pub(super) struct MethodSource {
    pub(super) summary: MethodSummary,
    pub(super) runs: Vec<RunSource>,
}

impl RunSource {
    /// Reads a run directory. What is not the run itself, but was measured of it, is left out with a notice if it is
    /// damaged.
    ///
    /// # Errors
    /// If a file of the run is missing or damaged.
    pub(super) fn read(directory: &Path) -> Result<Self, Error> {
        let text = files::read(&directory.join(layout::SPEC))?;
        let mut notices = Vec::new();
        let landscapes = or_notice(pictures::landscapes(directory), &mut notices);
        let on_other = pictures::on_changed_data(directory, &landscapes);
        let on_other = or_notice(on_other, &mut notices);
        notices.extend(on_other);
        Ok(Self {
            directory: directory.to_owned(),
            text,
            summary: RunSummary::read(directory)?,
            epochs: Metrics::read(&directory.join(layout::METRICS))?,
            searches: or_notice(search::read(directory), &mut notices),
            measured: or_notice(flatness::read(directory), &mut notices),
            landscapes,
            notices,
        })
    }

    /// What it has warned of, and what `xsam flatness` has of it.
    pub(super) fn warnings(&self) -> impl Iterator<Item = &str> {
        let measured = self.measured.iter().flat_map(|measured| &measured.warnings);
        self.summary
            .warnings
            .iter()
            .chain(measured)
            .map(String::as_str)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.summary.status == Status::Finished
    }

    /// Time of its steps, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.epochs
            .iter()
            .filter_map(|row| row.get("seconds"))
            .sum()
    }
}

impl ComparisonSource {
    /// Reads the directory of a comparison. A run that cannot be read is left out with a notice.
    ///
    /// # Errors
    /// If a file of the comparison itself is missing or damaged.
    pub(super) fn read(directory: &Path) -> Result<Self, Error> {
        let mut summary = ComparisonSummary::read(directory)?;
        let text = files::read(&directory.join(layout::SPEC))?;
        let mut notices = Vec::new();
        let read = |method: &MethodSummary| -> Vec<RunSource> {
            let (within, elsewhere): (Vec<&PathBuf>, Vec<&PathBuf>) = method
                .folders
                .iter()
                .partition(|folder| files::leads_down(folder));
            notices.extend(elsewhere.iter().map(|folder| {
                let folder = folder.display();
                format!("left out: {folder} is not in the comparison's directory")
            }));
            let folders = within.iter().map(|folder| directory.join(folder));
            let begun = folders.filter(|folder| folder.join(layout::RUN).exists());
            let read = begun.filter_map(|folder| {
                let mut run = or_notice(RunSource::read(&folder).map(Some), &mut notices)?;
                notices.append(&mut run.notices);
                Some(run)
            });
            read.collect()
        };
        let runs: Vec<Vec<RunSource>> = summary.methods.iter().map(read).collect();
        // The runs are more up to date where a comparison was killed.
        let finished = runs.iter().map(|runs| {
            let finished = runs.iter().filter(|run| run.is_finished());
            finished.map(|run| &run.summary).collect()
        });
        summary.aggregate(&finished.collect::<Vec<Vec<&RunSummary>>>());
        for (sentence, _) in summary.odd_means() {
            if !summary.warnings.contains(&sentence) {
                summary.warnings.push(sentence);
            }
        }
        let methods = std::mem::take(&mut summary.methods).into_iter().zip(runs);
        let methods = methods.map(|(summary, runs)| MethodSource { summary, runs });
        Ok(Self {
            directory: directory.to_owned(),
            text,
            methods: methods.collect(),
            summary,
            notices,
        })
    }

    /// Runs that there will be, and those that are finished.
    pub(super) fn progress(&self) -> (usize, usize) {
        let finished = self.methods.iter().map(|method| method.finished().count());
        (
            self.methods.len() * self.summary.seeds.len(),
            finished.sum(),
        )
    }

    /// The number of the colour of a row: that of its method.
    pub(super) fn colour(&self, row: usize) -> usize {
        let mut labels: Vec<&str> = Vec::new();
        for method in &self.methods[..=row] {
            let label = method.summary.method_label();
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        let own = self.methods[row].summary.method_label();
        labels
            .iter()
            .position(|label| *label == own)
            .unwrap_or_default()
    }

    /// The rows whose curves are drawn, with their numbers: all, or of a sweep those with the best values of their methods,
    /// which can be told apart.
    pub(super) fn drawn(&self) -> Vec<(usize, &MethodSource)> {
        let best: Option<Vec<&str>> = self
            .summary
            .sweep
            .as_ref()
            .map(|sweep| sweep.best().collect());
        let is_drawn = |method: &MethodSource| match &best {
            Some(best) if !best.is_empty() => best.contains(&method.label()),
            _ => true,
        };
        let rows = self.methods.iter().enumerate();
        rows.filter(|(_, method)| is_drawn(method)).collect()
    }

    /// The number of the colour of a row's curve: that of its method, unless several rows of that are drawn.
    pub(super) fn line_colour(&self, row: usize) -> usize {
        let drawn = self.drawn();
        let own = self.methods[row].summary.method_label();
        let same = drawn
            .iter()
            .filter(|(_, other)| other.summary.method_label() == own);
        match same.count() {
            0 | 1 => self.colour(row),
            _ => drawn
                .iter()
                .position(|(other, _)| *other == row)
                .unwrap_or_default(),
        }
    }

    /// All runs that have begun, with their names.
    pub(super) fn runs(&self) -> Vec<(String, &RunSource)> {
        let runs = self.methods.iter().flat_map(|method| {
            let runs = method.runs.iter();
            runs.map(move |run| (method.name_of(run), run))
        });
        runs.collect()
    }
}

impl MethodSource {
    pub(super) fn label(&self) -> &str {
        &self.summary.label
    }

    /// The name of one of its runs.
    pub(super) fn name_of(&self, run: &RunSource) -> String {
        format!("{}, seed {}", self.label(), run.summary.seed)
    }

    /// Its curve of a column, in the colour of this number: mean over its finished runs, as it is shown, and range, at the
    /// place `x` of each epoch, counted from 1. An epoch that no run has the value of is left out.
    pub(super) fn curve(
        &self,
        colour: usize,
        column: &Column,
        x: impl Fn(usize) -> Option<f64>,
    ) -> Line {
        let runs = self.finished().map(|run| &run.epochs);
        let longest = runs.clone().map(Vec::len).max().unwrap_or(0);
        let point = |epoch: usize| {
            let values = runs
                .clone()
                .filter_map(|rows| rows.get(epoch - 1)?.get(&column.name));
            let values = values.map(|value| column.shown(value));
            Point::over(x(epoch)?, &values.collect::<Vec<f64>>())
        };
        Line {
            label: self.label().to_owned(),
            colour,
            points: (1..=longest).filter_map(point).collect(),
        }
    }

    /// The finished runs: those that are compared.
    pub(super) fn finished(&self) -> impl Iterator<Item = &RunSource> + Clone {
        self.runs.iter().filter(|run| run.is_finished())
    }

    /// A value of each finished run, with its seed.
    pub(super) fn values(
        &self,
        of: impl Fn(&RunSource) -> Option<f64>,
    ) -> impl Iterator<Item = (u64, f64)> {
        self.finished().filter_map(move |run| {
            let value = of(run).filter(|value| value.is_finite())?;
            Some((run.summary.seed, value))
        })
    }
}

/// The value, or its default and a notice of what is wrong with it.
fn or_notice<T: Default>(read: Result<T, Error>, notices: &mut Vec<String>) -> T {
    read.unwrap_or_else(|error| {
        notices.push(format!("left out: {error}"));
        T::default()
    })
}
