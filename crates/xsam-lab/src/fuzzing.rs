//! Readers by themselves, for the fuzz targets in `fuzz`, which build with `--cfg fuzzing`.
#![allow(missing_docs)]

use std::path::{Path, PathBuf};

use burn::module::Module;
use xsam::SharpnessAware;

use crate::checkpoint::{self, Position};
use crate::compare::{ComparisonSummary, list_runs, same_spec};
use crate::error::Error;
use crate::files::{Existing, Terms};
use crate::landscape::LandscapeReport;
use crate::metrics::Metrics;
use crate::plan::plan_against;
use crate::spec::{Compare, Experiment, Spec, TaskSpec};
use crate::summary::{Recorded, RunSummary, goes_on};
use crate::task::Task;

pub use crate::checkpoint::rewrite_manifest;

/// Saves a checkpoint of a run that has made an epoch, and gives its folder.
pub fn save<M: Module, S: TaskSpec>(
    run: &Path,
    spec: &Spec<S>,
    model: &M,
    optim: &SharpnessAware,
) -> Result<PathBuf, Error> {
    let mut row = Metrics::new(1);
    row.set("train_loss", 0.5);
    let position = Position {
        rows: vec![row],
        ..Position::default()
    };
    checkpoint::save(run, spec, model, optim, &position, None, &[])?;
    let latest = checkpoint::latest(run)?;
    Ok(latest.map(|(_, folder)| folder).unwrap_or_default())
}

/// Goes on from the latest checkpoint of a run, as `--resume` does.
pub fn restore<M: Module>(
    run: &Path,
    model: M,
    optim: &mut SharpnessAware,
) -> Result<Option<M>, Error> {
    let Some((path, position)) = checkpoint::find(run, false)? else {
        return Ok(None);
    };
    position.sums.metrics(position.rows.len(), &[], None)?;
    RunSummary::default().with_rows(&position.rows);
    checkpoint::restore(&path, model, optim).map(Some)
}

/// What `--resume` reads of a run of a resolved spec, checkpoints apart.
pub fn run<T: Task>(directory: &Path, spec: &Spec<T::Spec>) -> Result<bool, Error> {
    RunSummary::read(directory)?;
    goes_on(directory, spec)?;
    let terms = Terms::from(Existing::Resume);
    Ok(Recorded::finished::<T>(directory, spec, None, terms)?.is_some())
}

/// What is read of a comparison that is gone on with, or listed.
pub fn comparison<S: TaskSpec>(
    directory: &Path,
    spec: &Spec<S>,
    compare: &Compare,
) -> Result<(), Error> {
    ComparisonSummary::read(directory)?;
    same_spec(directory, &compare.to_toml(spec)?)?;
    list_runs(spec, compare, directory).map(drop)
}

/// The landscape in a file, as one that is gone on with.
pub fn landscape(path: &Path) -> Result<LandscapeReport, Error> {
    LandscapeReport::read(path)
}

/// The plan in a file, as the plan of another machine for this experiment.
pub fn plan<S: TaskSpec>(path: &Path, spec: Spec<S>) -> Result<(), Error> {
    plan_against(path, Experiment::new(spec)?)
}
