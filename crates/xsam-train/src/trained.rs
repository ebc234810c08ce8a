//! The trained model in a run directory.

use std::path::{Path, PathBuf};

use xsam_data::text::{PAD, Tokenizer};
use xsam_data::{Dataset, Fingerprint, Sizes};
use xsam_models::{Model, Transformer, cast};

use crate::checkpoint::{self, Position};
use crate::device::Place;
use crate::error::Error;
use crate::files;
use crate::imported::imported;
use crate::metrics::Metrics;
use crate::spec::{DeviceName, MethodSpec, Spec, SpecError};
use crate::subject::folder_of;
use crate::summary::{MARKER, SPEC_FILE};
use crate::task::TOKENIZER;

/// The model of a run, of one kind or the other, on the spec's device and in its precision, ready to be
/// trained. `valid()` of it is for evaluation.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a program holds a handful")]
pub enum TrainedModel {
    /// One that tells classes of images apart.
    Classifier(Model),
    /// One that translates, and the tokenizer it was trained with.
    Translator(Transformer, Tokenizer),
}

/// A model as a run has left it, or as it is so far.
#[derive(Debug)]
pub struct Trained {
    /// The run directory.
    pub run: PathBuf,
    /// Its checkpoint.
    pub checkpoint: PathBuf,
    /// What the spec of the run comes to.
    pub spec: Spec,
    /// The method as it was asked for.
    pub(crate) asked: MethodSpec,
    /// The epochs up to the checkpoint; the model is that after the last of them.
    pub rows: Vec<Metrics>,
    /// The data that it was trained on last, as far as that is known.
    pub data: Option<Fingerprint>,
    /// The model.
    pub model: TrainedModel,
    /// What a person should know of it, in sentences.
    pub warnings: Vec<String>,
}

/// How often the latest checkpoint of a run under way is looked for: it may be replaced before it is read.
const ATTEMPTS: usize = 5;

impl Trained {
    /// The model of the latest checkpoint of the run in `directory`, or of the checkpoint that
    /// `directory` is.
    ///
    /// Not even the data need be there, whose sizes are in the checkpoint.
    ///
    /// # Errors
    /// If `directory` is neither, the run has no checkpoint yet, a file is damaged or of another version,
    /// or this build or this machine does not have the run's device (see [`load_on`](Self::load_on)).
    pub fn load(directory: &Path) -> Result<Self, Error> {
        Self::of_run(directory, None)
    }

    /// [`load`](Self::load), but to another device than the run's own, which need not be here then. The spec says the
    /// other one.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_on(directory: &Path, device: DeviceName) -> Result<Self, Error> {
        Self::of_run(directory, Some(device))
    }

    fn of_run(directory: &Path, device: Option<DeviceName>) -> Result<Self, Error> {
        let run = run_of(directory)?;
        let file = run.join(SPEC_FILE);
        let text = files::read(&file)?;
        let (spec, _) = Spec::parse(&text, &[]).map_err(|e| Error::damaged(&file, e))?;
        let asked = spec.method.clone();
        let mut spec = spec.resolved().map_err(|e| Error::damaged(&file, e))?;
        spec.train.device = device.unwrap_or(spec.train.device);
        if run != directory {
            return Self::of_checkpoint(run, directory.to_owned(), spec, asked);
        }
        let mut attempt = 1;
        loop {
            let latest = checkpoint::latest(&run)?.map(|(_, path)| path);
            let latest = latest.ok_or_else(|| Error::NoCheckpoint {
                path: run.clone(),
                epoch: spec.train.checkpoint_every.min(spec.train.epochs),
            })?;
            match Self::of_checkpoint(run.clone(), latest.clone(), spec.clone(), asked.clone()) {
                Err(_) if !latest.exists() && attempt < ATTEMPTS => attempt += 1,
                loaded => return loaded,
            }
        }
    }

    fn of_checkpoint(
        run: PathBuf,
        checkpoint: PathBuf,
        spec: Spec,
        asked: MethodSpec,
    ) -> Result<Self, Error> {
        let Position { rows, data, .. } = checkpoint::open(&checkpoint)?;
        let place = Place::new(spec.train.device, spec.train.precision)?;
        let seed = spec.train.seed;
        let model = if spec.data.name.is_text() {
            let path = run.join(TOKENIZER);
            files::regular(&path)?;
            let tokenizer = Tokenizer::load(&path)?;
            let config = spec.model.transformer_config(tokenizer.len(), PAD as usize);
            let model = cast(config.init(seed, &place.device)?, place.dtype);
            let model = checkpoint::weights(&checkpoint, model)?;
            TrainedModel::Translator(model, tokenizer)
        } else {
            let known = data.as_ref().and_then(Fingerprint::sizes);
            let sizes = known.map_or_else(|| sizes(&spec), Ok)?;
            let config = spec.classifier_config(sizes)?;
            let model = cast(config.init(seed, &place.device)?, place.dtype);
            TrainedModel::Classifier(checkpoint::weights(&checkpoint, model)?)
        };
        Ok(Self {
            run,
            checkpoint,
            spec,
            asked,
            rows,
            data,
            model,
            warnings: Vec::new(),
        })
    }

    /// The weights in `file`, written by PyTorch or [`export`](crate::export()), as the image model that `spec` says. The
    /// run directory is where results about it go.
    ///
    /// # Errors
    /// If the spec cannot be or is of a translator, whose weights are of no use without its tokenizer, this build or this
    /// machine does not have its device, the data that say how large the model is cannot be loaded, or the file does not fit the model.
    pub fn of_weights(file: &Path, spec: Spec) -> Result<Self, Error> {
        let asked = spec.method.clone();
        let spec = spec.resolved()?;
        if spec.data.name.is_text() {
            let message = "a file of weights has no tokenizer: give the run of the translator";
            return Err(SpecError::new("data.name", message).into());
        }
        let place = Place::new(spec.train.device, spec.train.precision)?;
        let config = spec.classifier_config(sizes(&spec)?)?;
        let model = cast(config.init(spec.train.seed, &place.device)?, place.dtype);
        let (model, warnings) = imported(model, file)?;
        Ok(Self {
            run: folder_of(file),
            checkpoint: file.to_owned(),
            spec,
            asked,
            rows: Vec::new(),
            data: None,
            model: TrainedModel::Classifier(model),
            warnings,
        })
    }

    /// Epochs that the model has been trained for, as far as is known.
    pub fn epochs(&self) -> usize {
        self.rows.len()
    }
}

/// The run directory that `directory` is, or is a checkpoint of.
pub(crate) fn run_of(directory: &Path) -> Result<PathBuf, Error> {
    let is_run = |path: &Path| path.join(MARKER).exists() && path.join(SPEC_FILE).exists();
    if is_run(directory) {
        return Ok(directory.to_owned());
    }
    let whole = directory
        .canonicalize()
        .map_err(Error::file("open the directory", directory))?;
    let run = whole.parent().and_then(Path::parent);
    match run.filter(|run| checkpoint::place_of(&whole).is_some() && is_run(run)) {
        Some(run) => Ok(run.to_owned()),
        None => Err(Error::NotARun {
            path: directory.to_owned(),
        }),
    }
}

/// How large images are and how many classes there are. (How many images, the model does not depend on.)
fn sizes(spec: &Spec) -> Result<Sizes, Error> {
    if let Some(sizes) = spec.data.name.sizes() {
        return Ok(sizes);
    }
    match spec.data.load()? {
        Dataset::Images(splits) => Ok(splits.sizes()),
        Dataset::Text(_) => Err(Error::damaged(
            Path::new(SPEC_FILE),
            "its data are not images",
        )),
    }
}
