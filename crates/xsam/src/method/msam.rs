//! MSAM: the mean of the gradients on the way up.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;
use crate::vector::ParamVector;

method_config! {
    /// Multi-step averaged SAM (Kim et al. 2023, arXiv 2302.10181).
    ///
    /// With several ascent steps SAM throws away all gradients but the last. Here each counts alike:
    ///
    /// ```text
    /// theta_i, g_i, i = 1 .. k             by k ascent steps, as in SAM
    /// the base optimizer steps from theta_0 with (g_1 + .. + g_k) / k
    /// ```
    ///
    /// `k = 1` is SAM.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `ascent_steps` | 3 | >= 1 | `k` |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: 3 (the sum,
    /// ascent point, gradient).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{MsamConfig, SharpnessAware};
    ///
    /// let config = MsamConfig::new().with_ascent_steps(2);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert_eq!(optim.method(), "msam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct MsamConfig ("msam") {
        ascent { rho: 0.15, ascent_steps: 3, adaptive: None }
    }
}

impl Bare for MsamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(Box::new(Msam {
            ascent: self.ascent()?,
        }))
    }
}

#[derive(Clone, Debug)]
struct Msam {
    ascent: Ascent,
}

impl Method for Msam {
    fn name(&self) -> &'static str {
        MsamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let mut climb = self.ascent.begin(start, step.rho_factor, Keep::Gradient);
        let mut sum = ParamVector::default();
        let mut points = 0;
        while climb.step(step)? {
            sum = sum.combine(1.0, &climb.here().gradient, 1.0);
            points += 1;
        }
        let point = climb.finish(step)?;
        Ok(match points {
            // The sum of one is that gradient; of none there is only the one at the weights.
            0 | 1 => Update::new(point.gradient, Some(point.norm)),
            n => Update::new(sum.scale(1.0 / f64::from(n)), None),
        })
    }
}
