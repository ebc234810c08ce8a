//! What is measured: a trained model, and the training data that its loss is taken over.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use xsam_data::Dataset;
use xsam_flatness::{FlatnessError, LossSurface, Mode};
use xsam_kernels::set_kernels;
use xsam_models::cast;

use crate::changed_data::differences;
use crate::device::Place;
use crate::error::Error;
use crate::spec::{DeviceName, Precision, Spec, SpecError};
use crate::summary::SPEC_FILE;
use crate::task::{Classification, SampleSizes, Task, Translation};
use crate::trained::{Trained, TrainedModel, run_of};

/// Where a trained model is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The directory of a run, for its latest checkpoint, a folder in its `checkpoint/`, or a file of weights for
    /// PyTorch.
    pub path: PathBuf,
    /// Of a file of weights, whose model it is and by which data it is measured.
    pub spec: Option<Spec>,
    /// Where to compute, if not where the run did.
    pub device: Option<DeviceName>,
    /// Whether data are taken that are not those that a run was trained on. In what they differ is then among the
    /// warnings.
    pub changed_data: bool,
}

impl Subject {
    /// A run or one of its checkpoints.
    pub fn run(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            spec: None,
            device: None,
            changed_data: false,
        }
    }

    /// Checks that there is a model to load: a run, or a file of weights with a spec.
    ///
    /// # Errors
    /// If there is neither, or a spec is given with a run.
    pub fn check(&self) -> Result<(), Error> {
        let path = self.path.display();
        let refused = |message: String| Err(SpecError::new("", message).into());
        match (&self.spec, self.path.is_file()) {
            (Some(_), true) => Ok(()),
            (None, true) => refused(format!(
                "{path} is a file of weights: say of which model they are and for which data, with --spec, --preset or \
                 --set"
            )),
            (Some(_), false) if self.path.exists() => refused(format!(
                "{path} is not a file of weights: a run has a spec of its own"
            )),
            (_, false) => run_of(&self.path).map(drop),
        }
    }

    /// Loads the model.
    pub(crate) fn load(&self) -> Result<Trained, Error> {
        self.check()?;
        match (&self.spec, self.device) {
            (Some(spec), device) => {
                let mut spec = spec.clone();
                spec.train.device = device.unwrap_or(spec.train.device);
                Trained::of_weights(&self.path, spec)
            }
            (None, Some(device)) => Trained::load_on(&self.path, device),
            (None, None) => Trained::load(&self.path),
        }
    }
}

/// Which loss is looked at: of some of the training data, as they are, without augmentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Samples of the training data: images, or pairs of sentences.
    pub samples: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// Whether the model computes as in training: statistics of the batch, dropout.
    pub training: bool,
    /// Number format, if it is not to be the run's.
    pub precision: Option<Precision>,
    /// Decides which samples, and all that is random in the measurements.
    pub seed: u64,
}

impl Default for Sample {
    /// 1,024 samples in evaluation mode.
    fn default() -> Self {
        Self {
            samples: 1024,
            batch: 128,
            training: false,
            precision: None,
            seed: 0,
        }
    }
}

impl Sample {
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        SpecError::unless(self.samples >= 1, "samples", self.samples, "at least 1")?;
        SpecError::unless(self.batch >= 1, "batch", self.batch, "at least 1")
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.training {
            false => Mode::Evaluation,
            true => Mode::Training,
        }
    }
}

/// How a model computes, in a word.
pub(crate) fn mode_name(training: bool) -> &'static str {
    match training {
        false => "evaluation",
        true => "training",
    }
}

/// A model with its task, and the batches that are looked at.
pub(crate) struct Scene<'a, T: Task> {
    pub(crate) trained: &'a Trained,
    pub(crate) precision: Precision,
    pub(crate) model: T::Model,
    pub(crate) task: &'a T,
    pub(crate) sample: &'a Sample,
    /// What its data consist of, and in what they differ from those of the run.
    pub(crate) data: Data,
    batches: Vec<T::Batch>,
    /// Of each batch over how many items its loss is a mean.
    pub(crate) counts: Vec<usize>,
}

