//! WSAM: the loss and its sharpness, weighted.

use super::{Context, Method, MethodConfig};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, StepError};
use crate::objective::{Evaluation, Objective};
use crate::report::StepReport;
use crate::update::{Then, Update};

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
/// | `scaling` | `None` | | adaptive ascent, as in ASAM |
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
#[derive(Clone, Debug)]
pub struct WsamConfig {
    ascent: Ascent,
    gamma: f64,
    decoupled: bool,
}

impl WsamConfig {
    /// The paper's gamma, decoupled, and the rho of the XSAM paper's experiments.
    pub fn new() -> Self {
        Self {
            ascent: Ascent::new(0.15),
            gamma: 0.9,
            decoupled: true,
        }
    }

    /// Sets the weight of the sharpness.
    #[must_use]
    pub fn with_gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Sets whether the sharpness goes past the base optimizer.
    #[must_use]
    pub fn with_decoupled(mut self, decoupled: bool) -> Self {
        self.decoupled = decoupled;
        self
    }
}

ascent_setters!(WsamConfig);
scaling_setter!(WsamConfig);
default_is_new!(WsamConfig);

impl MethodConfig for WsamConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        self.ascent.check()?;
        check::below_one("gamma", self.gamma)?;
        Ok(Box::new(Wsam {
            ascent: self.ascent.clone(),
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
        "wsam"
    }

    fn update(
        &mut self,
        start: Evaluation,
        objective: &mut dyn Objective,
        context: &Context,
        report: &mut StepReport,
    ) -> Result<Update, StepError> {
        let (first, norm) = (start.gradient.clone(), start.norm);
        let (factor, keep) = (context.rho_factor, Keep::Gradient);
        let point = self.ascent.climb(start, objective, factor, keep, report)?;
        if report.ascent_loss.is_none() {
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
