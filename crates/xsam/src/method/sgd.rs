//! The base optimizer alone, the baseline that every other method is compared with.

use serde::{Deserialize, Serialize};

use super::config::Listed;
use super::{Context, Method, MethodConfig};
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;

/// The base optimizer alone: it gets the gradient at the weights.
///
/// With it a comparison runs the baseline through the same code, with the same checks, clipping and
/// reports. Called `sgd` in a spec, after the customary baseline, whatever the base optimizer is.
///
/// Passes: 1 forward-backward. Full-size copies besides weights and base optimizer: the gradient.
///
/// ```
/// use burn::optim::SgdConfig;
/// use xsam::{SgdOnlyConfig, SharpnessAware};
///
/// let optim = SharpnessAware::new(SgdConfig::new().init(), SgdOnlyConfig::new())?;
/// assert_eq!(optim.method(), "sgd");
/// # Ok::<(), xsam::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SgdOnlyConfig {}

impl SgdOnlyConfig {
    pub(super) const NAME: &'static str = "sgd";

    /// The method without hyper-parameters.
    pub fn new() -> Self {
        Self {}
    }
}

impl Listed for SgdOnlyConfig {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn fields(&self) -> &'static [&'static str] {
        &[]
    }
}

impl MethodConfig for SgdOnlyConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(Box::new(Sgd))
    }
}

#[derive(Clone, Debug)]
struct Sgd;

impl Method for Sgd {
    fn name(&self) -> &'static str {
        SgdOnlyConfig::NAME
    }

    fn update(&mut self, start: Evaluation, _step: &mut Context<'_>) -> Result<Update, StepError> {
        Ok(Update::new(start.gradient, Some(start.norm)))
    }
}
