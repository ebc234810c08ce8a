//! bSAM: SAM as variational inference, with a scale for every weight.

use super::plain_config::plain_config;
use super::{Before, Context, Method, MethodConfig, MethodState, Work};
use crate::check;
use crate::error::{ConfigError, PassPoint, RecordError, StepError};
use crate::number::Number;
use crate::objective::Evaluation;
use crate::random::Numbers;
use crate::update::Update;
use crate::vector::ParamVector;
use burn::tensor::{Tensor, TensorData};

plain_config! {
    /// bSAM, Bayesian SAM (Moellenhoff and Khan, ICLR 2023, arXiv 2210.01620, Algorithm 1, right).
    ///
    /// The paper finds in SAM's largest loss nearby the best convex bound of the loss that is expected under a normal
    /// distribution of the weights, and learns the variance of that distribution as well: 1 / (N s), with a scale s for every
    /// weight. It looks like Adam around SAM:
    ///
    /// ```text
    /// g  = grad L(w + e)                          with noise e of mean 0 and variance 1 / (N s), the first pass
    /// g' = grad L(w + rho g / s)
    /// m <- beta1 m + (1 - beta1) (g' + delta w)
    /// s <- beta2 s + (1 - beta2) (sqrt(s) |g| + delta + damping)
    /// the base optimizer steps from w with m / s
    /// ```
    ///
    /// Everything is element by element, and nothing divides the perturbation by a norm. The published code divides `m` by `s`
    /// as it was before the step. A step ends where the gradient is not finite, or `m / s` is not.
    ///
    /// Momentum, scale and decay are the method's own, so that the base optimizer should be SGD without momentum and weight
    /// decay, and a specification with another one is refused; the paper's learning rate is 0.5. Loss, gradient and output of a
    /// step are those of the noisy point, and running statistics are updated there. At `rho = 0` there are two passes all the same.
    /// Nothing is left for a schedule to save, so there is none of `from`, `every` and the like. A gradient of zero needs no
    /// case of its own: `s` is not zero. Parameters without a gradient keep `m` and `s`.
    ///
    /// The noise follows from the seed of [`with_replay_dropout`](crate::SharpnessAware::with_replay_dropout), or the number that
    /// the first step draws in its place, and from the step's number, parameter by parameter as the model has them: it is the
    /// same on all ranks, and in a resumed run. With m-sharpness each part of a batch has noise of its own, as in the paper; `m`
    /// and `s` take in the means over the parts.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.01 | finite, >= 0 | length of the perturbation, in units of `g / s` |
    /// | `samples` | 200,000 | finite, >= 1 | `N`: the training samples; the paper counts augmented ones four times |
    /// | `initial` | 1 | finite, > 0 | `s` before the first step |
    /// | `delta` | 0.00005 | finite, >= 0 | decay of the weights: the precision of the prior, 10 in the paper, over `N` |
    /// | `damping` | 0.1 | finite, >= 0 | keeps `s` from 0 |
    /// | `beta1` | 0.9 | >= 0, < 1 | how much of `m` is kept |
    /// | `beta2` | 0.999 | >= 0, < 1 | how much of `s` is kept |
    ///
    /// Passes: 2 forward-backward. Full-size copies at the peak besides weights and base optimizer: 5 (`m` and `s`, which stay, as
    /// they were and as they are; update). State: `m` and `s`. The noise is drawn on the host, a number for each weight.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{BsamConfig, SharpnessAware};
    ///
    /// let config = BsamConfig::new().with_samples(60_000.0).with_rho(0.02);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert_eq!(optim.method(), "bsam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct BsamConfig ("bsam") {
        fields {
            /// Length of the perturbation, in units of `g / s`.
            with_rho rho: f64 = 0.01;
            /// How many samples there are to learn from, `N`: the more, the less noise.
            with_samples samples: f64 = 200_000.0;
            /// The scale before the first step.
            with_initial initial: f64 = 1.0;
            /// Decay of the weights.
            with_delta delta: f64 = 5e-5;
            /// What keeps the scale from 0.
            with_damping damping: f64 = 0.1;
            /// How much of the momentum is kept from step to step.
            with_beta1 beta1: f64 = 0.9;
            /// How much of the scale is kept from step to step.
            with_beta2 beta2: f64 = 0.999;
        }
        listed {
            fn has_own_momentum(&self) -> bool {
                true
            }

            fn work(&mut self, _epochs: usize, steps: usize) -> Work {
                // Whatever rho is.
                Work::new(steps).with_ascent(1.0, 1, 1)
            }
        }
    }
}

