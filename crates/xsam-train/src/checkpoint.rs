//! Weights, optimizer and position of a run after a whole epoch.
//!
//! A checkpoint is a folder that gets its name once it is complete, so there is never a mixture of
//! two epochs; an older one is removed only then.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use serde::{Deserialize, Serialize};
use xsam::SharpnessAware;

use crate::error::Error;
use crate::files;
use crate::metrics::Metrics;

/// Folder of the checkpoints in a run directory.
const FOLDER: &str = "checkpoint";
const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const POSITION: &str = "position.json";

/// Raised whenever the layout changes.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Position {
    version: u32,
    rows: Vec<Metrics>,
}

/// Saves the state after as many epochs as there are rows, and keeps so many checkpoints, the latest ones.
pub(crate) fn save<M: Module>(
    run: &Path,
    model: &M,
    optim: &SharpnessAware,
    rows: &[Metrics],
    keep: usize,
) -> Result<(), Error> {
    let folder = run.join(FOLDER);
    let complete = folder.join(name(rows.len()));
    let beside = folder.join(format!("{}.tmp", name(rows.len())));
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(Error::file("remove", &beside))?;
    }
    fs::create_dir_all(&beside).map_err(Error::file("create the directory", &beside))?;

    // `valid` brings the running statistics up to date; records do not.
    let path = beside.join(MODEL);
    model
        .valid()
        .save_file(&path)
        .map_err(|e| Error::file("write", &path)(std::io::Error::other(e.to_string())))?;
    optim.save(beside.join(OPTIMIZER))?;
    let position = Position {
        version: VERSION,
        rows: rows.to_vec(),
    };
    let text = serde_json::to_string(&position)
        .map_err(|error| Error::damaged(&beside.join(POSITION), error))?;
    files::write(&beside.join(POSITION), &text)?;

    if complete.exists() {
        fs::remove_dir_all(&complete).map_err(Error::file("remove", &complete))?;
    }
    fs::rename(&beside, &complete).map_err(Error::file("rename", &beside))?;
    let mut kept = all(&folder)?;
    kept.sort_by_key(|(epoch, _)| std::cmp::Reverse(*epoch));
    for (_, path) in kept.into_iter().skip(keep.max(1)) {
        fs::remove_dir_all(&path).map_err(Error::file("remove", &path))?;
    }
    Ok(())
}

/// The rows of the latest checkpoint of a run, with its weights and state in `model` and `optim`;
/// both as they are, and no rows, if there is none.
pub(crate) fn load<M: Module>(
    run: &Path,
    model: M,
    optim: &mut SharpnessAware,
) -> Result<(M, Vec<Metrics>), Error> {
    let Some((_, path)) = latest(run)? else {
        return Ok((model, Vec::new()));
    };
    let rows = position(&path)?;
    let model = weights(&path, model)?;
    optim.load(path.join(OPTIMIZER))?;
    Ok((model, rows))
}

/// The epochs up to the latest checkpoint of a run.
pub(crate) fn rows(run: &Path) -> Result<Vec<Metrics>, Error> {
    match latest(run)? {
        Some((_, path)) => position(&path),
        None => Ok(Vec::new()),
    }
}

/// The epochs up to a checkpoint, and its weights in `model`.
pub(crate) fn load_model<M: Module>(
    checkpoint: &Path,
    model: M,
) -> Result<(M, Vec<Metrics>), Error> {
    let rows = position(checkpoint)?;
    Ok((weights(checkpoint, model)?, rows))
}

fn weights<M: Module>(checkpoint: &Path, model: M) -> Result<M, Error> {
    let file = checkpoint.join(MODEL);
    let loaded = model.try_load_file(&file);
    loaded.map_err(|error| Error::damaged(&file, error))
}

fn position(checkpoint: &Path) -> Result<Vec<Metrics>, Error> {
    let file = checkpoint.join(POSITION);
    let position: Position =
        serde_json::from_str(&files::read(&file)?).map_err(|error| Error::damaged(&file, error))?;
    if position.version != VERSION {
        let reason = format!("its version is {}, not {VERSION}", position.version);
        return Err(Error::damaged(&file, reason));
    }
    Ok(position.rows)
}

fn name(epoch: usize) -> String {
    format!("epoch-{epoch:05}")
}

/// The epoch that the name of a checkpoint says.
pub(crate) fn epoch(checkpoint: &Path) -> Option<usize> {
    let name = checkpoint.file_name()?.to_str()?;
    name.strip_prefix("epoch-")?.parse().ok()
}

/// The latest checkpoint of a run, and its epoch.
pub(crate) fn latest(run: &Path) -> Result<Option<(usize, PathBuf)>, Error> {
    Ok(all(&run.join(FOLDER))?.into_iter().max())
}

/// A checksum of the weights of a checkpoint, or of a file of weights.
pub(crate) fn checksum(checkpoint: &Path) -> Result<String, Error> {
    let file = match checkpoint.is_dir() {
        true => checkpoint.join(MODEL),
        false => checkpoint.to_owned(),
    };
    let bytes = fs::read(&file).map_err(Error::file("read", &file))?;
    Ok(format!("{:08x}", crc32fast::hash(&bytes)))
}

/// The checkpoints of a run that there are, by their epochs.
pub(crate) fn kept(run: &Path) -> Result<Vec<(usize, PathBuf)>, Error> {
    let mut kept = all(&run.join(FOLDER))?;
    kept.sort_unstable();
    Ok(kept)
}

/// The complete checkpoints in `folder`.
fn all(folder: &Path) -> Result<Vec<(usize, PathBuf)>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("open the directory", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::file("read", folder))?.path();
        if let Some(epoch) = epoch(&path) {
            found.push((epoch, path));
        }
    }
    Ok(found)
}
