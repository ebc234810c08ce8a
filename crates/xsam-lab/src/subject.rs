//! What is measured: a trained model, and the training data that its loss is taken over.

use std::path::PathBuf;

use burn::tensor::{FloatDType, Tensor};
use xsam_flatness::{FlatnessError, LossSurface, Mode};
use xsam_kernels::set_kernels;
use xsam_weights::cast;

use crate::changed_data::differences;
use crate::error::Error;
use crate::place::Place;
use crate::setup::Setup;
use crate::shared::Shared;
use crate::spec::{DeviceName, Precision, Spec, SpecError, TaskSpec};
use crate::summary::read_spec;
use crate::task::{SampleSizes, Task};
use crate::tasks::{Tasks, Visitor};
use crate::trained::{Trained, folder_of, run_of};

/// Where a trained model is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject<S> {
    /// The directory of a run, for its latest checkpoint, a folder in its `checkpoint/`, or a file of weights for
    /// PyTorch.
    pub path: PathBuf,
    /// Of a file of weights, whose model it is and by which data it is measured.
    pub spec: Option<Spec<S>>,
    /// Where to compute, if not where the run did.
    pub device: Option<DeviceName>,
    /// Whether data are taken that are not those that a run was trained on. In what they differ is then among the
    /// warnings.
    pub changed_data: bool,
}

/// What there is of a subject.
enum Found<'a, S> {
    /// A run in this directory.
    Run(PathBuf),
    /// A file of weights of a model of this spec.
    Weights(&'a Spec<S>),
}

impl<S: TaskSpec> Subject<S> {
    /// A run or one of its checkpoints.
    pub fn run(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            spec: None,
            device: None,
            changed_data: false,
        }
    }

    /// Checks that there is such a subject, before others are measured.
    ///
    /// # Errors
    /// If there is neither a run nor a file of weights with a spec, or a spec is given with a run.
    pub fn check(&self) -> Result<(), Error> {
        self.found().map(drop)
    }

    fn found(&self) -> Result<Found<'_, S>, Error> {
        let path = self.path.display();
        let refused = |message: String| Err(SpecError::new("", message).into());
        match (&self.spec, self.path.is_file()) {
            (Some(spec), true) => Ok(Found::Weights(spec)),
            (None, true) => refused(format!(
                "{path} is a file of weights: say of which model they are and for which data, with --spec, --preset or \
                 --set"
            )),
            (Some(_), false) if self.path.exists() => refused(format!(
                "{path} is not a file of weights: a run has a spec of its own"
            )),
            (_, false) => run_of(&self.path).map(Found::Run),
        }
    }

    /// The directory of results about it: that of the run, or one beside the file.
    pub(crate) fn directory(&self) -> Result<PathBuf, Error> {
        match self.found()? {
            Found::Run(directory) => Ok(directory),
            Found::Weights(_) => Ok(folder_of(&self.path)),
        }
    }

    /// The sections of its task.
    pub(crate) fn task(&self) -> Result<S, Error> {
        match self.found()? {
            Found::Run(directory) => Ok(read_spec::<S>(&directory)?.task),
            Found::Weights(spec) => Ok(spec.task.clone()),
        }
    }

    /// Loads the model of this [task](Self::task).
    pub(crate) fn load<T: Task<Spec = S>>(&self) -> Result<Trained<T>, Error> {
        let Some(spec) = &self.spec else {
            return Trained::load_on(&self.path, self.device);
        };
        let mut spec = spec.clone();
        spec.train.device = self.device.unwrap_or(spec.train.device);
        Trained::of_weights(&self.path, spec)
    }
}

/// Which loss is looked at: of some of the training data, as they are, without augmentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Samples of the training data.
    pub samples: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// Whether the model computes as in training: statistics of the batch, dropout.
    pub training: bool,
    /// Number format, if it is not to be the run's; of a run in mixed precision, single.
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
        self.precision.map_or(Ok(()), Precision::check_full)?;
        SpecError::unless(self.samples >= 1, "samples", self.samples, "at least 1")?;
        SpecError::unless(self.batch >= 1, "batch", self.batch, "at least 1")
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
    pub(crate) trained: &'a Trained<T>,
    pub(crate) precision: Precision,
    pub(crate) dtype: FloatDType,
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

