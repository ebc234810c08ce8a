//! Unnormalized SAM: an ascent as long as the gradient says.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;

method_config! {
    /// Unnormalized SAM, as theory studies it (Andriushchenko and Flammarion, ICML 2022, arXiv 2206.06232, section 2; Dai et al.,
    /// NeurIPS 2023, arXiv 2305.15287).
    ///
    /// The ascent is `rho` times the gradient, and not of length `rho`: it shrinks as the gradient does.
    ///
    /// ```text
    /// theta_{i+1} = theta_i + (rho / k) g_i,   i = 0..k-1
    /// the base optimizer steps from theta_0 with g_k
    /// ```
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.05 | finite, >= 0 | a factor, and no length; 0 is the base optimizer, bit for bit |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: 2 (ascent point,
    /// gradient).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{SharpnessAware, UsamConfig};
    ///
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), UsamConfig::new().with_rho(0.1))?;
    /// assert_eq!(optim.method(), "usam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct UsamConfig ("usam") {
        ascent { rho: 0.05, ascent_steps: 1 }
    }
}

impl Bare for UsamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(Box::new(Usam {
            ascent: self.ascent()?,
        }))
    }
}

#[derive(Clone, Debug)]
struct Usam {
    ascent: Ascent,
}

impl Method for Usam {
    fn name(&self) -> &'static str {
        UsamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let climb = self.ascent.begin(start, step.rho_factor, Keep::Gradient);
        let point = climb.unnormalized().top(step)?;
        Ok(Update::new(point.gradient, Some(point.norm)))
    }
}
