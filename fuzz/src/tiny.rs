//! A model with a handful of weights, and what trains it.

use burn::module::{Module, Param, ParamId};
use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
use burn::tensor::{Device, Tensor};
use xsam::method::Method;
use xsam::method::MethodConfig;
use xsam::optim::{FusedAdamConfig, FusedSgdConfig};
use xsam::{
    FriendlySamConfig, GamConfig, LookSamConfig, LookbehindSamConfig, LossScale, MomentumSamConfig,
    SamConfig, SharpnessAware, StepError, XsamConfig,
};

/// Parameters of two ranks, whose ids are always the same: a record that was made in one process fits in another.
#[derive(Module, Debug)]
pub struct Tiny {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Default for Tiny {
    fn default() -> Self {
        let device = Device::flex().autodiff();
        let weight = Tensor::from_data([[1.0f32, -2.0, 0.5], [0.25, 3.0, -1.0]], &device);
        let bias = Tensor::from_data([0.5f32, -0.5], &device);
        Self {
            weight: Param::initialized(ParamId::from(1), weight.require_grad()),
            bias: Param::initialized(ParamId::from(2), bias.require_grad()),
        }
    }
}

impl Tiny {
    /// After a step of `optim`.
    pub fn after_step(self, optim: &mut SharpnessAware) -> Result<Self, StepError> {
        let loss =
            |model: &Self| model.weight.val().square().sum() + model.bias.val().square().sum();
        Ok(optim.step(0.1, self, loss)?.model)
    }
}

/// How many there are.
pub const OPTIMIZERS: usize = 8;

/// One of the optimizers, of which no two keep the same.
pub fn optimizer(number: usize) -> SharpnessAware {
    let fused = || {
        FusedSgdConfig::new()
            .with_momentum(0.9)
            .init()
            .expect("it is in range")
    };
    let momentum = MomentumConfig::new().with_dampening(0.0);
    let plain = || {
        SgdConfig::new()
            .with_momentum(Some(momentum.clone()))
            .init()
    };
    let adam = || FusedAdamConfig::new().init().expect("it is in range");
    let of = |base: ModuleOptimizer, method: Result<Box<dyn Method>, _>| {
        SharpnessAware::from_method(
            base,
            method.unwrap_or_else(|error: xsam::ConfigError| panic!("{error}")),
        )
    };
    match number % OPTIMIZERS {
        0 => of(fused(), SamConfig::new().build()),
        1 => of(plain(), LookSamConfig::new().with_every(2).build()),
        2 => of(adam(), XsamConfig::new().build()).with_replay_dropout(7),
        3 => of(AdamConfig::new().init(), FriendlySamConfig::new().build()),
        4 => of(fused(), MomentumSamConfig::new().build()),
        5 => of(fused(), LookbehindSamConfig::new().build()).with_fresh_dropout(),
        6 => of(fused(), GamConfig::new().build()).with_loss_scale(LossScale::dynamic()),
        _ => of(SgdConfig::new().init(), XsamConfig::new().build()),
    }
}
