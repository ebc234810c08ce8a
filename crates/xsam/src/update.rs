//! What a method hands on, and what becomes of it: from gradients to new weights.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use crate::error::StepError;
use crate::method::parameters;
use crate::number::Number;
use crate::readings::Readings;
use crate::report::StepReport;
use crate::vector::{ParamVector, Reductions};

/// What a method hands on.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The gradient for the base optimizer.
    pub gradient: ParamVector,
    /// Its norm, if it is known without another pass over it.
    pub norm: Option<Number>,
    /// What is done after the base optimizer's step with it.
    pub then: Then,
}

/// What is done after the base optimizer's step with the first gradient.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Then {
    /// Nothing: the step is complete.
    #[default]
    Nothing,
    /// The weights lose the learning rate times this vector besides, past the base optimizer and its momentum
    /// (WSAM, decoupled).
    Subtract(ParamVector),
    /// The base optimizer steps on from the weights that it has reached, with each of these gradients. Then the
    /// new weights are `slow + share * (fast - slow)`, where `slow` are those before the first of its steps
    /// and `fast` those after the last (Lookbehind-SAM).
    Interpolate {
        /// The gradients of the further steps.
        further: Vec<ParamVector>,
        /// How much of the way is gone.
        share: f64,
    },
}

impl Update {
    /// A gradient for one step of the base optimizer.
    pub fn new(gradient: ParamVector, norm: Option<Number>) -> Self {
        Self {
            gradient,
            norm,
            then: Then::Nothing,
        }
    }

    /// The sum so far plus `share * other`: means over the parts of a batch.
    pub(crate) fn plus(self, other: Self, share: f64) -> Self {
        // The mean of one is that one, with the norm that it has.
        if share == 1.0 {
            return other;
        }
        let then = match (self.then, other.then) {
            (then, Then::Nothing) => then,
            (sum, Then::Subtract(other)) => {
                let sum = match sum {
                    Then::Subtract(sum) => sum,
                    _ => ParamVector::default(),
                };
                Then::Subtract(sum.plus(other, share))
            }
            (
                sum,
                Then::Interpolate {
                    further,
                    share: way,
                },
            ) => {
                let mut sums = match sum {
                    Then::Interpolate { further, .. } => further,
                    _ => Vec::new(),
                };
                sums.resize_with(sums.len().max(further.len()), ParamVector::default);
                for (sum, other) in sums.iter_mut().zip(further) {
                    *sum = std::mem::take(sum).plus(other, share);
                }
                Then::Interpolate {
                    further: sums,
                    share: way,
                }
            }
        };
        Self {
            gradient: self.gradient.plus(other.gradient, share),
            norm: None,
            then,
        }
    }

    /// The update with a gradient whose norm is at most `max_norm`, if there is such a limit, and the factors of at most 1 that
    /// bring it there; the norm goes into `report`.
    ///
    /// What is subtracted besides is part of the step, so the limit is for the sum of both, and scales both.
    /// Each of several gradients is limited by itself.
    pub(crate) fn clipped(
        mut self,
        max_norm: Option<f64>,
        report: &mut StepReport<Number>,
        readings: &Readings,
    ) -> Result<(Self, Vec<Number>), StepError> {
        let norm = match self.norm.take() {
            Some(norm) => norm,
            None => readings.norm(&self.gradient)?,
        };
        report.update_norm = norm.clone();
        let Some(max_norm) = max_norm else {
            return Ok((self, Vec::new()));
        };
        let mut factors = Vec::new();
        match &mut self.then {
            Then::Nothing => {}
            Then::Subtract(besides) => {
                let asked = Reductions::default().dot(besides, &self.gradient);
                let [dot, square] = readings.take(asked.dot(besides, besides))?;
                let whole = (&norm * &norm + 2.0 * dot + square).max(0.0).sqrt();
                let factor = (max_norm / whole).min(1.0);
                *besides = std::mem::take(besides).scale(&factor);
                self.gradient = self.gradient.scale(&factor);
                report.update_norm = norm * &factor;
                return Ok((self, vec![factor]));
            }
            Then::Interpolate { further, .. } => {
                for gradient in further {
                    let factor = (max_norm / readings.norm(gradient)?).min(1.0);
                    *gradient = std::mem::take(gradient).scale(&factor);
                    factors.push(factor);
                }
            }
        }
        let factor = (max_norm / &norm).min(1.0);
        self.gradient = self.gradient.scale(&factor);
        report.update_norm = norm.min(max_norm);
        factors.push(factor);
        Ok((self, factors))
    }

    /// The model with new weights; `base` makes a step of the base optimizer at the learning rate `lr`.
    pub(crate) fn apply<M: Module>(
        self,
        lr: &ModuleLearningRate,
        model: M,
        mut base: impl FnMut(M, GradientsParams) -> M,
    ) -> M {
        let mut step = |model: M, gradient: ParamVector| {
            let gradients = parameters::gradients_params(&model, &gradient);
            drop(gradient);
            base(model, gradients)
        };
        match self.then {
            Then::Nothing => step(model, self.gradient),
            Then::Subtract(besides) => {
                let rates = parameters::learning_rates(&model, lr);
                let besides = besides.scale_each(|id| rates.get(&id).copied().unwrap_or_default());
                let model = step(model, self.gradient);
                parameters::displaced(model, &[(-1.0, &besides)])
            }
            Then::Interpolate { further, share } => {
                // Shares the tensors, so that the base optimizer's first step writes new ones.
                let slow = parameters::weight_vector(&model, &self.gradient);
                let mut model = step(model, self.gradient);
                for gradient in further {
                    model = step(model, gradient);
                }
                // By their difference: weights that have not moved stay as they are, to the last bit.
                let fast = parameters::weight_vector(&model, &slow);
                let back = slow.combine(1.0, &fast, -1.0);
                drop(fast);
                parameters::displaced(model, &[(1.0 - share, &back)])
            }
        }
    }
}
