//! From the words of a spec to the optimizer.
//!
//! A new method is registered here: its name and fields in [`MethodSpec`](crate::spec::MethodSpec), the fields it has
//! in [`resolved`], its config in [`build`], and what its steps cost in [`Work`].

mod build;
mod resolve;
mod work;

use burn::optim::ModuleOptimizer;
use xsam::optim::{AdamConfig, SgdConfig};
use xsam::{ConfigError, RhoSchedule, SharpnessAware};

pub(crate) use build::build;
pub(crate) use resolve::{check_ascent_steps, resolved};
pub(crate) use work::Work;

use crate::spec::{OptimizerName, OptimizerSpec, RhoScheduleName, Spec, SpecError};

/// The whole optimizer of a resolved spec.
///
/// # Errors
/// Names the key that is out of range.
pub(crate) fn optimizer(spec: &Spec) -> Result<SharpnessAware, SpecError> {
    let method = build(&spec.method)?;
    // Masks follow from the run's seed, whatever else draws from the device meanwhile.
    let mut optim = SharpnessAware::from_method(base(&spec.optimizer)?, method)
        .with_replay_dropout(spec.train.seed);
    if let Some(norm) = spec.optimizer.clip_norm {
        optim = optim
            .with_clip_norm(norm)
            .map_err(|error| config_error("optimizer", &error))?;
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
    optim
        .with_rho_schedule(schedule)
        .map_err(|error| config_error("schedule", &error))
}

fn base(spec: &OptimizerSpec) -> Result<ModuleOptimizer, SpecError> {
    let decay = spec.weight_decay;
    let optimizer = match spec.name {
        OptimizerName::Sgd => sgd(spec.momentum.unwrap_or_default(), decay),
        OptimizerName::Adam => AdamConfig::new().with_weight_decay(decay).init(),
        OptimizerName::AdamW => AdamConfig::decoupled().with_weight_decay(decay).init(),
    };
    optimizer.map_err(|error| config_error("optimizer", &error))
}

/// SGD as PyTorch has it: momentum without dampening, weight decay added to the gradient.
pub(crate) fn sgd(momentum: f64, weight_decay: f64) -> Result<ModuleOptimizer, ConfigError> {
    SgdConfig::new()
        .with_momentum(momentum)
        .with_weight_decay(weight_decay)
        .init()
}

fn config_error(section: &str, error: &ConfigError) -> SpecError {
    let message = format!("{} must be {}", error.value, error.range);
    SpecError::new(format!("{section}.{}", error.field), message)
}