impl MethodConfig for BsamConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        check::non_negative("rho", self.rho)?;
        let ok = self.samples.is_finite() && self.samples >= 1.0;
        ConfigError::unless(ok, "samples", self.samples, "finite and at least 1")?;
        check::positive("initial", self.initial)?;
        check::non_negative("delta", self.delta)?;
        check::non_negative("damping", self.damping)?;
        check::below_one("beta1", self.beta1)?;
        check::below_one("beta2", self.beta2)?;
        Ok(Box::new(Bsam {
            config: *self,
            momentum: ParamVector::default(),
            scale: ParamVector::default(),
            gradient: ParamVector::default(),
            curvature: ParamVector::default(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Bsam {
    config: BsamConfig,
    /// `m`.
    momentum: ParamVector,
    /// `s`, of the parameters that have had a gradient.
    scale: ParamVector,
    /// Means over the parts of a batch, some of which are still to come: `g'`, and `sqrt(s) |g|`.
    gradient: ParamVector,
    curvature: ParamVector,
}

impl Bsam {
    /// `s` of the parameters of `like`.
    fn scale_of(&self, like: &ParamVector) -> ParamVector {
        let initial = |(id, tensor): &(_, Tensor<1>)| {
            (*id, tensor.ones_like().mul_scalar(self.config.initial))
        };
        let initial = ParamVector::new(like.entries().iter().map(initial).collect());
        initial.zip(&self.scale.clone().beside(like), |_, scale| scale)
    }

    /// Takes in the means over a batch; what the base optimizer gets.
    fn take(&mut self, weights: &ParamVector) -> ParamVector {
        let BsamConfig {
            delta,
            damping,
            beta1,
            beta2,
            ..
        } = self.config;
        let gradient = std::mem::take(&mut self.gradient);
        let curvature = std::mem::take(&mut self.curvature);
        let scale = self.scale_of(&gradient);
        let scale = scale.zip(&curvature, |scale, curvature| {
            scale.mul_scalar(beta2) + (curvature + (delta + damping)).mul_scalar(1.0 - beta2)
        });
        drop(curvature);
        let momentum = gradient.combine(1.0 - beta1, weights, (1.0 - beta1) * delta);
        let before = self.momentum.clone().beside(&momentum);
        let momentum = momentum.zip(&before, |momentum, before| {
            momentum + before.mul_scalar(beta1)
        });
        let update = momentum
            .clone()
            .zip(&scale, |momentum, scale| momentum / scale);
        self.momentum = momentum.over(std::mem::take(&mut self.momentum));
        self.scale = scale.over(std::mem::take(&mut self.scale));
        update
    }
}

impl Method for Bsam {
    fn name(&self) -> &'static str {
        BsamConfig::NAME
    }

    fn begins_at_the_weights(&self) -> bool {
        false
    }

    fn offset(&self, before: &Before<'_>) -> Option<(Number, ParamVector)> {
        let weights = before.weights();
        let mut numbers = Numbers::of(before.seed);
        let noise = |(id, tensor): &(_, Tensor<1>)| {
            let count = tensor.shape().num_elements();
            let data = TensorData::new(numbers.normal(count), [count]);
            let options = (&tensor.device(), tensor.dtype());
            (*id, Tensor::from_data(data, options))
        };
        let noise = ParamVector::new(weights.entries().iter().map(noise).collect());
        let noise = noise.zip(&self.scale_of(&weights), |noise, scale| {
            noise / scale.sqrt()
        });
        Some(((1.0 / self.config.samples.sqrt()).into(), noise))
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let rho = self.config.rho * step.rho_factor;
        step.report.rho = rho.into();
        let share = 1.0 / step.parts as f64;
        let scale = self.scale_of(&start.gradient);
        let curvature = start.gradient.clone();
        let curvature = curvature.zip(&scale, |g, scale| scale.sqrt() * g.abs());
        let direction = start.gradient.zip(&scale, |g, scale| g / scale);
        drop(scale);
        let there = step.ahead(rho, direction)?;

        self.gradient = std::mem::take(&mut self.gradient).plus(there.gradient, share);
        self.curvature = std::mem::take(&mut self.curvature).plus(curvature, share);
        if step.part + 1 < step.parts {
            return Ok(Update::default());
        }
        let weights = step.objective.weights(&self.gradient);
        let update = self.take(&weights);
        let norm = step.readings.norm(&update)?;
        if norm.known().is_some_and(|norm| !norm.is_finite()) {
            let (point, loss) = (PassPoint::Ascent(1), there.loss.value()?);
            return Err(StepError::NonFiniteGradient { point, loss });
        }
        // The base optimizer gets the mean over the parts, of which the last has all of it.
        let parts = step.parts as f64;
        Ok(Update::new(update.scale(parts), Some(norm * parts)))
    }

    fn keeps_gradients(&self) -> bool {
        true
    }

    fn state(&self) -> MethodState {
        MethodState::default()
            .with_vector("momentum", self.momentum.clone())
            .with_vector("scale", self.scale.clone())
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        let vector = |name| state.vector(name).cloned().unwrap_or_default();
        (self.momentum, self.scale) = (vector("momentum"), vector("scale"));
        Ok(())
    }
}
