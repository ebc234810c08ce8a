//! What comes between a run and its task: nothing, or somebody who takes the time.

use burn::tensor::Tensor;

use crate::curvature::{Probe, Reading};
use crate::minibatches::Batches;
use crate::score::Scores;
use crate::stop::StopSignal;
use crate::task::{LossByLogits, LossBySamples, Task};
use crate::task_error::TaskError;

/// What a run asks of its task while it goes.
pub(crate) trait Watch<T: Task> {
    /// The batches of an epoch from number `first` on.
    fn batches<'a>(
        &'a self,
        task: &'a T,
        epoch: usize,
        first: usize,
    ) -> Result<Batches<'a, T::Batch>, TaskError> {
        task.batches(epoch, first)
    }

    /// The loss of a pass of a step.
    fn loss(
        &self,
        task: &T,
        model: &T::Model,
        batch: &T::Batch,
        noise: u64,
    ) -> (Tensor<1>, T::Output) {
        task.loss(model, batch, Some(noise))
    }

    /// The logits of a pass of a step, whose loss is told in two.
    fn logits(
        &self,
        (task, in_two): (&T, &LossByLogits<T>),
        model: &T::Model,
        batch: &T::Batch,
        noise: u64,
    ) -> Tensor<2> {
        (in_two.logits)(task, model, batch, Some(noise))
    }

    /// The losses of a pass of a step, which are told by samples.
    fn losses(
        &self,
        (task, by_samples): (&T, &LossBySamples<T>),
        model: &T::Model,
        batch: &T::Batch,
        noise: u64,
    ) -> (Tensor<1>, T::Output) {
        (by_samples.losses)(task, model, batch, Some(noise))
    }

    /// How the model does after `epochs` epochs.
    fn evaluate(
        &self,
        task: &T,
        model: &T::Model,
        epochs: usize,
        stop: &StopSignal,
    ) -> Result<Option<Scores>, TaskError> {
        task.evaluate(model, epochs, stop)
    }

    /// How sharp the training loss is around the weights.
    fn sharpness(
        &self,
        task: &T,
        model: &T::Model,
        probe: &Probe,
        stop: &StopSignal,
    ) -> Result<Option<Reading>, TaskError> {
        probe.read(task, model, stop)
    }
}

/// Watches nothing.
#[derive(Debug)]
pub(crate) struct Nobody;

impl<T: Task> Watch<T> for Nobody {}
