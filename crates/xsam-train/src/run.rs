//! One run: a model trained by a method from a seed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use xsam::{SharpnessAware, StepError};
use xsam_data::{Splits, batches, order, subset, with_label_noise};
use xsam_kernels::set_kernels;
use xsam_models::{ImageClassifier, Model, cast, parameter_count};

use crate::device::Place;
use crate::error::Error;
use crate::evaluation::{count, evaluate};
use crate::event::{Event, Listener, StopSignal};
use crate::files::{self, Existing};
use crate::loss::{correct, cross_entropy};
use crate::metrics::{Metrics, Sums};
use crate::schedule::learning_rate;
use crate::spec::Spec;
use crate::summary::{MARKER, RunSummary, SPEC_FILE, Status, same_spec};
use crate::{checkpoint, method};

/// A run and its directory: `spec.toml`, `metrics.csv`, `run.json`, `checkpoint/`.
#[derive(Debug)]
pub struct Run {
    model: Model,
    course: Course,
}

/// All of a run but the model, which is handed from step to step: a second handle on it would keep
/// the old weights until the new ones are written, and the base optimizer from working in place.
#[derive(Debug)]
struct Course {
    spec: Spec,
    directory: PathBuf,
    place: Place,
    data: Splits,
    changed_labels: usize,
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
        mut data: Splits,
        directory: &Path,
        existing: Existing,
    ) -> Result<Self, Error> {
        let sizes = data.sizes();
        spec.check_data(sizes)?;
        if let Some(n) = spec.data.subset {
            data.train = subset(&data.train, n)?;
        }
        let seed = spec.train.seed;
        let (train, changed_labels) = with_label_noise(&data.train, spec.data.label_noise, seed)?;
        data.train = train;

        let place = Place::new(spec.train.device, spec.train.precision);
        let model = spec.model_config(sizes).init(seed, &place.device)?;
        let model = cast(model, place.dtype);
        let mut optim = method::optimizer(&spec)?;

        files::prepare(directory, existing, MARKER)?;
        let spec_file = directory.join(SPEC_FILE);
        let (mut model, mut rows) = (model, Vec::new());
        if existing == Existing::Resume && spec_file.exists() {
            same_spec(directory, &spec)?;
            (model, rows) = checkpoint::load(directory, model, &mut optim)?;
        }
        let text = spec.to_toml()?;
        let course = Course {
            spec,
            directory: directory.to_owned(),
            place,
            data,
            changed_labels,
            parameters: parameter_count(&model),
            optim,
            rows,
        };
        // The marker comes first: a directory with it can be resumed, however little else is there.
        course.write(Status::Running, None)?;
        files::write(&spec_file, &text)?;
        Ok(Self { model, course })
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
        self.course.train(self.model, stop, listener)
    }
}

impl Course {
    fn train(
        mut self,
        model: Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<RunSummary, Error> {
        set_kernels(self.spec.train.kernels);
        let images = self.data.train.len();
        listener(Event::Started {
            directory: &self.directory,
            spec: &self.spec,
            done: self.rows.len(),
            steps: images.div_ceil(self.spec.train.batch_size),
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
        mut model: Model,
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
            let done = self.rows.len();
            if done == epochs || done.is_multiple_of(self.spec.train.checkpoint_every) {
                checkpoint::save(&self.directory, &model, &self.optim, &self.rows)?;
            }
            self.write(Status::Running, None)?;
        }
        Ok(Status::Finished)
    }

    /// The model after one epoch, and the epoch's row; no row if it was stopped.
    fn epoch(
        &mut self,
        mut model: Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<(Model, Option<Metrics>), Error> {
        let epoch = self.rows.len();
        let lr = learning_rate(&self.spec, epoch);
        let order = order(self.data.train.len(), self.spec.train.seed, epoch as u64);
        let start = Instant::now();
        let mut sums = Sums::default();
        self.optim.start_epoch();
        for (i, indices) in batches(&order, self.spec.train.batch_size)?.enumerate() {
            if stop.is_set() {
                return Ok((model, None));
            }
            let batch = self
                .place
                .batch(&self.data.train, &self.data.normalization, indices)?;
            self.place.device.seed(self.step_seed(epoch, i));
            let step_error = |source| Error::Step {
                epoch: epoch + 1,
                step: i + 1,
                source,
            };
            let step = self
                .optim
                .step(lr, model, |model: &Model| {
                    let logits = model.forward(batch.images.clone());
                    let loss = cross_entropy(logits.clone(), batch.targets.clone());
                    (loss, logits)
                })
                .map_err(|failure| step_error(StepError::from(failure)))?;
            model = step.model;
            let hits = count(correct(step.output.inner(), batch.targets.clone().inner()))?;
            sums.add(&step.report, hits, indices.len());
            listener(Event::Step {
                epoch: epoch + 1,
                step: i + 1,
                report: &step.report,
            });
        }
        let seconds = start.elapsed().as_secs_f64();

        let valid = model.valid();
        let place = self.place.inner();
        let score = |part| evaluate(&valid, &place, part, &self.data.normalization);
        let (validation, test) = (score(&self.data.validation)?, score(&self.data.test)?);
        let row = sums.metrics(epoch + 1, lr, validation, test, seconds);
        Ok((model, Some(row)))
    }

    /// Dropout of a step depends on seed, epoch and step alone.
    fn step_seed(&self, epoch: usize, step: usize) -> u64 {
        let position = ((epoch as u64) << 32) + step as u64;
        // Neighbouring positions far apart: the multiplier is 2^64 / golden ratio.
        let spread = position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.spec.train.seed.rotate_left(32) ^ spread
    }

    fn write(&self, status: Status, error: Option<String>) -> Result<RunSummary, Error> {
        let summary = RunSummary {
            status,
            error,
            method: self.optim.method().to_owned(),
            seed: self.spec.train.seed,
            parameters: self.parameters,
            changed_labels: self.changed_labels,
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
