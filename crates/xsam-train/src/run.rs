//! One run: a model trained by a method from a seed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use xsam::{SharpnessAware, StepError};
use xsam_data::Dataset;
use xsam_kernels::set_kernels;
use xsam_models::{load_weights, parameter_count, read_weights};

use crate::device::Place;
use crate::error::Error;
use crate::event::{Event, Listener, StopSignal};
use crate::files::{self, Existing};
use crate::metrics::{Metrics, Sums, Times};
use crate::schedule::learning_rate;
use crate::spec::Spec;
use crate::summary::{MARKER, RunSummary, SPEC_FILE, Status, same_spec};
use crate::task::{Batches, Classification, Task, Translation};
use crate::{checkpoint, method};

/// A run and its directory: `spec.toml`, `metrics.csv`, `run.json`, `checkpoint/`; of a translation also
/// `tokenizer.json`, `translations.txt` and `bleu.json`.
#[derive(Debug)]
pub struct Run(Kind);

/// What a run learns.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one")]
enum Kind {
    Classification(Prepared<Classification>),
    Translation(Prepared<Translation>),
}

/// A run that has its model.
#[derive(Debug)]
struct Prepared<T: Task> {
    model: T::Model,
    course: Course<T>,
}

/// All of a run but the model, which is handed from step to step: a second handle on it would keep
/// the old weights until the new ones are written, and the base optimizer from working in place.
#[derive(Debug)]
struct Course<T> {
    spec: Spec,
    directory: PathBuf,
    place: Place,
    task: T,
    /// Steps in an epoch.
    steps: usize,
    parameters: usize,
    optim: SharpnessAware,
    rows: Vec<Metrics>,
}

impl Run {
    /// Prepares the run of `spec` in `directory`.
    ///
    /// # Errors
    /// If the spec cannot be, the directory exists and `existing` does not say what to do with it,
    /// or data or model cannot be made.
    pub fn prepare(spec: Spec, directory: &Path, existing: Existing) -> Result<Self, Error> {
        let spec = spec.resolved()?;
        let data = spec.data.load()?;
        Self::with_data(spec, data, directory, existing)
    }

    /// Prepares the run of a resolved spec on data that have been loaded.
    pub(crate) fn with_data(
        spec: Spec,
        data: Dataset,
        directory: &Path,
        existing: Existing,
    ) -> Result<Self, Error> {
        let place = Place::new(spec.train.device, spec.train.precision);
        Ok(Self(match data {
            Dataset::Images(splits) => {
                let task = Classification::new(&spec, splits, place.clone())?;
                Kind::Classification(Prepared::new(spec, task, place, directory, existing)?)
            }
            Dataset::Text(text) => {
                let task = Translation::new(&spec, text, place.clone())?;
                Kind::Translation(Prepared::new(spec, task, place, directory, existing)?)
            }
        }))
    }

