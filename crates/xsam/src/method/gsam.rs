//! GSAM: SAM's gradient, with the surrogate gap made smaller.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;

method_config! {
    /// GSAM, surrogate gap guided sharpness-aware minimization (Zhuang et al., ICLR 2022, arXiv 2203.08065, Algorithm 1).
    ///
    /// The perturbed loss can be low at sharp minima, too; what tells them is the surrogate gap, the perturbed
    /// loss less the loss. GSAM goes down the perturbed loss, and besides along the part of the plain gradient's negative
    /// that leaves the perturbed loss as it is and makes the gap smaller:
    ///
    /// ```text
    /// theta_k, g_k                               by k ascent steps, as in SAM
    /// g_orth = g_0 - (g_0 . g_k) / |g_k|^2 g_k   the part of g_0 orthogonal to g_k
    /// the base optimizer steps from theta_0 with g_k - a g_orth
    /// ```
    ///
    /// Dot products and norms are over all parameters together. `a = 0` is SAM. The paper's rho goes with the learning
    /// rate: [`RhoSchedule::LinearInLr`](crate::RhoSchedule::LinearInLr).
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `alpha` | 0.4 | finite, >= 0 | `a` |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: 3 (`g_0`, ascent
    /// point, gradient).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{GsamConfig, SharpnessAware};
    ///
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), GsamConfig::new().with_alpha(0.2))?;
    /// assert_eq!(optim.method(), "gsam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct GsamConfig ("gsam") {
        ascent { rho: 0.15, ascent_steps: 1, adaptive: None }
        fields {
            /// How much of the orthogonal part is taken away.
            with_alpha alpha: f64 = 0.4;
        }
    }
}

impl Bare for GsamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        let ascent = self.ascent()?;
        check::non_negative("alpha", self.alpha)?;
        Ok(Box::new(Gsam {
            ascent,
            alpha: self.alpha,
        }))
    }
}

#[derive(Clone, Debug)]
struct Gsam {
    ascent: Ascent,
    alpha: f64,
}

impl Method for Gsam {
    fn name(&self) -> &'static str {
        GsamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let first = start.gradient.clone();
        let point = self.ascent.climb(start, step, Keep::Gradient)?;
        // Nothing is orthogonal where the ascent point is the weights themselves, or the gradient there zero.
        if !point.ascended || !point.norm.exceeds(0.0) {
            return Ok(Update::new(point.gradient, Some(point.norm)));
        }
        let dot = step.readings.dot(&first, &point.gradient)?;
        let share = dot / (&point.norm * &point.norm);
        let kept = 1.0 + self.alpha * share;
        Ok(Update::new(
            point.gradient.combine(kept, &first, -self.alpha),
            None,
        ))
    }
}
