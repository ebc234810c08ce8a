//! WSAM: the loss and its sharpness, weighted.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::{Then, Update};

method_config! {
    /// WSAM, weighted sharpness-aware minimization (Yue et al., KDD 2023, arXiv 2305.15817, Algorithms 1 and 2).
    ///
    /// SAM's loss is the loss plus its sharpness, the rise to the ascent point. WSAM weighs the sharpness as a
    /// regularization term:
    ///
    /// ```text
    /// L_WSAM = L + c (L(theta_k) - L),   c = gamma / (1 - gamma)
    /// theta_k, g_k    by k ascent steps, as in SAM
    /// coupled:        the base optimizer steps from theta_0 with g_0 + c (g_k - g_0)
    /// decoupled:      the base optimizer steps from theta_0 with g_0, then the weights lose lr c (g_k - g_0)
    /// ```
    ///
    /// Decoupled, the sharpness of this step alone counts: it does not pass through momentum and moments. `gamma = 0` is
    /// the base optimizer, coupled `gamma = 1/2` is SAM. Clipping limits the sum of both parts.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `gamma` | 0.9 | >= 0, < 1 | weight of the sharpness; the paper finds the best in 0.8 to 0.95 |
    /// | `decoupled` | yes | | whether the sharpness goes past the base optimizer |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: 3 (`g_0`, ascent
    /// point, gradient).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{SharpnessAware, WsamConfig};
    ///
    /// let wsam = WsamConfig::new().with_gamma(0.8).with_decoupled(false);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), wsam)?;
    /// assert_eq!(optim.method(), "wsam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct WsamConfig ("wsam") {
        ascent { rho: 0.15, ascent_steps: 1, adaptive: None }
        fields {
            /// Weight of the sharpness.
            with_gamma gamma: f64 = 0.9;
            /// Whether the sharpness goes past the base optimizer.
            with_decoupled decoupled: bool = true;
        }
    }
}

impl Bare for WsamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        let ascent = self.ascent()?;
        check::below_one("gamma", self.gamma)?;
        Ok(Box::new(Wsam {
            ascent,
            weight: self.gamma / (1.0 - self.gamma),
            decoupled: self.decoupled,
        }))
    }
}

#[derive(Clone, Debug)]
struct Wsam {
    ascent: Ascent,
    /// `c`.
    weight: f64,
    decoupled: bool,
}

impl Method for Wsam {
    fn name(&self) -> &'static str {
        WsamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let (first, norm) = (start.gradient.clone(), start.norm.clone());
        let point = self.ascent.climb(start, step, Keep::Gradient)?;
        if !point.ascended {
            return Ok(Update::new(first, Some(norm)));
        }
        let c = self.weight;
        if !self.decoupled {
            let gradient = point.gradient.combine(c, &first, 1.0 - c);
            return Ok(Update::new(gradient, None));
        }
        let sharpness = point.gradient.combine(c, &first, -c);
        Ok(Update {
            then: Then::Subtract(sharpness),
            ..Update::new(first, Some(norm))
        })
    }
}
