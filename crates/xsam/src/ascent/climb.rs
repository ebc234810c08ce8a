//! An ascent on its way.

use std::collections::HashSet;

use burn::module::ParamId;

use super::{Ascent, NORM_EPSILON, Scaling};
use crate::error::StepError;
use crate::method::context::Context;
use crate::number::Number;
use crate::objective::{Evaluation, Objective};
use crate::readings::Readings;
use crate::vector::ParamVector;

impl Ascent {
    /// Climbs from the weights, where loss and gradient are `start`, in a step of the optimizer.
    ///
    /// With [`Keep::Displacement`] the way from the weights to the ascent point is kept as well. The
    /// ascent stops early where there is nothing to ascend along: at a zero gradient.
    ///
    /// Cost: a forward-backward pass each step and, if numbers are read at once, a read-back, and a further one if scaled or
    /// masked. Full-size copies at its peak: ascent point and gradient, and the
    /// displacement if it is kept.
    ///
    /// # Errors
    /// If loss or gradient at an ascent point are not finite, or the device fails.
    pub fn climb(
        &self,
        start: Evaluation,
        step: &mut Context<'_>,
        keep: Keep,
    ) -> Result<AscentPoint, StepError> {
        self.begin(start, step.rho_factor, keep).top(step)
    }

    /// The beginning of a climb, for methods that look at every ascent point on the way or that change the
    /// direction; `rho_factor` scales rho.
    pub fn begin(&self, start: Evaluation, rho_factor: f64, keep: Keep) -> Climb<'_> {
        Climb {
            ascent: self,
            rho: self.rho * rho_factor,
            keep,
            less: None,
            members: None,
            made: 0,
            ended: false,
            unnormalized: false,
            percentile: None,
            some: None,
            last: Last::Gradient,
            start_loss: start.loss.clone(),
            here: start,
            displacement: None,
        }
    }
}

/// An ascent on its way, from [`Ascent::begin`]: the weights, and then one ascent point after another.
pub struct Climb<'a> {
    ascent: &'a Ascent,
    rho: f64,
    keep: Keep,
    less: Option<(f64, &'a ParamVector)>,
    /// The parameters within the mask, from the first step on.
    members: Option<HashSet<ParamId>>,
    made: usize,
    /// Nothing is left to ascend along.
    ended: bool,
    /// Whether steps are as long as the gradient says.
    unnormalized: bool,
    /// From which percentile on elements of the gradient are in the direction.
    percentile: Option<f64>,
    /// The parameters that are moved, if not all are, and what share of all of them was to be chosen.
    some: Option<(HashSet<ParamId>, f64)>,
    /// What the last gradient is.
    last: Last,
    /// The loss at the weights.
    start_loss: Number,
    here: Evaluation,
    displacement: Option<Displacement>,
}

impl<'a> Climb<'a> {
    /// Takes `factor * vector` from the gradient before it becomes the direction, in every step.
    ///
    /// Costs a full-size copy for the direction and, if numbers are read at once, a read-back each step for its norm.
    #[must_use]
    pub fn without(mut self, factor: f64, vector: &'a ParamVector) -> Self {
        self.less = Some((factor, vector));
        self
    }

    /// Makes each step rho over the number of steps times its direction, whose norm does not divide it: rho is a factor then,
    /// and no length.
    #[must_use]
    pub fn unnormalized(mut self) -> Self {
        self.unnormalized = true;
        self
    }

    /// Leaves only those elements of the gradient in the direction whose standard scores within their parameters are, in size, at
    /// or above this percentile (0 to 1) of all; all of them where nothing would be left.
    ///
    /// Costs a copy of the gradient on the host in every step, where the percentile is found.
    #[must_use]
    pub fn significant(mut self, percentile: f64) -> Self {
        self.percentile = Some(percentile);
        self
    }

    /// Takes the gradient at the last point with the loss's derivative by the logits as it is at the weights.
    #[must_use]
    pub fn functional(mut self) -> Self {
        self.last = Last::Function;
        self
    }

    /// Moves these parameters alone, which are about this `share` of all: the direction is that of all parameters, over its
    /// norm, without the others and divided by the share, so that it is the whole direction on average. Without any of them
    /// there is nothing to ascend along.
    #[must_use]
    pub fn along_some(mut self, chosen: HashSet<ParamId>, share: f64) -> Self {
        self.some = Some((chosen, share));
        self
    }

    /// Takes the gradient at the last point over this `share` of the samples alone, those whose losses have risen most.
    #[must_use]
    pub fn risen(mut self, share: f64) -> Self {
        self.last = Last::Risen(share);
        self
    }

    /// Loss and gradient where the climb is.
    pub fn here(&self) -> &Evaluation {
        &self.here
    }

