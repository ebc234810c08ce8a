//! The state of a run: weights, optimizer and position, in folders of `checkpoint/`.
//!
//! A checkpoint is a folder that gets its name once it is complete and on the disk, so there is never a mixture
//! of two; what it replaces is removed only then.

mod contents;
#[allow(clippy::disallowed_methods, reason = "it holds names and checksums")]
mod manifest;
mod reached;

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use serde::{Deserialize, Serialize};
use xsam::SharpnessAware;

use crate::error::Error;
use crate::files;
use crate::fingerprint::Fingerprint;
use crate::json;
use crate::layout;
use crate::log::LogLengths;
use crate::metrics::{Metrics, Sums};
use crate::spec::{Spec, TaskSpec};

pub(crate) use reached::{Reached, kept, latest, reached_by};

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const POSITION: &str = "position.json";
/// All that is read of a checkpoint.
const READ: [&str; 3] = [MODEL, OPTIMIZER, POSITION];

/// Where in its course a run is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The epochs that are done.
    pub(crate) rows: Vec<Metrics>,
    /// Steps that are done of the next one.
    pub(crate) step: usize,
    /// What was measured in them.
    pub(crate) sums: Sums,
    /// Factor of the learning rate, which divergences make smaller.
    pub(crate) lr_factor: f64,
    /// How often the run has gone back to a checkpoint because it diverged.
    pub(crate) restored: usize,
    /// What was warned of so far.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// How much of the logs is of the time before.
    pub(crate) logs: LogLengths,
    /// The data that the run learned from last; not of checkpoints of earlier builds.
    #[serde(default)]
    pub(crate) data: Option<Fingerprint>,
}

impl Default for Position {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            step: 0,
            sums: Sums::default(),
            lr_factor: 1.0,
            restored: 0,
            warnings: Vec::new(),
            logs: LogLengths::default(),
            data: None,
        }
    }
}

impl Position {
    pub(crate) fn reached(&self) -> Reached {
        Reached {
            epochs: self.rows.len(),
            step: self.step,
        }
    }
}

/// Saves the state of the run of `spec` in the directory `run`, and removes what need not be kept any longer: all but
/// the latest ones, as many as the spec says, and that of the epoch `best`. The logs, whose lengths are in the
/// position, are on the disk before it.
pub(crate) fn save<M: Module, S: TaskSpec>(
    run: &Path,
    spec: &Spec<S>,
    model: &M,
    optim: &SharpnessAware,
    position: &Position,
    best: Option<usize>,
    logs: &[PathBuf],
) -> Result<(), Error> {
    let folder = run.join(layout::CHECKPOINTS);
    let complete = folder.join(position.reached().name());
    let beside = complete.with_extension(reached::UNFINISHED);
    files::remove(&beside)?;
    fs::create_dir_all(&beside).map_err(Error::file("create the directory", &beside))?;

    let write = |name: &str, text: String| {
        let path = beside.join(name);
        fs::write(&path, text).map_err(Error::file("write", &path))
    };
    // `valid` brings the running statistics up to date; records do not.
    let path = beside.join(MODEL);
    let saved = model.valid().save_file(&path);
    saved.map_err(|e| Error::file("write", &path)(std::io::Error::other(e.to_string())))?;
    optim.save(beside.join(OPTIMIZER))?;
    let text = json::line(position).map_err(|error| Error::damaged(&beside, error))?;
    write(POSITION, text)?;
    write(layout::SPEC, spec.to_toml()?)?;
    manifest::write(&beside)?;
    files::sync_all(&beside, logs)?;

    if complete.exists() {
        discard(&complete)?;
    }
    fs::rename(&beside, &complete).map_err(Error::file("rename", &beside))?;
    files::sync(&folder)?;
    prune(run, spec.train.keep_checkpoints, best)
}

