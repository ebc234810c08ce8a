//! Momentum-SAM: sharpness-aware in one pass a step.

use super::plain_config::plain_config;
use super::{Before, Context, Method, MethodConfig, MethodState};
use crate::ascent::NORM_EPSILON;
use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::number::Number;
use crate::objective::Evaluation;
use crate::update::Update;
use crate::vector::ParamVector;

plain_config! {
    /// Momentum-SAM (Becker et al., 2024, arXiv 2401.12033, Algorithm 1): the perturbation is along the momentum, which is there
    /// already, so that a step has one pass.
    ///
    /// ```text
    /// g_t = grad L(theta_t - rho v_t / |v_t|)           the one pass of the step
    /// v_{t+1} = mu v_t + g_t
    /// the base optimizer steps from theta_t with g_t
    /// ```
    ///
    /// The perturbation is ahead, where momentum is about to lead: Nesterov's gradient, farther out. With `mu` the momentum of an
    /// SGD without weight decay, `v` is its velocity; `v` is kept here because a base optimizer keeps its own to itself. The first
    /// step, before which there is no momentum, is the base optimizer's.
    ///
    /// The weights themselves have no pass: loss, gradient and output of a step are those of the perturbed point, and running
    /// statistics are updated there. Nothing is left for a schedule to save, so there is none of `from`, `every` and the like. (`msam`
    /// is another method, the mean over several ascent steps.)
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | length of the perturbation; 0 is the base optimizer, bit for bit |
    /// | `momentum` | 0.9 | >= 0, < 1 | `mu` |
    ///
    /// Passes: 1 forward-backward. Full-size copies at the peak besides weights and base optimizer: 3 (`v`, which stays; the
    /// perturbed point; the gradient). State: `v` and its norm.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{MomentumSamConfig, SharpnessAware};
    ///
    /// let config = MomentumSamConfig::new().with_rho(0.3);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert_eq!(optim.method(), "momentum-sam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct MomentumSamConfig ("momentum-sam") {
        fields {
            /// Length of the perturbation.
            with_rho rho: f64 = 0.15;
            /// How much of the momentum is kept from step to step.
            with_momentum momentum: f64 = 0.9;
        }
    }
}

impl MethodConfig for MomentumSamConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        check::non_negative("rho", self.rho)?;
        check::below_one("momentum", self.momentum)?;
        Ok(Box::new(MomentumSam {
            config: *self,
            velocity: ParamVector::default(),
            norm: Number::default(),
            next: ParamVector::default(),
        }))
    }
}

#[derive(Clone, Debug)]
struct MomentumSam {
    config: MomentumSamConfig,
    /// `v`.
    velocity: ParamVector,
    norm: Number,
    /// What it becomes after this step, of whose parts some are still to come.
    next: ParamVector,
}

impl Method for MomentumSam {
    fn name(&self) -> &'static str {
        MomentumSamConfig::NAME
    }

    fn begins_at_the_weights(&self) -> bool {
        false
    }

    fn offset(&self, before: &Before<'_>) -> Option<(Number, ParamVector)> {
        let rho = self.config.rho * before.rho_factor;
        let length = -rho / (&self.norm + NORM_EPSILON);
        (rho > 0.0 && self.norm.exceeds(0.0)).then(|| (length, self.velocity.clone()))
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        if self.norm.exceeds(0.0) {
            step.report.rho = (self.config.rho * step.rho_factor).into();
        }
        let share = 1.0 / step.parts as f64;
        self.next = match step.part {
            0 => {
                let velocity = self.velocity.clone().beside(&start.gradient);
                velocity.combine(self.config.momentum, &start.gradient, share)
            }
            _ => std::mem::take(&mut self.next).combine(1.0, &start.gradient, share),
        };
        // All parts of a batch are perturbed alike.
        if step.part + 1 == step.parts {
            self.velocity = std::mem::take(&mut self.next);
            self.norm = step.readings.norm(&self.velocity)?;
        }
        Ok(Update::new(start.gradient, Some(start.norm)))
    }

    fn keeps_gradients(&self) -> bool {
        true
    }

    fn state(&self) -> MethodState {
        MethodState::default()
            .with_vector("velocity", self.velocity.clone())
            .with_number("norm", &self.norm)
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.norm = state.scalar::<f64>("norm")?.into();
        self.velocity = state.vector("velocity").cloned().unwrap_or_default();
        Ok(())
    }
}