impl Data {
    /// That they are others, if they are.
    pub(crate) fn warning(&self) -> Option<String> {
        let differences = self.differences.as_ref()?;
        Some(format!(
            "measured on other data than it was trained on: {differences}"
        ))
    }
}

impl<T: Task> Scene<'_, T> {
    /// What a person should know of model and data, in sentences.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let of_model = self.trained.warnings.iter().cloned();
        let of_data = self.data.warning().into_iter();
        of_model
            .chain(of_data)
            .chain(self.task.warnings())
            .collect()
    }

    /// The mean loss of batch `i`.
    pub(crate) fn loss(&self, model: &T::Model, i: usize) -> Tensor<1> {
        let noise = self.sample.training.then_some(self.sample.seed ^ i as u64);
        self.task.loss(model, &self.batches[i], noise).0
    }

    /// The loss around the weights.
    #[allow(clippy::type_complexity, reason = "a closure's type has no name")]
    pub(crate) fn surface(
        &self,
    ) -> Result<LossSurface<T::Model, impl FnMut(&T::Model, usize) -> Tensor<1>>, FlatnessError>
    {
        let loss = |model: &T::Model, i: usize| self.loss(model, i);
        let mode = match self.sample.training {
            false => Mode::Evaluation,
            true => Mode::Training,
        };
        let surface = LossSurface::new(&self.model, mode, &self.counts, loss)?;
        Ok(surface.with_seed(self.sample.seed))
    }
}

/// Something that is measured of any model.
pub(crate) trait Measure {
    type Output;

    fn of<T: Task>(self, scene: &Scene<'_, T>) -> Result<Self::Output, Error>;
}

/// Loads a trained model and its data, and measures.
pub(crate) fn measured<L: Tasks, M: Measure>(
    subject: &Subject<L::Spec>,
    sample: &Sample,
    measurement: M,
) -> Result<M::Output, Error> {
    let measuring = Measuring {
        subject,
        sample,
        measurement,
    };
    L::visit(&subject.task()?, measuring)
}

struct Measuring<'a, S, M> {
    subject: &'a Subject<S>,
    sample: &'a Sample,
    measurement: M,
}

impl<S: TaskSpec, M: Measure> Visitor<S> for Measuring<'_, S, M> {
    type Output = M::Output;

    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<M::Output, Error> {
        let (subject, sample) = (self.subject, self.sample);
        let trained = subject.load::<T>()?;
        let of_run = trained.spec.train.precision.full();
        let precision = sample.precision.unwrap_or(of_run);
        let place = Place::new(trained.spec.train.device, precision)?;
        let (task, data) = trained.task(subject, &place)?;
        let sizes = SampleSizes {
            all: sample.samples,
            batch: sample.batch,
        };
        let (batches, counts) = task.sample(sizes, sample.seed)?.into_iter().unzip();
        self.measurement.of(&Scene {
            trained: &trained,
            precision,
            dtype: place.dtype,
            model: cast(trained.model.clone(), place.dtype),
            task: &task,
            sample,
            data,
            batches,
            counts,
        })
    }
}

impl<T: Task> Trained<T> {
    /// The task with the data that there are now, at a place that may have another number format, and what the data are.
    pub(crate) fn task(
        &self,
        subject: &Subject<T::Spec>,
        place: &Place,
    ) -> Result<(T, Data), Error> {
        set_kernels(self.spec.train.kernels);
        let shared = Shared::default();
        // A file of weights has kept nothing.
        let run = subject.spec.is_none().then_some(self.run.as_path());
        let setup = Setup::new(&self.spec, place, &shared).of_run(run);
        let print = T::fingerprint(&setup)?;
        let both = (self.data.as_ref(), print.as_ref());
        let data = Data {
            differences: differences::<T>(&self.run, both, subject.changed_data)?,
            digest: print.map_or_else(String::new, |print| print.digest()),
        };
        Ok((T::new(&setup)?, data))
    }
}
