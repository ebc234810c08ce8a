//! Lookbehind-SAM: a descent for every ascent step, and back part of the way.

use super::config::{Listed, method_config};
use super::{Context, Method, MethodConfig, Work};
use crate::ascent::{Ascent, Keep};
use crate::error::{ConfigError, StepError};
use crate::objective::{Evaluation, Objective};
use crate::report::StepReport;
use crate::update::{Then, Update};

method_config! {
    /// Lookbehind-SAM (Mordido et al., ICML 2024, arXiv 2307.16704, Algorithm 1).
    ///
    /// Several ascent steps find points of higher loss, but the gradients there differ much. Lookbehind lets fast weights
    /// descend with each of them, and then goes a part of the way from the slow weights to the fast ones:
    ///
    /// ```text
    /// theta_i, g_i, i = 1 .. k     by k ascent steps from the slow weights theta_0, as in SAM
    /// fast_i                       the base optimizer's step from fast_{i-1} with g_i;  fast_0 = theta_0
    /// new weights                  theta_0 + a (fast_k - theta_0)
    /// ```
    ///
    /// The base optimizer makes k steps, each with its momentum and weight decay. `k = 1` with `a = 1` is SAM.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length, `rho / k` a step (the paper's rho is that of a step) |
    /// | `ascent_steps` | 2 | >= 1 | `k` |
    /// | `alpha` | 0.5 | > 0, <= 1 | `a`, the slow weights' step; the paper tries 0.2, 0.5, 0.8 |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Where there is nothing to ascend along (`rho = 0`, a zero gradient) the base optimizer makes its one step with `g_0`.
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: `k + 1` (the
    /// gradients, and ascent point or fast weights).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{LookbehindSamConfig, SharpnessAware};
    ///
    /// let config = LookbehindSamConfig::new().with_ascent_steps(5).with_alpha(0.2);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert_eq!(optim.method(), "lookbehind-sam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct LookbehindSamConfig ("lookbehind-sam") {
        ascent { rho: 0.15, ascent_steps: 2, adaptive: None }
        fields {
            /// How much of the way from the slow to the fast weights is gone.
            with_alpha alpha: f64 = 0.5;
        }
        options {}
    }
}

impl MethodConfig for LookbehindSamConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        let ascent = self.ascent();
        ascent.check()?;
        if !(self.alpha > 0.0 && self.alpha <= 1.0) {
            let range = "above 0 and at most 1";
            return Err(ConfigError::new("alpha", self.alpha, range));
        }
        Ok(Box::new(LookbehindSam {
            ascent,
            alpha: self.alpha,
        }))
    }

    fn work(&self, epochs: usize, steps: usize) -> Work {
        Work::new(epochs.saturating_mul(steps)).with_ascent(self.rho, self.ascent_steps, 1)
    }
}

#[derive(Clone, Debug)]
struct LookbehindSam {
    ascent: Ascent,
    alpha: f64,
}

impl Method for LookbehindSam {
    fn name(&self) -> &'static str {
        LookbehindSamConfig::NAME
    }

    fn update(
        &mut self,
        start: Evaluation,
        objective: &mut dyn Objective,
        context: &Context,
        report: &mut StepReport,
    ) -> Result<Update, StepError> {
        let mut climb = self.ascent.begin(start, context.rho_factor, Keep::Gradient);
        let mut found = Vec::with_capacity(self.ascent.steps);
        while climb.step(objective, report)? {
            found.push(climb.here().clone());
        }
        let point = climb.finish(objective)?;
        let mut found = found.into_iter();
        let Some(first) = found.next() else {
            return Ok(Update::new(point.gradient, Some(point.norm)));
        };
        let further: Vec<_> = found.map(|evaluation| evaluation.gradient).collect();
        Ok(Update {
            then: match self.alpha == 1.0 && further.is_empty() {
                true => Then::Nothing,
                false => Then::Interpolate {
                    further,
                    share: self.alpha,
                },
            },
            ..Update::new(first.gradient, Some(first.norm))
        })
    }
}
