//! Stable SAM: SAM's direction, with the length of the gradient at the weights.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;

method_config! {
    /// Stable SAM (Tan et al., JMLR 26, 2025, arXiv 2401.07250, Algorithm 1).
    ///
    /// The gradient at the ascent point gets the norm of the gradient at the weights, so that a step is as long as one of
    /// the base optimizer's:
    ///
    /// ```text
    /// theta_k, g_k by k ascent steps, as in SAM
    /// the base optimizer steps from theta_0 with |g_0| / |g_k| g_k
    /// ```
    ///
    /// Norms are over all parameters together. A gradient of zero at the ascent point is handed on as it is.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: 2 (ascent point,
    /// gradient).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{SharpnessAware, StableSamConfig};
    ///
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), StableSamConfig::new())?;
    /// assert_eq!(optim.method(), "stable-sam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct StableSamConfig ("stable-sam") {
        ascent { rho: 0.15, ascent_steps: 1, adaptive: None }
    }
}

impl Bare for StableSamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(Box::new(StableSam {
            ascent: self.ascent()?,
        }))
    }
}

#[derive(Clone, Debug)]
struct StableSam {
    ascent: Ascent,
}

impl Method for StableSam {
    fn name(&self) -> &'static str {
        StableSamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let norm = start.norm.clone();
        let point = self.ascent.climb(start, step, Keep::Gradient)?;
        if !point.norm.exceeds(0.0) {
            return Ok(Update::new(point.gradient, Some(point.norm)));
        }
        let gradient = point.gradient.scale(&norm / point.norm);
        Ok(Update::new(gradient, Some(norm)))
    }
}
