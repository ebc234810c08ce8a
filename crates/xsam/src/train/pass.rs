//! The batches of a step, run by the model's own training step.

use burn::module::{Module, ParamGroup, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn::train::{TrainOutput, TrainStep};

use super::HasLoss;
use crate::error::{PassPoint, StepError};
use crate::method::parameters;
use crate::pass::{Gradient, Pass, plus, scalar, sum};
use crate::random::{Randomness, Replay};
use crate::vector::ParamVector;

/// A batch on which a training step was made.
pub(super) struct Batch<I> {
    pub(super) item: I,
    /// The loss of it at the weights, without a graph.
    pub(super) loss: Tensor<1>,
    /// Where it was computed.
    pub(super) device: Device,
    /// Which random numbers it was computed with, and what begins every other pass over it.
    pub(super) randomness: Randomness,
    pub(super) replay: Option<Replay>,
}

impl<I: Clone> Batch<I> {
    /// The training step of `model` on it, with the random numbers of the first.
    fn run<M: TrainStep<Input = I>>(&self, model: &M) -> TrainOutput<M::Output> {
        Replay::rewind(self.replay.as_ref());
        TrainStep::step(model, self.item.clone())
    }
}

/// The sum over the batches of a step, as the loop sums their gradients. The pass at the weights has been made.
pub(super) struct Batches<I> {
    batches: Vec<Batch<I>>,
    /// The gradient of the pass at the weights, until it is asked for, or for the whole step, which may have to be made again.
    at_weights: Option<ParamVector>,
    kept: bool,
    /// The parameter that alone is tracked in a pass without gradients.
    tracked: Vec<ParamId>,
}

impl<I> Batches<I> {
    /// From the gradients that the loop has summed, which are kept for the whole step or not.
    pub(super) fn new<M: Module>(
        batches: Vec<Batch<I>>,
        model: &M,
        gradients: GradientsParams,
        kept: bool,
    ) -> Self {
        let gradient = parameters::vector_of(model, gradients);
        let last = gradient.entries().last();
        Self {
            tracked: last.map(|(id, _)| *id).into_iter().collect(),
            batches,
            at_weights: Some(gradient),
            kept,
        }
    }
}

impl<M> Pass<M> for Batches<M::Input>
where
    M: Module + TrainStep,
    M::Input: Clone,
    M::Output: HasLoss,
{
    type Output = ();

    fn gradient(
        &mut self,
        model: &M,
        _scale: f64,
        point: PassPoint,
    ) -> Result<Gradient<()>, StepError> {
        let at_weights = match self.kept {
            true => (self.at_weights.clone()).filter(|_| point == PassPoint::Weights),
            false => self.at_weights.take(),
        };
        let (loss, vector) = match at_weights {
            Some(vector) => {
                let loss = |batch: &Batch<M::Input>| scalar(batch.loss.clone());
                (sum(&self.batches, loss, |sum, loss| sum + loss)?, vector)
            }
            None => {
                let run = |batch: &Batch<M::Input>| {
                    let step = batch.run(model);
                    let vector = parameters::vector_of(model, step.grads);
                    scalar(step.item.loss()).map(|loss| (loss, vector))
                };
                sum(&self.batches, run, plus)?
            }
        };
        if vector.is_empty() {
            return Err(StepError::NoGradient);
        }
        Ok(Gradient {
            loss,
            vector,
            output: (),
        })
    }

    fn loss(&mut self, model: &M, _point: PassPoint) -> Result<Tensor<1>, StepError> {
        // A training step takes gradients, so the loss must depend on something. The last parameter that has one is
        // near the loss in nearly every model: from there back there is hardly a graph.
        let group = ParamGroup::from_ids(self.tracked.clone());
        let model = model.clone().set_require_grad_group(group, true);
        let loss = |batch: &Batch<M::Input>| scalar(batch.run(&model).item.loss());
        sum(&self.batches, loss, |sum, loss| sum + loss)
    }
}