/// Removes all but the latest `keep` checkpoints and that of the epoch `best`.
fn prune(run: &Path, keep: usize, best: Option<usize>) -> Result<(), Error> {
    let latest_first = kept(run)?.into_iter().rev();
    for (reached, path) in latest_first.skip(keep.max(1)) {
        if reached.step > 0 || Some(reached.epochs) != best {
            discard(&path)?;
        }
    }
    Ok(())
}

/// Removes a checkpoint, of which there is never a part.
pub(crate) fn discard(checkpoint: &Path) -> Result<(), Error> {
    let leaving = checkpoint.with_extension(reached::UNFINISHED);
    files::remove(&leaving)?;
    fs::rename(checkpoint, &leaving).map_err(Error::file("rename", checkpoint))?;
    files::remove(&leaving)
}

/// The checkpoint that a run goes on from, which is the latest one, and the position there, if there is any. With
/// `recover`, checkpoints that are damaged are passed over, if an earlier one is whole.
pub(crate) fn find(run: &Path, recover: bool) -> Result<Option<(PathBuf, Position)>, Error> {
    let (mut damage, mut whole) = (None, None);
    for (_, path) in kept(run)?.into_iter().rev() {
        match manifest::check(&path, &READ) {
            Ok(()) if damage.is_none() || recover => {
                let position = position(&path)?;
                return Ok(Some((path, position)));
            }
            Ok(()) => {
                whole = Some(path);
                break;
            }
            Err(error) => damage = damage.or(Some(Box::new(error))),
        }
    }
    let damage = damage.map(|source| Error::DamagedCheckpoint { source, whole });
    damage.map_or(Ok(None), Err)
}

/// The weights and the state of a checkpoint that was [found](find), in `model` and `optim`.
pub(crate) fn restore<M: Module>(
    checkpoint: &Path,
    model: M,
    optim: &mut SharpnessAware,
) -> Result<M, Error> {
    let model = weights(checkpoint, model)?;
    contents::optimizer(&checkpoint.join(OPTIMIZER), &model, optim)?;
    Ok(model)
}

/// The position at the latest checkpoint of a run, if it has one.
pub(crate) fn latest_position(run: &Path) -> Result<Option<Position>, Error> {
    let latest = latest(run)?;
    latest.map(|(_, path)| position(&path)).transpose()
}

/// The position at a checkpoint, all of which is as it was written.
pub(crate) fn open(checkpoint: &Path) -> Result<Position, Error> {
    manifest::check(checkpoint, &READ)?;
    position(checkpoint)
}

/// The weights of a checkpoint, in `model`.
pub(crate) fn weights<M: Module>(checkpoint: &Path, model: M) -> Result<M, Error> {
    contents::model(&checkpoint.join(MODEL), model)
}

fn position(checkpoint: &Path) -> Result<Position, Error> {
    let file = checkpoint.join(POSITION);
    files::own(&file)?;
    let position: Position =
        json::parse(&files::read(&file)?).map_err(|error| Error::damaged(&file, error))?;
    let damaged = |reason: &str| Err(Error::damaged(&file, reason));
    if reached_by(checkpoint).is_some_and(|reached| reached != position.reached()) {
        return damaged("it is not that of its folder");
    }
    let mut rows = (1..).zip(&position.rows);
    if rows.any(|(epoch, row)| row.epoch != epoch) {
        return damaged("its epochs are not in order");
    }
    if !(position.lr_factor > 0.0 && position.lr_factor <= 1.0) {
        return damaged("its factor of the learning rate is not one");
    }
    Ok(position)
}

/// Makes the manifest of a checkpoint that of the files that are there.
#[cfg(fuzzing)]
pub fn rewrite_manifest(checkpoint: &Path) -> Result<(), Error> {
    files::remove(&checkpoint.join(manifest::MANIFEST))?;
    manifest::write(checkpoint)
}

/// A checksum of the weights of a checkpoint, or of a file of weights.
pub(crate) fn checksum(checkpoint: &Path) -> Result<String, Error> {
    let file = match checkpoint.is_dir() {
        true => checkpoint.join(MODEL),
        false => checkpoint.to_owned(),
    };
    Ok(manifest::Entry::of(&file)?.crc32)
}
