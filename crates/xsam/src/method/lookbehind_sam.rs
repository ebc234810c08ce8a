//! Lookbehind-SAM: a descent for every ascent step, and back part of the way.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
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
    }
}

impl Bare for LookbehindSamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        let ascent = self.ascent()?;
        check::share("alpha", self.alpha)?;
        Ok(Box::new(LookbehindSam {
            ascent,
            alpha: self.alpha,
        }))
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

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let mut climb = self.ascent.begin(start, step.rho_factor, Keep::Gradient);
        let mut found = Vec::with_capacity(self.ascent.steps);
        while climb.step(step)? {
            found.push(climb.here().clone());
        }
        let point = climb.finish(step)?;
        let mut found = found.into_iter();
        let Some(first) = found.next() else {
            return Ok(Update::new(point.gradient, Some(point.norm)));
        };
        let mut update = Update::new(first.gradient, Some(first.norm));
        let further: Vec<_> = found.map(|evaluation| evaluation.gradient).collect();
        if self.alpha < 1.0 || !further.is_empty() {
            update.then = Then::Interpolate {
                further,
                share: self.alpha,
            };
        }
        Ok(update)
    }
}
