//! From the words of a spec to the optimizer.

use burn::optim::ModuleOptimizer;
use xsam::method::{Ascent, Method, MethodConfig, MethodSpec};
use xsam::optim::{FusedAdamConfig, FusedSgdConfig};
use xsam::{ConfigError, LossScale, RhoSchedule, SharpnessAware};

use crate::spec::{OptimizerName, OptimizerSpec, Precision, RhoScheduleName, Spec, SpecError};

/// The method of a spec.
///
/// # Errors
/// Names the key that is out of range.
pub fn build(method: &MethodSpec) -> Result<Box<dyn Method>, SpecError> {
    method.build().map_err(config_error("method"))
}

/// Refuses more ascent steps than could be of use.
///
/// # Errors
/// Names the key.
pub fn check_ascent_steps(key: &str, steps: usize) -> Result<(), SpecError> {
    SpecError::within(key, steps, 1..=Ascent::MOST_STEPS)
}

/// The whole optimizer of a resolved spec, for a training of so many steps.
///
/// # Errors
/// Names the key that is out of range.
pub fn optimizer<S>(spec: &Spec<S>, length: usize) -> Result<SharpnessAware, SpecError> {
    let method = build(&spec.method)?;
    // Masks follow from the run's seed, whatever else draws from the device meanwhile.
    let mut optim = SharpnessAware::from_method(base(&spec.optimizer)?, method)
        .with_replay_dropout(spec.train.seed)
        .with_length(length as u64);
    // Of a shorter exponent small gradients would vanish.
    if spec.train.precision == Precision::F16 {
        optim = optim.with_loss_scale(LossScale::dynamic());
    }
    if let Some(norm) = spec.optimizer.clip_norm {
        let clipped = optim.with_clip_norm(norm);
        optim = clipped.map_err(config_error("optimizer"))?;
    }
    let full_at = spec.optimizer.lr;
    let schedule = match spec.schedule.rho {
        RhoScheduleName::Constant => RhoSchedule::Constant,
        RhoScheduleName::Proportional => RhoSchedule::ProportionalToLr { full_at },
        RhoScheduleName::Linear => RhoSchedule::LinearInLr {
            full_at,
            least_at: 0.0,
            least: spec.schedule.rho_least.unwrap_or_default(),
        },
    };
    let scheduled = optim.with_rho_schedule(schedule);
    scheduled.map_err(config_error("schedule"))
}

fn base(spec: &OptimizerSpec) -> Result<ModuleOptimizer, SpecError> {
    let decay = spec.weight_decay;
    let optimizer = match spec.name {
        OptimizerName::Sgd => sgd(spec.momentum.unwrap_or_default(), decay),
        OptimizerName::Adam => FusedAdamConfig::new().with_weight_decay(decay).init(),
        OptimizerName::AdamW => FusedAdamConfig::decoupled().with_weight_decay(decay).init(),
    };
    optimizer.map_err(config_error("optimizer"))
}

/// SGD as PyTorch has it: momentum without dampening, weight decay added to the gradient.
///
/// # Errors
/// If a value is out of range.
pub fn sgd(momentum: f64, weight_decay: f64) -> Result<ModuleOptimizer, ConfigError> {
    FusedSgdConfig::new()
        .with_momentum(momentum)
        .with_weight_decay(weight_decay)
        .init()
}

/// What becomes of an error in a field of a section.
fn config_error(section: &'static str) -> impl FnOnce(ConfigError) -> SpecError {
    move |error| {
        let message = format!("{} must be {}", error.value, error.range);
        SpecError::new(format!("{section}.{}", error.field), message)
    }
}
