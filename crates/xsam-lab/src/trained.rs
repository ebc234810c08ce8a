//! The trained model in a run directory.

use std::path::{Path, PathBuf};

use burn::module::Module;
use xsam_weights::{WeightsError, cast, load_weights, read_weights};

use crate::checkpoint::{self, Position};
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::layout;
use crate::metrics::Metrics;
use crate::place::Place;
use crate::setup::Setup;
use crate::shared::Shared;
use crate::spec::{DeviceName, Experiment, MethodSpec, Spec};
use crate::summary::read_spec;
use crate::task::Task;

/// A model as a run has left it, or as it is so far.
#[derive(Debug)]
pub struct Trained<T: Task> {
    /// Directory of the run.
    pub run: PathBuf,
    /// Directory of the checkpoint that was read.
    pub checkpoint: PathBuf,
    /// What the spec of the run comes to.
    pub spec: Spec<T::Spec>,
    /// The method as it was asked for.
    pub(crate) asked: MethodSpec,
    /// The epochs up to the checkpoint; the model is that after the last of them.
    pub rows: Vec<Metrics>,
    /// The data that it was trained on last, as far as that is known.
    pub data: Option<Fingerprint>,
    /// The model, on the spec's device and in its precision, ready to be trained. `valid()` of it is for evaluation.
    pub model: T::Model,
    /// What a person should know of it, in sentences.
    pub warnings: Vec<String>,
}

/// How often the latest checkpoint of a run under way is looked for: it may be replaced before it is read.
const ATTEMPTS: usize = 5;

impl<T: Task> Trained<T> {
    /// The model of the latest checkpoint of the run in `directory`, or of the checkpoint that
    /// `directory` is.
    ///
    /// Not even the data need be there if the task can do [without](Task::model_of).
    ///
    /// # Errors
    /// If `directory` is neither, the run has no checkpoint yet, a file is damaged or of another version,
    /// or this build or this machine does not have the run's device (see [`load_on`](Self::load_on)).
    pub fn load(directory: &Path) -> Result<Self, Error> {
        Self::load_on(directory, None)
    }

    /// [`load`](Self::load), but to another device than the run's own if one is given: that of the run need not be here
    /// then, and the spec says the other one.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_on(directory: &Path, device: Option<DeviceName>) -> Result<Self, Error> {
        let run = run_of(directory)?;
        let asked = read_spec(&run)?;
        let damaged = |error| Error::damaged(&run.join(layout::SPEC), error);
        let mut experiment = Experiment::new(asked).map_err(damaged)?;
        let train = &mut experiment.spec.train;
        train.device = device.unwrap_or(train.device);
        let epoch = train.checkpoint_every.min(train.epochs);
        if run != directory {
            return Self::of_checkpoint(run, directory.to_owned(), experiment);
        }
        let mut attempt = 1;
        loop {
            let latest = checkpoint::latest(&run)?.map(|(_, path)| path);
            let latest = latest.ok_or_else(|| Error::NoCheckpoint {
                path: run.clone(),
                epoch,
            })?;
            match Self::of_checkpoint(run.clone(), latest.clone(), experiment.clone()) {
                Err(_) if !latest.exists() && attempt < ATTEMPTS => attempt += 1,
                loaded => return loaded,
            }
        }
    }

    fn of_checkpoint(
        run: PathBuf,
        checkpoint: PathBuf,
        Experiment { asked, spec }: Experiment<T::Spec>,
    ) -> Result<Self, Error> {
        let Position { rows, data, .. } = checkpoint::open(&checkpoint)?;
        let place = Place::of(&spec)?;
        let shared = Shared::default();
        let setup = Setup::new(&spec, &place, &shared).of_run(Some(&run));
        let model = cast(T::model_of(&setup, data.as_ref())?, place.dtype);
        let model = checkpoint::weights(&checkpoint, model)?;
        Ok(Self {
            run,
            checkpoint,
            spec,
            asked: asked.method,
            rows,
            data,
            model,
            warnings: Vec::new(),
        })
    }

    /// The weights in `file`, written by PyTorch or [`export`](crate::export::export), as the model that `spec` says. The
    /// run directory is where results about it go.
    ///
    /// # Errors
    /// If the spec cannot be, its task needs more than weights, this build or this machine does not have its device, the
    /// data that say how large the model is cannot be loaded, or the file does not fit the model.
    pub fn of_weights(file: &Path, spec: Spec<T::Spec>) -> Result<Self, Error> {
        let Experiment { asked, spec } = Experiment::new(spec)?;
        let place = Place::of(&spec)?;
        let shared = Shared::default();
        let model = T::model_of(&Setup::new(&spec, &place, &shared), None)?;
        let (model, warnings) = imported(cast(model, place.dtype), file)?;
        Ok(Self {
            run: folder_of(file),
            checkpoint: file.to_owned(),
            spec,
            asked: asked.method,
            rows: Vec::new(),
            data: None,
            model,
            warnings,
        })
    }

    /// Epochs that the model has been trained for, as far as is known.
    pub fn epochs(&self) -> usize {
        self.rows.len()
    }
}

/// The model with the weights in `file`, and what a person should know of them, in sentences.
pub(crate) fn imported<M: Module>(model: M, file: &Path) -> Result<(M, Vec<String>), WeightsError> {
    let weights = read_weights(file)?;
    let unwrapped = weights.unwrapped(&model);
    let model = load_weights(model, &weights)?;
    let name = file.display();
    let warnings = unwrapped.iter().map(|what| format!("{name}: {what}"));
    Ok((model, warnings.collect()))
}

/// The run directory that `directory` is, or is a checkpoint of.
pub(crate) fn run_of(directory: &Path) -> Result<PathBuf, Error> {
    let is_run = |path: &Path| path.join(layout::RUN).exists() && path.join(layout::SPEC).exists();
    if is_run(directory) {
        return Ok(directory.to_owned());
    }
    let whole = directory
        .canonicalize()
        .map_err(Error::file("open the directory", directory))?;
    let run = whole.parent().and_then(Path::parent);
    match run.filter(|run| checkpoint::reached_by(&whole).is_some() && is_run(run)) {
        Some(run) => Ok(run.to_owned()),
        None => Err(Error::NotARun {
            path: directory.to_owned(),
        }),
    }
}

/// The results folder of a file of weights: beside it, with its name.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(".flatness");
    file.with_file_name(name)
}
