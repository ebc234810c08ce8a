//! The loss of the current mini-batch as a function on parameter space.
//!
//! A method asks three things of it: go up along a direction, take loss and gradient there, and tell
//! the losses at some points. That it runs a model and a closure behind this is hidden, so that a
//! method is plain code over vectors.

use std::collections::HashSet;

use burn::module::{Module, ParamGroup, ParamId};
use burn::tensor::{DType, GradientCheckpointingStrategy, Tensor};

use crate::collective::Ranks;
use crate::error::{PassPoint, StepError};
use crate::loss_scale::LossScale;
use crate::method::parameters;
use crate::number::Number;
use crate::pass::{self, Gradient, Pass};
use crate::random::Replay;
use crate::readings::Readings;
use crate::vector::{ParamVector, Reductions};

/// Loss and gradient at one point.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The loss at this point.
    pub loss: Number,
    /// The gradient at this point.
    pub gradient: ParamVector,
    /// The gradient's norm over all parameters together.
    pub norm: Number,
}

impl Evaluation {
    /// Backward pass of `loss`, a tracked scalar that was computed from `model`; `point` is for errors. One
    /// read-back.
    ///
    /// # Errors
    /// If loss or gradient are not finite, no parameter has a gradient, or the loss is not a tracked scalar.
    pub fn of<M: Module>(model: &M, loss: Tensor<1>, point: PassPoint) -> Result<Self, StepError> {
        let (loss, gradient) = pass::backward(model, loss, 1.0)?;
        let readings = Readings::default();
        Self::made(loss, gradient, point, &mut None, &readings)?.ok_or(StepError::NoGradient)
    }

    /// Loss and gradient of a pass whose loss was scaled. One read-back, if numbers are read at once. `None` if the scale was
    /// too large: it has been made smaller, and the pass is to be made again.
    pub(crate) fn made(
        loss: Tensor<1>,
        gradient: ParamVector,
        point: PassPoint,
        scale: &mut Option<LossScale>,
        readings: &Readings,
    ) -> Result<Option<Self>, StepError> {
        let asked = Reductions::default().scalar(loss);
        let [loss, squared_norm] = readings.take(asked.dot(&gradient, &gradient))?;
        // That what waits is finite is checked when it is read.
        if let Some(value) = loss.known().filter(|loss| !loss.is_finite()) {
            return Err(StepError::NonFiniteLoss { point, value });
        }
        if squared_norm
            .known()
            .is_some_and(|square| !square.is_finite())
        {
            let loss = loss.known().unwrap_or(f64::NAN);
            return match scale.as_mut().is_some_and(LossScale::back_off) {
                true => Ok(None),
                false => Err(StepError::NonFiniteGradient { point, loss }),
            };
        }
        let factor = 1.0 / scale.map_or(1.0, |scale| scale.scale());
        Ok(Some(Self {
            loss,
            gradient: gradient.scale(factor),
            norm: squared_norm.sqrt() * factor,
        }))
    }
}

/// The mini-batch loss around the current weights.
///
/// It keeps one point, which starts at the weights. All passes are in training mode (batch
/// statistics, dropout on) and leave the running statistics of the model as they are.
pub trait Objective {
    /// Moves the point by `length * direction`. Makes one full-size copy, which replaces the last.
    fn advance(&mut self, length: Number, direction: &ParamVector);

    /// Loss and gradient at the point: a forward-backward pass, and one read-back if numbers are read at once.
    ///
    /// # Errors
    /// If loss or gradient are not finite, or the closure's loss is not a tracked scalar.
    fn evaluate(&mut self) -> Result<Evaluation, StepError>;

    /// As [`evaluate`](Self::evaluate), with the loss's derivative by the logits as it is at the weights: the gradient is what
    /// the function's own change makes of it (Functional SAM). The loss is that of the point.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); [`StepError::NoLogits`] where the loss is not told in two.
    fn evaluate_function(&mut self) -> Result<Evaluation, StepError> {
        Err(StepError::NoLogits)
    }

    /// As [`evaluate`](Self::evaluate), with the gradient of some of the samples alone (ESAM): this `share` of them, rounded
    /// up, whose losses have risen most from the weights to the point. The loss is that of all of them. Cost: a forward pass
    /// without a graph over all samples, a read-back of their losses, and a forward-backward pass over the chosen ones.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); [`StepError::NoSamples`] where the loss is not told by samples.
    fn evaluate_risen(&mut self, _share: f64) -> Result<Evaluation, StepError> {
        Err(StepError::NoSamples)
    }

