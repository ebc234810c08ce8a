//! Functional SAM: SAM, without what it does to the logits alone.

use super::config::{Bare, method_config};
use super::{Context, Method};
use crate::ascent::{Ascent, Keep};
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;

method_config! {
    /// Functional SAM (Singh et al., ICML 2025, arXiv 2502.02407).
    ///
    /// The loss is L(F(theta)), with F the logits. At SAM's ascent point both have changed: the Jacobian of F, and the derivative of
    /// L by the logits. In language models, the paper finds, SAM acts through the second one, which regularizes the logits and not
    /// the function. Functional SAM leaves it as it is at the weights:
    ///
    /// ```text
    /// theta_k                                   by k ascent steps, as in SAM
    /// g = J_F(theta_k)^T grad_F L(F(theta_0))   in place of J_F(theta_k)^T grad_F L(F(theta_k))
    /// the base optimizer steps from theta_0 with g
    /// ```
    ///
    /// A model that is linear in its weights has the gradient of the base optimizer. The ascent is the paper's without the
    /// preconditioner of the base optimizer.
    ///
    /// Steps are made by [`step_by_logits`](crate::SharpnessAware::step_by_logits), since a loss by itself does not tell what the logits
    /// are; by the others they fail with [`StepError::NoLogits`], and nothing has changed.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: 2 (ascent point,
    /// gradient), and two copies of the logits.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{FunctionalSamConfig, SharpnessAware};
    ///
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), FunctionalSamConfig::new())?;
    /// assert_eq!(optim.method(), "functional-sam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct FunctionalSamConfig ("functional-sam") {
        ascent { rho: 0.15, ascent_steps: 1, adaptive: None }
    }
}

impl Bare for FunctionalSamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(Box::new(FunctionalSam {
            ascent: self.ascent()?,
        }))
    }
}

#[derive(Clone, Debug)]
struct FunctionalSam {
    ascent: Ascent,
}

impl Method for FunctionalSam {
    fn name(&self) -> &'static str {
        FunctionalSamConfig::NAME
    }

    fn needs_logits(&self) -> bool {
        true
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let climb = self.ascent.begin(start, step.rho_factor, Keep::Gradient);
        let point = climb.functional().top(step)?;
        Ok(Update::new(point.gradient, Some(point.norm)))
    }
}
