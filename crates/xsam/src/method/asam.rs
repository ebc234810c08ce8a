//! ASAM: SAM with an ascent that does not depend on the scale of the weights.

use super::Method;
use super::config::{Bare, method_config};
use super::sam::Sam;
use crate::ascent::Scaling;
use crate::error::ConfigError;

method_config! {
    /// ASAM, adaptive sharpness-aware minimization (Kwon et al. 2021, arXiv 2102.11600), with any number
    /// of ascent steps.
    ///
    /// With element-wise scales `T` of the weights (two conventions, see [`Scaling`]):
    ///
    /// ```text
    /// theta_{i+1} = theta_i + (rho / k) T^2 g_i / (|T g_i| + 1e-12),   T from theta_i,   i = 0 .. k-1
    /// the base optimizer steps from theta_0 with g_k
    /// ```
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.5 | finite, >= 0 | total ascent length in scaled space: well above SAM's |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `adaptive` | `Elementwise` | not `None` | the convention; `Weights` needs about 4 times the rho |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base
    /// optimizer: 2 (ascent point, gradient); the scaled direction is made before the pass and freed
    /// with it.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{AsamConfig, Scaling, SharpnessAware};
    ///
    /// let asam = AsamConfig::new().with_rho(2.0).with_adaptive(Scaling::Weights);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), asam)?;
    /// assert_eq!(optim.method(), "asam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct AsamConfig ("asam") {
        ascent { rho: 0.5, ascent_steps: 1, adaptive: Elementwise }
    }
}

impl Bare for AsamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        let ascent = self.ascent()?;
        let range = "elementwise or weights (without scaling it is SAM)";
        let ok = ascent.scaling != Scaling::None;
        ConfigError::unless(ok, "adaptive", "none", range)?;
        Ok(Box::new(Sam {
            name: Self::NAME,
            ascent,
        }))
    }
}
