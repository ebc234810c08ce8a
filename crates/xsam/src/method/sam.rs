//! SAM: the gradient at a point of higher loss nearby.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;

method_config! {
    /// SAM, sharpness-aware minimization (Foret et al. 2021, arXiv 2010.01412, Algorithm 1), with any
    /// number of ascent steps.
    ///
    /// With the loss `L` of the mini-batch, weights `theta_0`, `k` ascent steps and total length `rho`:
    ///
    /// ```text
    /// theta_{i+1} = theta_i + (rho / k) g_i / (|g_i| + 1e-12),   g_i = grad L(theta_i),   i = 0 .. k-1
    /// the base optimizer steps from theta_0 with g_k
    /// ```
    ///
    /// Norms are over all parameters together. Where `g_0` is zero the base optimizer gets `g_0`.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base
    /// optimizer: 2 (ascent point, gradient).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{SamConfig, SharpnessAware};
    ///
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), SamConfig::new().with_rho(0.1))?;
    /// assert_eq!(optim.method(), "sam");
    ///
    /// let error = SharpnessAware::new(SgdConfig::new().init(), SamConfig::new().with_rho(-0.1));
    /// assert_eq!(error.unwrap_err().to_string(), "rho = -0.1: must be finite and at least 0");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct SamConfig ("sam") {
        ascent { rho: 0.15, ascent_steps: 1 }
    }
}

impl Bare for SamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(Box::new(Sam {
            name: Self::NAME,
            ascent: self.ascent()?,
        }))
    }
}

/// The gradient at the ascent point, however the ascent is scaled: SAM and ASAM.
#[derive(Clone, Debug)]
pub(super) struct Sam {
    pub(super) name: &'static str,
    pub(super) ascent: Ascent,
}

impl Method for Sam {
    fn name(&self) -> &'static str {
        self.name
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let point = self.ascent.climb(start, step, Keep::Gradient)?;
        Ok(Update::new(point.gradient, Some(point.norm)))
    }
}
