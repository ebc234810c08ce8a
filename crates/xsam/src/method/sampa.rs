//! SAMPa: SAM whose two gradients do not wait for each other.

use super::plain_config::plain_config;
use super::{Before, Context, Method, MethodConfig, MethodState, Work};
use crate::ascent::NORM_EPSILON;
use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::number::Number;
use crate::objective::Evaluation;
use crate::update::Update;
use crate::vector::ParamVector;

plain_config! {
    /// SAMPa (Xie, Pethick, Cevher, NeurIPS 2024, arXiv 2410.10683): the ascent is along a gradient that the step before has taken,
    /// so that neither of the two gradients of a step waits for the other.
    ///
    /// ```text
    /// y_t = theta_t - lr g(y_{t-1})                             an auxiliary point, where plain descent would be
    /// g(y_t)                                                    the pass that counts, on the batch of this step
    /// g' = grad L(theta_t + rho g(y_{t-1}) / |g(y_{t-1})|)      on the batch of the step before, as g(y_{t-1})
    /// the base optimizer steps from theta_t with (1 - lambda) g' + lambda g(y_t)
    /// ```
    ///
    /// The first step, before which there is no gradient, is the base optimizer's.
    ///
    /// A step has two batches. [`step`](crate::SharpnessAware::step) has one, and takes it for both: the ascent is then along the
    /// gradient of another batch than the descent. [`step_with_point`](crate::SharpnessAware::step_with_point) tells the closure where
    /// it is, so that it can take the batch before at [`PassPoint::Ascent`](crate::PassPoint::Ascent), as the laboratory does.
    ///
    /// The authors take the two gradients on two devices. Here the two passes of a process are one after the other, and cost what
    /// SAM's do; over ranks each takes its share of both batches, which is as much work for each as one pass over one of them.
    ///
    /// The weights themselves have no pass: loss, gradient and output of a step are those of the auxiliary point, and running
    /// statistics are updated there. There is none of `from`, `every` and the like, since a step needs what the one before has left.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | length of the ascent; 0 is the base optimizer, bit for bit |
    /// | `lambda` | 0.2 | >= 0, <= 1 | share of the gradient at the auxiliary point |
    ///
    /// Passes: 2 forward-backward, 1 in the first step. Full-size copies at the peak besides weights and base optimizer: 4 (the
    /// gradient that stays, the one that replaces it, the perturbed point, its gradient). State: that gradient.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{SampaConfig, SharpnessAware};
    ///
    /// let config = SampaConfig::new().with_rho(0.3).with_lambda(0.0);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert!(optim.ascends_on_the_batch_before());
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct SampaConfig ("sampa") {
        fields {
            /// Length of the ascent.
            with_rho rho: f64 = 0.15;
            /// Share of the gradient at the auxiliary point in the update.
            with_lambda lambda: f64 = 0.2;
        }
        listed {
            fn work(&mut self, _epochs: usize, steps: usize) -> Work {
                let mut work = Work::new(steps).with_ascent(self.rho, 1, 1);
                work.ascending = work.ascending.saturating_sub(1);
                work
            }
        }
    }
}

impl MethodConfig for SampaConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        check::non_negative("rho", self.rho)?;
        let ok = (0.0..=1.0).contains(&self.lambda);
        ConfigError::unless(ok, "lambda", self.lambda, "from 0 to 1")?;
        Ok(Box::new(Sampa {
            config: *self,
            before: None,
            next: ParamVector::default(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Sampa {
    config: SampaConfig,
    /// The gradient at the auxiliary point of the step before.
    before: Option<ParamVector>,
    /// Of several parts of a batch, the sum of the shares of those so far.
    next: ParamVector,
}

impl Method for Sampa {
    fn name(&self) -> &'static str {
        SampaConfig::NAME
    }

    fn begins_at_the_weights(&self) -> bool {
        false
    }

    fn ascends_on_the_batch_before(&self) -> bool {
        true
    }

    fn offset(&self, step: &Before<'_>) -> Option<(Number, ParamVector)> {
        let before = self.before.as_ref()?;
        (self.config.rho * step.rho_factor > 0.0).then(|| ((-step.lr).into(), before.clone()))
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let share = 1.0 / step.parts as f64;
        let next = std::mem::take(&mut self.next);
        self.next = next.plus(start.gradient.clone(), share);
        let made = self.made(start, step)?;
        // All parts of a batch ascend alike.
        if step.part + 1 == step.parts {
            self.before = Some(std::mem::take(&mut self.next));
        }
        Ok(made)
    }

    fn keeps_gradients(&self) -> bool {
        true
    }

    fn state(&self) -> MethodState {
        MethodState::default().with_vector("before", self.before.clone())
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.before = state.vector("before").cloned();
        Ok(())
    }
}

impl Sampa {
    fn made(&self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let rho = self.config.rho * step.rho_factor;
        let before = self.before.as_ref().filter(|_| rho > 0.0);
        let Some(before) = before else {
            return Ok(Update::new(start.gradient, Some(start.norm)));
        };
        let before = before.clone().beside(&start.gradient);
        let factor = rho / (step.readings.norm(&before)? + NORM_EPSILON);
        step.report.rho = rho.into();
        let ahead = step.ahead(factor, before)?;
        let lambda = self.config.lambda;
        let gradient = ahead
            .gradient
            .combine(1.0 - lambda, &start.gradient, lambda);
        Ok(Update::new(gradient, None))
    }
}