/// The data that a measurement is made on.
#[derive(Debug)]
pub(crate) struct Data {
    /// All of them in one hash.
    pub(crate) digest: String,
    /// In what they differ from those of the run, if they do and that was allowed.
    pub(crate) differences: Option<String>,
}

impl<T: Task> Scene<'_, T> {
    /// What a person should know of model and data, in sentences.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let differences = self.data.differences.iter();
        let told = differences.map(|differences| {
            format!("measured on other data than it was trained on: {differences}")
        });
        let of_model = self.trained.warnings.iter().cloned();
        of_model.chain(told).chain(self.task.warnings()).collect()
    }

    /// The mean loss of batch `i`.
    pub(crate) fn loss(&self, model: &T::Model, i: usize) -> Tensor<1> {
        let masks = self.sample.training.then_some(self.sample.seed ^ i as u64);
        self.task.plain_loss(model, &self.batches[i], masks)
    }

    /// The loss around the weights.
    #[allow(clippy::type_complexity, reason = "a closure's type has no name")]
    pub(crate) fn surface(
        &self,
    ) -> Result<LossSurface<T::Model, impl FnMut(&T::Model, usize) -> Tensor<1>>, FlatnessError>
    {
        let loss = |model: &T::Model, i: usize| self.loss(model, i);
        let surface = LossSurface::new(&self.model, self.sample.mode(), &self.counts, loss)?;
        Ok(surface.with_seed(self.sample.seed))
    }
}

/// Something that is measured of any model.
pub(crate) trait Measurement {
    type Output;

    fn of<T: Task + Sync>(self, scene: &Scene<'_, T>) -> Result<Self::Output, Error>
    where
        T::Batch: Sync,
        T::Model: Sync;
}

/// Loads the data of a trained model and measures.
pub(crate) fn measured<M: Measurement>(
    subject: &Subject,
    trained: &Trained,
    sample: &Sample,
    measurement: M,
) -> Result<M::Output, Error> {
    let run = &trained.spec;
    set_kernels(run.train.kernels);
    let precision = sample.precision.unwrap_or(run.train.precision);
    let place = Place::new(run.train.device, precision)?;
    let data = run.data.load()?;
    let print = data.fingerprint();
    let was = trained.data.as_ref();
    let differs = |was| differences(&trained.run, was, &print, subject.changed_data);
    let found = Data {
        differences: was.map(differs).transpose()?.flatten(),
        digest: print.digest(),
    };
    match (data, &trained.model) {
        (Dataset::Images(splits), TrainedModel::Classifier(model)) => {
            let task = Classification::new(run, splits, place.clone())?;
            let model = cast(model.clone(), place.dtype);
            measurement.of(&scene(trained, sample, found, precision, model, &task)?)
        }
        (Dataset::Text(text), TrainedModel::Translator(model, tokenizer)) => {
            let tokenizer = Some(tokenizer.clone());
            let task = Translation::with_tokenizer(run, text, place.clone(), tokenizer)?;
            let model = cast(model.clone(), place.dtype);
            measurement.of(&scene(trained, sample, found, precision, model, &task)?)
        }
        _ => {
            let path = trained.run.join(SPEC_FILE);
            Err(Error::damaged(&path, "its data are not for its model"))
        }
    }
}

fn scene<'a, T: Task>(
    trained: &'a Trained,
    sample: &'a Sample,
    data: Data,
    precision: Precision,
    model: T::Model,
    task: &'a T,
) -> Result<Scene<'a, T>, Error> {
    let sizes = SampleSizes {
        all: sample.samples,
        batch: sample.batch,
    };
    let (batches, counts) = task.sample(sizes, sample.seed)?.into_iter().unzip();
    Ok(Scene {
        trained,
        precision,
        model,
        task,
        sample,
        data,
        batches,
        counts,
    })
}

/// The results folder of a file of weights: beside it, with its name.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(".flatness");
    file.with_file_name(name)
}