    /// Brings the point back to the weights and frees its copy.
    fn reset(&mut self);

    /// The losses at the weights plus each of `offsets` (sums of `factor * vector`), in their order:
    /// a forward pass without a graph each, and one read-back in all. They need not be finite.
    ///
    /// # Errors
    /// If the closure's loss is not a scalar, or the device fails.
    fn losses(&mut self, offsets: &[Vec<(Number, &ParamVector)>]) -> Result<Vec<f64>, StepError>;

    /// Whether `here` holds on all ranks, where each ascends by itself; all of them must ask. What a method does or leaves
    /// depending on its own gradient is to be asked for before [`losses`](Self::losses), which are means over the ranks.
    ///
    /// # Errors
    /// If a rank has left the step.
    fn on_all_ranks(&mut self, here: bool) -> Result<bool, StepError> {
        Ok(here)
    }

    /// The values at the point of the parameters that `like` has. Shares the tensors.
    fn weights(&self, like: &ParamVector) -> ParamVector;

    /// The parameters that are biases by name (`bias`, or `beta` of Burn's normalisation layers).
    fn biases(&self) -> HashSet<ParamId>;

    /// The parameters that `group` matches, of those that require a gradient.
    fn members(&self, group: &ParamGroup) -> HashSet<ParamId>;
}

/// How often the model was run over the batch in a step. A pass over one of n parts of the batch is an n-th of one; the
/// sum is rounded up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Passes {
    /// Forward-backward passes, the one at the weights included. One over a share of the samples counts as a whole one.
    pub gradients: usize,
    /// Forward passes without a gradient.
    pub losses: usize,
    /// How much less than `gradients` it was, where a pass was over a share of the samples (ESAM); 0 as a rule.
    pub spared: f64,
}

impl Passes {
    /// Forward-backward passes, of which one over a share of the samples is that share of one.
    pub fn gradient_passes(self) -> f64 {
        self.gradients as f64 - self.spared
    }

    /// Passes over parts of a batch, of which there are so many, as passes over the whole; rounded up.
    pub(crate) fn over(self, parts: usize) -> Self {
        Self {
            gradients: self.gradients.div_ceil(parts),
            losses: self.losses.div_ceil(parts),
            spared: self.spared / parts as f64,
        }
    }
}

/// A forward-backward pass of some kind.
type GradientOf<M, P> =
    fn(&mut P, &M, f64, PassPoint) -> Result<Gradient<<P as Pass<M>>::Output>, StepError>;

/// [`Objective`] of a model and a batch.
pub(crate) struct BatchObjective<'a, 'b, M, P> {
    pub(crate) model: &'a M,
    pub(crate) pass: &'a mut P,
    pub(crate) replay: Option<Replay>,
    pub(crate) strategy: GradientCheckpointingStrategy,
    pub(crate) scale: &'a mut Option<LossScale>,
    pub(crate) readings: Readings,
    pub(crate) ranks: Option<&'a mut Ranks<'b>>,
    /// Where the last ascent step has led; `None` at the weights.
    pub(crate) point: Option<M>,
    pub(crate) ascents: usize,
    pub(crate) passes: Passes,
}

impl<M: Module, P: Pass<M>> BatchObjective<'_, '_, M, P> {
    /// The pass at the weights, or `offset` from them, which counts: the model whose statistics it has updated, beginning
    /// with those of `counted`, loss and gradient, and the caller's output.
    ///
    /// A pass that must be repeated with a smaller loss scale begins with them again.
    pub(crate) fn first(
        &mut self,
        counted: &M,
        offset: Option<(Number, &ParamVector)>,
    ) -> Result<(M, Evaluation, P::Output), StepError> {
        loop {
            let counted = parameters::independent(counted, self.strategy);
            // A clone shares its statistics.
            let moved = offset.as_ref().map(|(length, vector)| {
                parameters::displaced(counted.clone(), &[(length.clone(), *vector)])
            });
            let point = moved.as_ref().unwrap_or(&counted);
            let made = self.attempt(point, PassPoint::Weights, P::gradient)?;
            if let Some((evaluation, output)) = made {
                return Ok((counted, evaluation, output));
            }
        }
    }