    /// Trains until all epochs are done, `stop` asks for an end, or an error.
    ///
    /// After each epoch the files are up to date. A run that was stopped within an epoch can be
    /// resumed from the last checkpoint, and then equals one that was not.
    ///
    /// # Errors
    /// If a step fails, or a file cannot be written. What was reached is in the directory.
    pub fn train(
        self,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<RunSummary, Error> {
        match self.0 {
            Kind::Classification(Prepared { model, course }) => course.train(model, stop, listener),
            Kind::Translation(Prepared { model, course }) => course.train(model, stop, listener),
        }
    }
}

/// Makes the run of a resolved spec on a task of the caller's own, in a directory that does not exist yet.
///
/// # Errors
/// As of [`Run::prepare`] and [`Run::train`].
pub(crate) fn train_task<T: Task>(
    spec: Spec,
    task: T,
    place: Place,
    directory: &Path,
    stop: &StopSignal,
    listener: &mut Listener<'_>,
) -> Result<RunSummary, Error> {
    let run = Prepared::new(spec, task, place, directory, Existing::Refuse)?;
    run.course.train(run.model, stop, listener)
}

impl<T: Task> Prepared<T> {
    fn new(
        spec: Spec,
        task: T,
        place: Place,
        directory: &Path,
        existing: Existing,
    ) -> Result<Self, Error> {
        let mut model = task.model()?;
        if let Some(file) = &spec.model.init {
            model = load_weights(model, &read_weights(file)?)?;
        }
        let mut optim = method::optimizer(&spec)?;

        files::prepare(directory, existing, MARKER)?;
        task.keep(directory)?;
        let spec_file = directory.join(SPEC_FILE);
        let mut rows = Vec::new();
        if existing == Existing::Resume && spec_file.exists() {
            same_spec(directory, &spec)?;
            (model, rows) = checkpoint::load(directory, model, &mut optim)?;
        }
        let text = spec.to_toml()?;
        let course = Course {
            spec,
            directory: directory.to_owned(),
            place,
            steps: task.steps(),
            task,
            parameters: parameter_count(&model),
            optim,
            rows,
        };
        // The marker comes first: a directory with it can be resumed, however little else is there.
        course.write(Status::Running, None)?;
        files::write(&spec_file, &text)?;
        Ok(Self { model, course })
    }
}

impl<T: Task> Course<T> {
    fn train(
        mut self,
        model: T::Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<RunSummary, Error> {
        set_kernels(self.spec.train.kernels);
        listener(Event::Started {
            directory: &self.directory,
            spec: &self.spec,
            done: self.rows.len(),
            steps: self.steps,
        });
        let status = match self.epochs(model, stop, listener) {
            Ok(status) => status,
            Err(error) => {
                // The first error is the one to tell, whatever comes of writing it down.
                let _ = self.write(Status::Failed, Some(error.to_string()));
                return Err(error);
            }
        };
        let summary = self.write(status, None)?;
        listener(Event::Ended(&summary));
        Ok(summary)
    }

    fn epochs(
        &mut self,
        mut model: T::Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<Status, Error> {
        let epochs = self.spec.train.epochs;
        while self.rows.len() < epochs {
            let row;
            (model, row) = self.epoch(model, stop, listener)?;
            let Some(row) = row else {
                return Ok(Status::Interrupted);
            };
            listener(Event::Epoch(&row));
            self.rows.push(row);
            let train = &self.spec.train;
            if train.is_due(train.checkpoint_every, self.rows.len()) {
                let keep = train.keep_checkpoints;
                checkpoint::save(&self.directory, &model, &self.optim, &self.rows, keep)?;
            }
            self.write(Status::Running, None)?;
        }
        Ok(Status::Finished)
    }

    /// The model after one epoch, and the epoch's row; no row if it was stopped.
    fn epoch(
        &mut self,
        mut model: T::Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<(T::Model, Option<Metrics>), Error> {
        let epoch = self.rows.len();
        let mut lr = 0.0;
        let start = Instant::now();
        let mut sums = Sums::default();
        self.optim.start_epoch();
        let mut batches = self.task.batches(epoch)?;
        for (i, batch) in batches.by_ref().enumerate() {
            let batch = batch?;
            if stop.is_set() {
                return Ok((model, None));
            }
            lr = learning_rate(&self.spec, epoch * self.steps + i, self.steps);
            let seed = step_seed(self.spec.train.seed, epoch, i);
            self.place.device.seed(seed);
            let step_error = |source| Error::Step {
                epoch: epoch + 1,
                step: i + 1,
                source,
            };
            let loss = |model: &T::Model| self.task.loss(model, &batch, seed);
            let step = self
                .optim
                .step(lr, model, loss)
                .map_err(|failure| step_error(StepError::from(failure)))?;
            model = step.model;
            sums.add(&step.report, self.task.hits(&batch, step.output)?);
            listener(Event::Step {
                epoch: epoch + 1,
                step: i + 1,
                report: &step.report,
            });
        }
        let times = Times {
            steps: start.elapsed().as_secs_f64(),
            waited: batches.waited().as_secs_f64(),
        };
        let mut scores = None;
        let train = &self.spec.train;
        if train.is_due(train.evaluate_every, epoch + 1) {
            let scores = scores.insert(self.task.scores(&model.valid(), epoch + 1)?);
            for (name, text) in &scores.files {
                files::write(&self.directory.join(name), text)?;
            }
        }
        let row = sums.metrics(epoch + 1, lr, scores.as_ref(), times);
        Ok((model, Some(row)))
    }

    fn write(&self, status: Status, error: Option<String>) -> Result<RunSummary, Error> {
        let summary = RunSummary {
            status,
            error,
            method: self.optim.method().to_owned(),
            seed: self.spec.train.seed,
            parameters: self.parameters,
            changed_labels: self.task.changed_labels(),
            ..RunSummary::default()
        };
        let summary = summary.with_rows(&self.rows);
        files::write(
            &self.directory.join("metrics.csv"),
            &Metrics::csv(&self.rows),
        )?;
        summary.write(&self.directory)?;
        Ok(summary)
    }
}

/// Dropout of a step depends on seed, epoch and step alone.
fn step_seed(seed: u64, epoch: usize, step: usize) -> u64 {
    let position = ((epoch as u64) << 32) + step as u64;
    // Neighbouring positions far apart: the multiplier is 2^64 / golden ratio.
    let spread = position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    seed.rotate_left(32) ^ spread
}
