//! Adam and AdamW.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use burn_pack::Scalar;
use xsam_kernels::{AdamStep, adam_update};

use super::{in_precision_of, recorded};
use crate::check;
use crate::error::ConfigError;

/// Adam (Kingma and Ba 2015, arXiv 1412.6980) and AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101),
/// as PyTorch has them.
///
/// ```text
/// decayed = gradient + weight_decay * weight                     (Adam)
/// weight = (1 - lr * weight_decay) * weight                      (AdamW; decayed = gradient)
/// first = beta_1 * first + (1 - beta_1) * decayed
/// second = beta_2 * second + (1 - beta_2) * decayed^2
/// weight = weight - lr * first / (1 - beta_1^t) / (sqrt(second / (1 - beta_2^t)) + epsilon)
/// ```
///
/// | hyper-parameter | default | range |
/// |---|---|---|
/// | `betas` | 0.9, 0.999 | at least 0 and below 1 |
/// | `epsilon` | 1e-8 | finite, > 0 |
/// | `weight_decay` | Adam 0, AdamW 0.01 | finite, >= 0 |
///
/// State: two numbers for each weight.
///
/// ```
/// use xsam::optim::FusedAdamConfig;
/// use xsam::{SharpnessAware, XsamConfig};
///
/// let adamw = FusedAdamConfig::decoupled().with_weight_decay(0.05);
/// let optim = SharpnessAware::new(adamw.init()?, XsamConfig::new())?;
/// # Ok::<(), xsam::ConfigError>(())
/// ```
#[doc(alias = "AdamW")]
#[derive(Clone, Debug)]
pub struct FusedAdamConfig {
    betas: [f64; 2],
    epsilon: f64,
    weight_decay: f64,
    decoupled: bool,
}

impl FusedAdamConfig {
    /// Adam: weight decay, if any, is added to the gradient.
    pub fn new() -> Self {
        Self {
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        }
    }

    /// AdamW: the weights decay by themselves.
    #[doc(alias = "AdamWConfig")]
    pub fn decoupled() -> Self {
        Self {
            weight_decay: 0.01,
            decoupled: true,
            ..Self::new()
        }
    }

    /// Sets how much of the two moments is left after a step.
    #[must_use]
    pub fn with_betas(mut self, beta_1: f64, beta_2: f64) -> Self {
        self.betas = [beta_1, beta_2];
        self
    }

    /// Sets what is added to the root of the second moment.
    #[must_use]
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets the weight decay.
    #[must_use]
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
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
    pub fn build(&self) -> Result<Adam, ConfigError> {
        check::below_one("beta_1", self.betas[0])?;
        check::below_one("beta_2", self.betas[1])?;
        check::positive("epsilon", self.epsilon)?;
        check::non_negative("weight_decay", self.weight_decay)?;
        Ok(Adam {
            config: self.clone(),
        })
    }
}

impl Default for FusedAdamConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// The optimizer that [`FusedAdamConfig`] describes.
#[derive(Clone, Debug)]
pub struct Adam {
    config: FusedAdamConfig,
}

/// State of [`Adam`] for one parameter.
#[derive(Clone, Debug)]
pub struct AdamState<const D: usize> {
    moments: [Tensor<D>; 2],
    /// Number of steps made.
    time: usize,
}

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let config = &self.config;
        let (moments, time) = match state {
            Some(AdamState { moments, time }) => {
                let moments = moments.map(|moment| in_precision_of(&tensor, moment));
                (Some(moments), time + 1)
            }
            None => (None, 1),
        };
        let step = AdamStep {
            learning_rate: lr,
            beta_1: config.betas[0],
            beta_2: config.betas[1],
            epsilon: config.epsilon,
            weight_decay: config.weight_decay,
            decoupled: config.decoupled,
            time,
        };
        let (tensor, moments) = adam_update(tensor, grad, moments, &step);
        (tensor, Some(AdamState { moments, time }))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        AdamState {
            moments: state.moments.map(|moment| moment.to_device(device)),
            time: state.time,
        }
    }
}

impl<const D: usize> RecordState for AdamState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let [first, second] = &self.moments;
        out.push_tensor(prefix, "first", first.to_data());
        out.push_tensor(prefix, "second", second.to_data());
        out.push_scalar(prefix, "time", Scalar::from(self.time));
    }

    fn state_unflatten(prefix: &str, from: &mut StateSource, _: &Device) -> Option<Self> {
        let time = usize::try_from(from.take_scalar(prefix, "time")?).ok()?;
        let first = recorded(from, prefix, "first")?;
        let second = recorded(from, prefix, "second")?;
        Some(Self {
            moments: [first, second],
            time,
        })
    }
}