    fn attempt(
        &mut self,
        model: &M,
        point: PassPoint,
        gradient: GradientOf<M, P>,
    ) -> Result<Option<(Evaluation, P::Output)>, StepError> {
        Replay::rewind(self.replay.as_ref());
        self.passes.gradients += 1;
        let scale = self.scale.map_or(1.0, |scale| scale.scale());
        let mut found = gradient(self.pass, model, scale, point)?;
        if let Some(ranks) = &mut self.ranks {
            found = ranks.gradient(found)?;
        }
        let (loss, vector) = (found.loss, found.vector);
        let evaluation = Evaluation::made(loss, vector, point, self.scale, &self.readings)?;
        Ok(evaluation.map(|evaluation| (evaluation, found.output)))
    }

    /// Loss and gradient at the point, by a pass of this kind.
    fn at_point(&mut self, gradient: GradientOf<M, P>) -> Result<Evaluation, StepError> {
        let at = self.at();
        let point = self
            .point
            .take()
            .unwrap_or_else(|| parameters::independent(self.model, self.strategy));
        let evaluation = loop {
            if let Some((evaluation, _)) = self.attempt(&point, at, gradient)? {
                break evaluation;
            }
        };
        if self.ascents > 0 {
            self.point = Some(point);
        }
        Ok(evaluation)
    }

    /// Losses without those of other ranks, and the type of number that they were computed in.
    fn own_losses(
        &mut self,
        offsets: &[Vec<(Number, &ParamVector)>],
    ) -> Result<(Vec<f64>, DType), StepError> {
        let mut losses = Reductions::default();
        let mut dtype = DType::F64;
        for offset in offsets {
            let candidate = parameters::displaced(
                parameters::independent(self.model, self.strategy).no_grad(),
                offset,
            );
            Replay::rewind(self.replay.as_ref());
            let at = PassPoint::Candidate(self.passes.losses);
            self.passes.losses += 1;
            let loss = self.pass.loss(&candidate, at)?;
            dtype = loss.dtype();
            losses = losses.scalar(loss);
        }
        Ok((self.readings.read(losses)?, dtype))
    }

    fn point(&self) -> &M {
        self.point.as_ref().unwrap_or(self.model)
    }

    fn at(&self) -> PassPoint {
        match self.ascents {
            0 => PassPoint::Weights,
            n => PassPoint::Ascent(n),
        }
    }
}

impl<M: Module, P: Pass<M>> Objective for BatchObjective<'_, '_, M, P> {
    fn advance(&mut self, length: Number, direction: &ParamVector) {
        // A copy whose statistics are its own, taken anew each time: a pass must not see what an
        // earlier one left in them.
        let start = parameters::independent(self.point(), self.strategy);
        self.point = None;
        self.point = Some(parameters::displaced(start, &[(length, direction)]));
        self.ascents += 1;
    }

    fn evaluate(&mut self) -> Result<Evaluation, StepError> {
        self.at_point(P::gradient)
    }

    fn evaluate_function(&mut self) -> Result<Evaluation, StepError> {
        self.at_point(P::of_function)
    }

    fn evaluate_risen(&mut self, share: f64) -> Result<Evaluation, StepError> {
        let without_graph = parameters::independent(self.point(), self.strategy).no_grad();
        Replay::rewind(self.replay.as_ref());
        self.passes.losses += 1;
        self.pass.choose(&without_graph, share)?;
        drop(without_graph);
        let before = self.passes.gradients;
        let evaluation = self.at_point(P::of_chosen);
        self.passes.spared += (1.0 - share) * (self.passes.gradients - before) as f64;
        evaluation
    }

    fn reset(&mut self) {
        self.point = None;
        self.ascents = 0;
    }

    fn losses(&mut self, offsets: &[Vec<(Number, &ParamVector)>]) -> Result<Vec<f64>, StepError> {
        let (losses, dtype) = self.own_losses(offsets)?;
        match &mut self.ranks {
            Some(ranks) => ranks.losses(losses, dtype),
            None => Ok(losses),
        }
    }

    fn on_all_ranks(&mut self, here: bool) -> Result<bool, StepError> {
        match &mut self.ranks {
            Some(ranks) => ranks.all(here),
            None => Ok(here),
        }
    }

    fn weights(&self, like: &ParamVector) -> ParamVector {
        parameters::weight_vector(self.point(), like)
    }

    fn biases(&self) -> HashSet<ParamId> {
        parameters::biases(self.model)
    }

    fn members(&self, group: &ParamGroup) -> HashSet<ParamId> {
        parameters::trainable_members(self.model, group)
    }
}
