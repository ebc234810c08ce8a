//! ZSharp: SAM, with an ascent along what stands out of the gradient.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;

method_config! {
    /// ZSharp (Yun, 2025, arXiv 2505.02369).
    ///
    /// The ascent is along those elements of the gradient that stand out, by their standard scores within their parameter:
    ///
    /// ```text
    /// z = (g_i - mean) / (deviation + 1e-8)         mean and deviation over each parameter
    /// m = 1 where |z| >= the q-th percentile of all |z|, of all parameters together; else 0
    /// theta_{i+1} = theta_i + (rho / k) m g_i / |m g_i|,   i = 0..k-1
    /// the base optimizer steps from theta_0 with g_k, all of it
    /// ```
    ///
    /// Where nothing would be left of the gradient (all that stands out is zero) the ascent is SAM's. `percentile = 0` is SAM. A
    /// parameter of one element has a score of 0.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `percentile` | 0.95 | >= 0, < 1 | `q`; 0.95 leaves one element in twenty |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM, of what is left |
    /// | `mask` | all | | the parameters that are perturbed, and whose scores count |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: 4 (gradient, scores, what is
    /// left, the scores on the host in f64) while the direction is made, then 2. On a graphics card the whole vector of scores is
    /// read back in every ascent step.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{SharpnessAware, ZSharpConfig};
    ///
    /// let config = ZSharpConfig::new().with_percentile(0.7);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert_eq!(optim.method(), "zsharp");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct ZSharpConfig ("zsharp") {
        ascent { rho: 0.15, ascent_steps: 1, adaptive: None }
        fields {
            /// From which percentile of the scores on elements are in the direction, from 0 to 1.
            with_percentile percentile: f64 = 0.95;
        }
    }
}

impl Bare for ZSharpConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        crate::check::below_one("percentile", self.percentile)?;
        Ok(Box::new(ZSharp {
            ascent: self.ascent()?,
            percentile: self.percentile,
        }))
    }
}

#[derive(Clone, Debug)]
struct ZSharp {
    ascent: Ascent,
    percentile: f64,
}

impl Method for ZSharp {
    fn name(&self) -> &'static str {
        ZSharpConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let climb = self.ascent.begin(start, step.rho_factor, Keep::Gradient);
        let point = climb.significant(self.percentile).top(step)?;
        Ok(Update::new(point.gradient, Some(point.norm)))
    }
}
