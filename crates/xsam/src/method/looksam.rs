//! LookSAM: SAM's second pass in some steps only.

use super::config::{Bare, method_config};
use super::{Context, Method, MethodState, Work};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;
use crate::vector::ParamVector;

method_config! {
    /// LookSAM (Liu et al., CVPR 2022, arXiv 2203.02714, Algorithm 1).
    ///
    /// What SAM adds to the gradient changes slowly from step to step. LookSAM makes a SAM step now and then, keeps the
    /// part of its gradient that is orthogonal to the plain one, and adds that to the plain gradient of the steps between:
    ///
    /// ```text
    /// every K-th step, from the first:  theta_k, g_k by k ascent steps, as in SAM
    ///                                   g_v = g_k - (g_k . g_0) / |g_0|^2 g_0
    ///                                   the base optimizer steps from theta_0 with g_k
    /// between:                          the base optimizer steps with g_0 + a |g_0| / |g_v| g_v
    /// ```
    ///
    /// The projection is over all parameters together. `K = 1` is SAM. Where nothing of `g_k` is orthogonal to `g_0` but
    /// rounding the base optimizer steps with `g_0` in the steps between.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `every` | 5 | >= 1 | `K` |
    /// | `alpha` | 0.7 | finite, >= 0 | `a` |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `1 + k / K` forward-backward on average. Full-size copies at the peak besides weights and base optimizer: 4
    /// (`g_v`, which stays; `g_0`, ascent point, gradient). State: `g_v`.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{LookSamConfig, SharpnessAware};
    ///
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), LookSamConfig::new().with_every(3))?;
    /// assert_eq!(optim.method(), "looksam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct LookSamConfig ("looksam") {
        ascent { rho: 0.15, ascent_steps: 1, adaptive: None }
        looks_back { 5 }
        fields {
            /// How much of the kept part is added, in norms of the plain gradient.
            with_alpha alpha: f64 = 0.7;
        }
        listed {
            fn work(&mut self, _epochs: usize, steps: usize) -> Work {
                Work::new(steps).with_ascent(self.rho, self.ascent_steps, self.interval())
            }

            fn resolve(&mut self) {
                self.every = Some(self.interval());
            }
        }
    }
}

impl Bare for LookSamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        let ascent = self.ascent()?;
        check::at_least_one("every", self.interval())?;
        check::non_negative("alpha", self.alpha)?;
        Ok(Box::new(LookSam {
            ascent,
            every: self.interval() as u64,
            alpha: self.alpha,
            kept: None,
        }))
    }
}

#[derive(Clone, Debug)]
struct LookSam {
    ascent: Ascent,
    every: u64,
    alpha: f64,
    /// `g_v`.
    kept: Option<ParamVector>,
}

impl Method for LookSam {
    fn name(&self) -> &'static str {
        LookSamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        if !step.number.is_multiple_of(self.every) {
            let Some(kept) = &self.kept else {
                return Ok(Update::new(start.gradient, Some(start.norm)));
            };
            let kept = kept.clone().beside(&start.gradient);
            let kept_norm = step.readings.norm(&kept)?;
            if !kept_norm.exceeds(0.0) {
                return Ok(Update::new(start.gradient, Some(start.norm)));
            }
            let factor = self.alpha * start.norm / kept_norm;
            let gradient = start.gradient.combine(1.0, &kept, factor);
            return Ok(Update::new(gradient, None));
        }
        let (first, first_norm) = (start.gradient.clone(), start.norm.clone());
        let point = self.ascent.climb(start, step, Keep::Gradient)?;
        // What is kept of the parts of a batch is the mean: this is the sum of the shares of those before this one.
        self.kept = self.kept.take().filter(|_| step.part > 0);
        // Without an ascent there is nothing of it to keep.
        if point.ascended {
            let dot = step.readings.dot(&first, &point.gradient)?;
            let share = dot / (&first_norm * &first_norm);
            let found = point.gradient.clone().combine(1.0, &first, -share);
            // Its length is made that of a gradient later: rounding must not be.
            let norm = step.readings.norm(&found)?;
            if norm.exceeds(found.rounding() * &point.norm) {
                let sum = self.kept.take().unwrap_or_default();
                self.kept = Some(sum.plus(found, 1.0 / step.parts as f64));
            }
        }
        Ok(Update::new(point.gradient, Some(point.norm)))
    }

    fn keeps_gradients(&self) -> bool {
        true
    }

    fn state(&self) -> MethodState {
        MethodState::default().with_vector("kept", self.kept.clone())
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.kept = state.vector("kept").cloned();
        Ok(())
    }
}
