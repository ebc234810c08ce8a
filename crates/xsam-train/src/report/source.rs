//! What the directory of a run or a comparison holds.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::epochs;
use super::flatness::{self, Measured};
use super::pictures::{self, Picture};
use super::search::{self, Search};
use crate::compare;
use crate::error::Error;
use crate::files;
use crate::json;
use crate::metrics::Metrics;
use crate::spec::Spec;
use crate::summary::{MARKER, RunSummary, SPEC_FILE, Status};

/// A run, finished or not.
#[derive(Debug)]
pub(super) struct RunSource {
    pub(super) directory: PathBuf,
    /// What its spec comes to.
    pub(super) spec: Spec,
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
    /// What its spec comes to.
    pub(super) spec: Spec,
    /// The spec as it is in its file, with the methods and seeds.
    pub(super) text: String,
    pub(super) seeds: Vec<u64>,
    pub(super) methods: Vec<MethodSource>,
    /// What the comparison itself has warned of.
    pub(super) warnings: Vec<String>,
    /// What could not be read and is left out.
    pub(super) notices: Vec<String>,
}

/// A method of a comparison, and those of its runs that have begun.
#[derive(Debug)]
pub(super) struct MethodSource {
    pub(super) label: String,
    pub(super) runs: Vec<RunSource>,
}

/// What is needed of `compare.json`. The rest of it follows from the runs, which are more up to date when a comparison
/// was killed.
#[derive(Deserialize)]
struct Marker {
    seeds: Vec<u64>,
    methods: Vec<Method>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Method {
    label: String,
    /// Of its runs, within the directory.
    folders: Vec<PathBuf>,
}

impl RunSource {
    /// Reads a run directory. What is not the run itself, but was measured of it, is left out with a notice if it is
    /// damaged.
    ///
    /// # Errors
    /// If a file of the run is missing or damaged.
    pub(super) fn read(directory: &Path) -> Result<Self, Error> {
        let (spec, text) = spec(directory)?;
        let mut notices = Vec::new();
        let landscapes = or_notice(pictures::landscapes(directory), &mut notices);
        let on_other = pictures::on_changed_data(directory, &landscapes);
        let on_other = or_notice(on_other, &mut notices);
        notices.extend(on_other);
        Ok(Self {
            directory: directory.to_owned(),
            spec,
            text,
            summary: RunSummary::read(directory)?,
            epochs: epochs::read(directory)?,
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
        self.epochs.iter().map(|row| row.seconds).sum()
    }

    /// The most memory that the process had, in 10^6 bytes.
    pub(super) fn peak_mb(&self) -> Option<f64> {
        let peaks = self.epochs.iter().filter_map(|row| row.peak_mb);
        peaks.reduce(f64::max)
    }
}

impl ComparisonSource {
    /// Reads the directory of a comparison. A run that cannot be read is left out with a notice.
    ///
    /// # Errors
    /// If a file of the comparison itself is missing or damaged.
    pub(super) fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(compare::MARKER);
        let marker = json::parse(&files::read(&path)?);
        let marker: Marker = marker.map_err(|error| Error::damaged(&path, error))?;
        let (spec, text) = spec(directory)?;
        let mut notices = Vec::new();
        let methods = marker.methods.into_iter().map(|Method { label, folders }| {
            let (within, elsewhere): (Vec<PathBuf>, Vec<PathBuf>) = folders
                .into_iter()
                .partition(|folder| files::leads_down(folder));
            notices.extend(elsewhere.iter().map(|folder| {
                let folder = folder.display();
                format!("left out: {folder} is not in the comparison's directory")
            }));
            let folders = within.iter().map(|folder| directory.join(folder));
            let begun = folders.filter(|folder| folder.join(MARKER).exists());
            let read = begun.filter_map(|folder| {
                let mut run = or_notice(RunSource::read(&folder).map(Some), &mut notices)?;
                notices.append(&mut run.notices);
                Some(run)
            });
            let runs = read.collect();
            MethodSource { label, runs }
        });
        let methods = methods.collect();
        Ok(Self {
            directory: directory.to_owned(),
            spec,
            text,
            seeds: marker.seeds,
            methods,
            warnings: marker.warnings,
            notices,
        })
    }

    /// Runs that there will be, and those that are finished.
    pub(super) fn progress(&self) -> (usize, usize) {
        let finished = self.methods.iter().map(|method| method.finished().count());
        (self.methods.len() * self.seeds.len(), finished.sum())
    }

    /// All runs that have begun, with their labels.
    pub(super) fn runs<'a>(&'a self) -> impl Iterator<Item = (&'a MethodSource, &'a RunSource)> {
        let with_label =
            |method: &'a MethodSource| method.runs.iter().map(move |run| (method, run));
        self.methods.iter().flat_map(with_label)
    }
}

impl MethodSource {
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

/// What the spec in a directory comes to, and its text.
fn spec(directory: &Path) -> Result<(Spec, String), Error> {
    let path = directory.join(SPEC_FILE);
    let text = files::read(&path)?;
    let (spec, _) = Spec::parse(&text, &[]).map_err(|e| Error::damaged(&path, e))?;
    Ok((spec.clone().resolved().unwrap_or(spec), text))
}
