//! Friendly-SAM: ascent along what is peculiar to the batch.

use serde::{Deserialize, Serialize};

use super::config::{Bare, method_config};
use super::{Context, Method, MethodState};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;
use crate::vector::ParamVector;

method_config! {
    /// Friendly-SAM (Li et al., CVPR 2024, arXiv 2403.12350, Algorithm 1).
    ///
    /// A batch's gradient is the gradient over all data plus noise of that batch. The paper finds that the ascent along
    /// the first part is what harms SAM, and takes it out of the direction. A moving average estimates it:
    ///
    /// ```text
    /// m = lambda m + (1 - lambda) g_0      from m = 0, over all steps so far
    /// theta_k, g_k                         by k ascent steps along g_i - sigma m in place of g_i
    /// the base optimizer steps from theta_0 with g_k
    /// ```
    ///
    /// The average is fed the gradient itself, not what is left of it. `sigma = 0` is SAM.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
    /// | `sigma` | 1 | finite, >= 0 | how much of `m` is taken out; not 1 if `lambda` is 0 |
    /// | `lambda` | 0.9 | >= 0, < 1 | how much of `m` is left after a step |
    /// | `ascent_steps` | 1 | >= 1 | `k` |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: `k + 1` forward-backward. Full-size copies at the peak besides weights and base optimizer: 4 (`m`, which
    /// stays, as it was and as it is; ascent point, gradient). State: `m`.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{FriendlySamConfig, SharpnessAware};
    ///
    /// let config = FriendlySamConfig::new().with_lambda(0.6);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert_eq!(optim.method(), "friendly-sam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct FriendlySamConfig ("friendly-sam") {
        ascent { rho: 0.15, ascent_steps: 1, adaptive: None }
        fields {
            /// How much of the average is taken out of the direction.
            with_sigma sigma: f64 = Friendly::default().sigma;
            /// How much of the average is left after a step.
            with_lambda lambda: f64 = Friendly::default().lambda;
        }
    }
}

impl Bare for FriendlySamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        let friendly = Friendly {
            sigma: self.sigma,
            lambda: self.lambda,
        };
        Ok(Box::new(FriendlySam {
            ascent: self.ascent()?,
            average: friendly.build("sigma", "lambda")?,
        }))
    }
}

#[derive(Clone, Debug)]
struct FriendlySam {
    ascent: Ascent,
    average: Average,
}

impl Method for FriendlySam {
    fn name(&self) -> &'static str {
        FriendlySamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let (sigma, average) = self.average.with(&start.gradient);
        let climb = self.ascent.begin(start, step.rho_factor, Keep::Gradient);
        let point = climb.without(sigma, average).top(step)?;
        Ok(Update::new(point.gradient, Some(point.norm)))
    }

    fn keeps_gradients(&self) -> bool {
        true
    }

    fn state(&self) -> MethodState {
        self.average.state(MethodState::default())
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.average.load_state(state);
        Ok(())
    }
}

/// How much of the gradient's moving average is taken out of the ascent direction (arXiv 2403.12350).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Friendly {
    /// How much: finite, at least 0. Not 1 if `lambda` is 0: nothing would be left of the direction.
    pub sigma: f64,
    /// How much of the average is left after a step: at least 0 and below 1.
    pub lambda: f64,
}

impl Default for Friendly {
    fn default() -> Self {
        Self {
            sigma: 1.0,
            lambda: 0.9,
        }
    }
}

impl Friendly {
    /// Checks the values; `sigma` and `lambda` are what errors call them.
    pub(super) fn build(
        self,
        sigma: &'static str,
        lambda: &'static str,
    ) -> Result<Average, ConfigError> {
        check::non_negative(sigma, self.sigma)?;
        check::below_one(lambda, self.lambda)?;
        let range = "above 0 if sigma is 1: without memory the average is the gradient itself";
        let ok = self.lambda != 0.0 || self.sigma != 1.0;
        ConfigError::unless(ok, lambda, self.lambda, range)?;
        Ok(Average {
            friendly: self,
            mean: ParamVector::default(),
        })
    }
}

/// The moving average `m`.
#[derive(Clone, Debug)]
pub(super) struct Average {
    friendly: Friendly,
    mean: ParamVector,
}

impl Average {
    /// Sigma, and the average with `gradient` in it.
    pub(super) fn with(&mut self, gradient: &ParamVector) -> (f64, &ParamVector) {
        let Friendly { sigma, lambda } = self.friendly;
        let mean = std::mem::take(&mut self.mean).beside(gradient);
        self.mean = mean.combine(lambda, gradient, 1.0 - lambda);
        (sigma, &self.mean)
    }

    pub(super) fn state(&self, state: MethodState) -> MethodState {
        state.with_vector("average", self.mean.clone())
    }

    pub(super) fn load_state(&mut self, state: &MethodState) {
        self.mean = state.vector("average").cloned().unwrap_or_default();
    }
}
