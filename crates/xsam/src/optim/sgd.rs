//! Stochastic gradient descent.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use xsam_kernels::{SgdStep, sgd_update};

use super::{in_precision_of, recorded};
use crate::check;
use crate::error::ConfigError;

/// SGD with momentum (without dampening), Nesterov momentum and weight decay, as PyTorch has it.
///
/// ```text
/// decayed = gradient + weight_decay * weight
/// velocity = momentum * velocity + decayed        (starts as the first of these)
/// weight = weight - lr * velocity                 (nesterov: decayed + momentum * velocity)
/// ```
///
/// | hyper-parameter | default | range |
/// |---|---|---|
/// | `momentum` | 0 | at least 0 and below 1 |
/// | `weight_decay` | 0 | finite, >= 0 |
/// | `nesterov` | no | only with momentum |
///
/// State: one number for each weight if there is momentum.
///
/// ```
/// use xsam::optim::FusedSgdConfig;
/// use xsam::{SharpnessAware, XsamConfig};
///
/// let sgd = FusedSgdConfig::new().with_momentum(0.9).with_weight_decay(1e-3);
/// let optim = SharpnessAware::new(sgd.init()?, XsamConfig::new())?;
///
/// let error = FusedSgdConfig::new().with_momentum(1.0).init().map(|_| ());
/// let message = "momentum = 1: must be at least 0 and below 1";
/// assert_eq!(error.unwrap_err().to_string(), message);
/// # Ok::<(), xsam::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FusedSgdConfig {
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
}

impl FusedSgdConfig {
    /// Plain gradient descent, without momentum and weight decay.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the factor of the momentum.
    #[must_use]
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets the weight decay, which is added to the gradient.
    #[must_use]
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Makes the momentum Nesterov's.
    #[must_use]
    pub fn with_nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    /// If a hyper-parameter is out of range: names it, its value and the range.
    pub fn init(&self) -> Result<ModuleOptimizer, ConfigError> {
        Ok(self.build()?.into())
    }

    /// The bare optimizer, for a parameter group.
    ///
    /// # Errors
    /// If a hyper-parameter is out of range: names it, its value and the range.
    pub fn build(&self) -> Result<Sgd, ConfigError> {
        check::below_one("momentum", self.momentum)?;
        check::non_negative("weight_decay", self.weight_decay)?;
        let ok = !self.nesterov || self.momentum > 0.0;
        ConfigError::unless(ok, "nesterov", true, "false where momentum is 0")?;
        Ok(Sgd {
            config: self.clone(),
        })
    }
}

/// The optimizer that [`FusedSgdConfig`] describes.
#[derive(Clone, Debug)]
pub struct Sgd {
    config: FusedSgdConfig,
}

/// State of [`Sgd`] for one parameter.
#[derive(Clone, Debug)]
pub struct SgdState<const D: usize> {
    velocity: Tensor<D>,
}

impl Optimizer for Sgd {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let step = SgdStep {
            learning_rate: lr,
            momentum: self.config.momentum,
            weight_decay: self.config.weight_decay,
            nesterov: self.config.nesterov,
        };
        let velocity = state.map(|state| in_precision_of(&tensor, state.velocity));
        let (tensor, velocity) = sgd_update(tensor, grad, velocity, &step);
        (tensor, velocity.map(|velocity| SgdState { velocity }))
    }

    fn to_device<const D: usize>(state: SgdState<D>, device: &Device) -> SgdState<D> {
        SgdState {
            velocity: state.velocity.to_device(device),
        }
    }
}

impl<const D: usize> RecordState for SgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "velocity", self.velocity.to_data());
    }

    fn state_unflatten(prefix: &str, from: &mut StateSource, _: &Device) -> Option<Self> {
        let velocity = recorded(from, prefix, "velocity")?;
        Some(Self { velocity })
    }
}
