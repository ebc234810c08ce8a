//! A model in training, whose steps are timed.

use std::time::Instant;

use burn::module::Module;
use burn::tensor::Tensor;
use xsam::SharpnessAware;
use xsam_lab::spec::{OptimizerSpec, SpecError};
use xsam_lab::tools::{Parts, PassTimes};
use xsam_lab::{Error, Place};

use super::LEARNING_RATE;

/// A model whose steps are timed, and a batch for it.
pub(super) trait Timed {
    type Model: Module;
    type Batch;

    /// Checks all that does not depend on the batch, and that a batch of that size can be.
    fn check(&self, batch: usize) -> Result<(), SpecError>;

    fn optimizer(&self) -> OptimizerSpec;

    fn start(&self, batch: usize, place: &Place) -> Result<(Self::Model, Self::Batch), Error>;

    /// Logits `[items, classes]`, with what `masks` decide dropped out.
    fn logits(model: &Self::Model, batch: &Self::Batch, masks: u64) -> Tensor<2>;

    /// The mean loss of logits, `[1]`.
    fn loss(logits: Tensor<2>, batch: &Self::Batch) -> Tensor<1>;

    /// The loss of each sample, `[samples]`.
    fn losses(model: &Self::Model, batch: &Self::Batch, masks: u64) -> Tensor<1>;

    /// The samples with these numbers.
    fn chosen(batch: &Self::Batch, numbers: &[usize]) -> Self::Batch;
}

/// What a step took.
pub(super) struct Taken {
    pub(super) seconds: f64,
    /// Of the search in it, if there was one.
    pub(super) search: Option<f64>,
    pub(super) read_backs: u64,
}

/// A model in the middle of training.
pub(super) struct Trainee<'a, T: Timed> {
    pub(super) place: &'a Place,
    pub(super) optim: SharpnessAware,
    pub(super) model: T::Model,
    /// A batch that is not split is one part.
    pub(super) batch: [T::Batch; 1],
    pub(super) steps: usize,
}

impl<T: Timed> Trainee<'_, T> {
    /// A step, and what it took.
    pub(super) fn step(mut self) -> Result<(Self, Taken), Error> {
        self.steps += 1;
        let masks = self.steps as u64;
        let mut passes = PassTimes::default();
        let start = Instant::now();
        let (lr, batch) = (LEARNING_RATE, &self.batch);
        let made = if self.optim.needs_logits() {
            let logits =
                |model: &T::Model, batch: &T::Batch| passes.of(|| T::logits(model, batch, masks));
            let made = self
                .optim
                .step_by_logits(lr, self.model, batch, logits, T::loss);
            made.map(|step| (step.model, step.report))
        } else if self.optim.needs_samples() {
            let losses =
                |model: &T::Model, batch: &T::Batch| passes.of(|| T::losses(model, batch, masks));
            let made = self
                .optim
                .step_by_samples(lr, self.model, batch, losses, T::chosen);
            made.map(|step| (step.model, step.report))
        } else {
            let [batch] = batch;
            let loss =
                |model: &T::Model| passes.of(|| T::loss(T::logits(model, batch, masks), batch));
            let made = self.optim.step(lr, self.model, loss);
            made.map(|step| (step.model, step.report))
        };
        let (model, report) = made.map_err(|failure| Error::Step {
            epoch: 1,
            step: self.steps,
            source: failure.into(),
            before: String::new(),
        })?;
        let synced = self.place.device.sync();
        let seconds = start.elapsed().as_secs_f64();
        synced.map_err(|error| Error::Device(error.to_string()))?;
        self.model = model;
        let taken = Taken {
            seconds,
            search: passes.of_search(&report, Parts::WHOLE),
            read_backs: report.read_backs,
        };
        Ok((self, taken))
    }
}
