//! What tests of whole runs share.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use xsam_lab::export::Export;
use xsam_lab::files::{Existing, Terms};
use xsam_lab::flatness::{FlatnessEvent, FlatnessReport, FlatnessSpec};
use xsam_lab::landscape::{Landscape, LandscapeEvent, LandscapeSpec};
use xsam_lab::{Error, Event, Run, RunSummary, StopSignal};
use xsam_tasks::{Classification, OurSections};

pub use xsam_tasks::{OurSpec as Spec, OurTasks};

pub type Comparison = xsam_lab::compare::Comparison<OurTasks>;
pub type Subject = xsam_lab::Subject<OurSections>;
pub type Trained = xsam_lab::Trained<Classification>;

/// The spec of these settings; of two of one field the later one holds.
pub fn spec(settings: &[&str], more: &[&str]) -> Spec {
    let settings: Vec<String> = settings
        .iter()
        .chain(more)
        .map(|s| (*s).to_owned())
        .collect();
    Spec::parse("", &settings).unwrap().0
}

pub fn prepare(spec: Spec, directory: &Path, terms: impl Into<Terms>) -> Result<Run, Error> {
    Run::prepare::<OurTasks>(spec, directory, terms)
}

pub fn train(spec: &Spec, directory: &Path, existing: Existing) -> Result<RunSummary, Error> {
    let run = prepare(spec.clone(), directory, existing)?;
    run.train(&StopSignal::default(), &mut |_| {})
}

/// Trains until `stop_at` steps are done.
pub fn interrupted(
    spec: &Spec,
    directory: &Path,
    existing: Existing,
    stop_at: usize,
) -> RunSummary {
    let stop = StopSignal::default();
    let mut steps = 0;
    let run = prepare(spec.clone(), directory, existing).unwrap();
    run.train(&stop, &mut |event| {
        if let Event::Step { .. } = event {
            steps += 1;
            if steps == stop_at {
                stop.stop();
            }
        }
    })
    .unwrap()
}

/// The rows of `metrics.csv` without the times and the memory they took.
pub fn rows(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("metrics.csv")).unwrap();
    text.lines()
        .map(|line| line.rsplitn(4, ',').nth(3).unwrap().to_owned())
        .collect()
}

pub fn export(directory: &Path, file: &Path, overwrite: bool) -> Result<Export, Error> {
    xsam_lab::export::export::<OurTasks>(directory, file, overwrite)
}

pub fn flatness(
    subject: &Subject,
    spec: &FlatnessSpec,
    listener: &mut dyn FnMut(FlatnessEvent<'_>),
) -> Result<FlatnessReport, Error> {
    xsam_lab::flatness::flatness::<OurTasks>(subject, spec, listener)
}

pub fn landscape(
    subject: &Subject,
    spec: &LandscapeSpec,
    stop: &StopSignal,
    listener: &mut dyn FnMut(LandscapeEvent<'_>),
) -> Result<Landscape, Error> {
    xsam_lab::landscape::landscape::<OurTasks>(subject, spec, stop, listener)
}

/// The page on a run or a comparison.
pub fn report(directory: &Path) -> Result<PathBuf, Error> {
    xsam_report::report(directory, "xsam")
}