    /// Takes one step, and loss and gradient where it leads. `false` if the climb is at its end: all steps are
    /// made, the length is 0, or there is nothing to ascend along.
    ///
    /// # Errors
    /// If the mask matches no parameter that is trained, loss or gradient at the ascent point are not finite, or the
    /// device fails.
    pub fn step(&mut self, step: &mut Context<'_>) -> Result<bool, StepError> {
        let objective = &mut *step.objective;
        if self.made == 0 {
            self.members = self.ascent.members(objective)?;
        }
        if self.ended || self.made == self.ascent.steps || self.rho <= 0.0 {
            return Ok(false);
        }
        let (mut vector, norm) = self.direction(objective, &step.readings)?;
        let mut share = 1.0;
        if let Some((chosen, of_all)) = &self.some {
            vector.retain(|id| chosen.contains(&id));
            share = *of_all;
        }
        if vector.is_empty() || !norm.exceeds(0.0) {
            self.ended = true;
            return Ok(false);
        }
        if let (0, Some(budget)) = (self.made, step.loss_budget) {
            let whole = self.rho;
            // Whether the budget is for less than rho is not to be taken for granted.
            let norm = norm.value()?;
            let most = budget / self.divided((norm * norm).into(), &norm.into());
            self.rho = whole.min(most.value()?);
            step.rho_factor *= self.rho / whole;
            if self.rho <= 0.0 {
                self.ended = true;
                return Ok(false);
            }
        }
        step.report.rho = self.rho.into();
        // Once there is a direction the gradient is not needed: free it before the pass.
        self.here.gradient = ParamVector::default();
        let length = self.rho / self.ascent.steps as f64;
        let factor = self.divided(length.into(), &norm) / share;
        objective.advance(factor.clone(), &vector);
        if self.keep == Keep::Displacement {
            let plain = self.ascent.scaling == Scaling::None && self.some.is_none();
            self.displacement = Some(match self.displacement.take() {
                None => Displacement {
                    vector,
                    factor,
                    norm: plain.then_some(norm),
                },
                // The step is dropped before the pass.
                Some(so_far) => so_far.plus(vector, factor),
            });
        } else {
            drop(vector);
        }
        let last = self.made + 1 == self.ascent.steps;
        self.here = match self.last {
            Last::Function if last => objective.evaluate_function()?,
            Last::Risen(share) if last => objective.evaluate_risen(share)?,
            _ => objective.evaluate()?,
        };
        step.rise = Some(&self.here.loss - &self.start_loss);
        step.report.ascent_loss = Some(self.here.loss.clone());
        step.report.ascent_grad_norm = Some(self.here.norm.clone());
        self.made += 1;
        Ok(true)
    }

    /// The direction, and the norm that divides it.
    fn direction(
        &self,
        objective: &dyn Objective,
        readings: &Readings,
    ) -> Result<(ParamVector, Number), StepError> {
        let mut vector = self.here.gradient.clone();
        if !self.here.norm.exceeds(0.0) {
            return Ok((vector, Number::default()));
        }
        let mut norm = Some(self.here.norm.clone());
        if let Some((factor, less)) = self.less {
            vector = vector.combine(1.0, less, -factor);
            norm = None;
        }
        if let Some(members) = &self.members {
            vector.retain(|id| members.contains(&id));
            norm = None;
        }
        if let Some(percentile) = self.percentile {
            let filtered = vector.significant(percentile)?;
            let found = self.ascent.scaled(filtered, None, objective, readings)?;
            if found.1.exceeds(0.0) {
                return Ok(found);
            }
        }
        self.ascent.scaled(vector, norm, objective, readings)
    }

    /// What a direction of this norm is multiplied by for a step of this length.
    fn divided(&self, length: Number, norm: &Number) -> Number {
        match self.unnormalized {
            true => length,
            false => length / (norm + NORM_EPSILON),
        }
    }

    /// Takes all steps that are left, and ends the climb.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn top(mut self, step: &mut Context<'_>) -> Result<AscentPoint, StepError> {
        while self.step(step)? {}
        self.finish(step)
    }

    /// Ends the climb where it is, and brings the objective's point back to the weights.
    ///
    /// # Errors
    /// If the device fails.
    pub fn finish(self, step: &mut Context<'_>) -> Result<AscentPoint, StepError> {
        step.objective.reset();
        Ok(AscentPoint {
            ascended: self.made > 0,
            gradient: self.here.gradient,
            norm: self.here.norm,
            displacement: match self.displacement {
                Some(displacement) => displacement.finish(&step.readings)?,
                None => None,
            },
        })
    }
}

/// What the gradient at the last ascent point is.
#[derive(Clone, Copy, Debug)]
enum Last {
    /// The gradient of the loss.
    Gradient,
    /// That of the function alone.
    Function,
    /// That of a share of the samples.
    Risen(f64),
}

/// Whether [`Ascent::climb`] keeps the way it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keep {
    /// Only the gradient at the ascent point.
    Gradient,
    /// The displacement from the weights too.
    Displacement,
}

/// Where an ascent ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AscentPoint {
    /// Whether there was an ascent. Without a length, or along a zero gradient, there is none.
    pub ascended: bool,
    /// Gradient at the ascent point; at the weights if there was nothing to ascend along.
    pub gradient: ParamVector,
    /// Norm of that gradient.
    pub norm: Number,
    /// The displacement from the weights up to a positive factor, and its norm. `None` if it was
    /// not asked for, or if the ascent point is the weights themselves.
    pub displacement: Option<(ParamVector, Number)>,
}

/// `factor * vector`, multiplied out only where a second step must be added: the displacement of a
/// single step is the gradient itself, and costs nothing.
struct Displacement {
    vector: ParamVector,
    factor: Number,
    /// Norm of the vector, if known.
    norm: Option<Number>,
}

impl Displacement {
    fn plus(self, step: ParamVector, factor: Number) -> Self {
        Self {
            vector: self.vector.combine(self.factor, &step, factor),
            factor: 1.0.into(),
            norm: None,
        }
    }

    /// The vector and its norm; `None` if steps in opposite directions have cancelled.
    fn finish(self, readings: &Readings) -> Result<Option<(ParamVector, Number)>, StepError> {
        let norm = match self.norm {
            Some(norm) => norm,
            None => readings.norm(&self.vector)?,
        };
        Ok(norm.exceeds(0.0).then_some((self.vector, norm)))
    }
}
