//! From the words of a spec to the optimizer.
//!
//! A new method is registered here: its name in [`MethodName`], the fields it has in [`resolved`],
//! its config in [`build`], and what an epoch costs in [`passes`].

use burn::optim::ModuleOptimizer;
use xsam::optim::{AdamConfig, SgdConfig};
use xsam::{
    AsamConfig, ConfigError, Grid, Method, MethodConfig, RhoSchedule, SamConfig, Scaling,
    SearchSchedule, SgdOnlyConfig, SharpnessAware, XsamConfig,
};

use crate::spec::{
    Adaptive, MethodName, MethodSpec, OptimizerName, OptimizerSpec, RhoScheduleName, Search, Spec,
    SpecError,
};

/// The method with the defaults of its fields filled in, and without those that it does not have.
pub(crate) fn resolved(spec: &MethodSpec) -> Result<MethodSpec, SpecError> {
    let mut out = MethodSpec::new(spec.name);
    if spec.name == MethodName::Sgd {
        return Ok(out);
    }
    let (rho, adaptive) = match spec.name {
        MethodName::Asam => (0.5, Adaptive::Elementwise),
        _ => (0.15, Adaptive::None),
    };
    let rho = spec.rho.unwrap_or(rho);
    out.rho = Some(rho);
    out.ascent_steps = Some(spec.ascent_steps.unwrap_or(1));
    if spec.name == MethodName::Sam {
        return match spec.adaptive {
            None | Some(Adaptive::None) => Ok(out),
            Some(_) => {
                let message = "sam ascends along the plain gradient: name = \"asam\" scales it";
                Err(SpecError::new("method.adaptive", message))
            }
        };
    }
    out.adaptive = Some(spec.adaptive.unwrap_or(adaptive));
    if spec.name == MethodName::Asam {
        return Ok(out);
    }
    out.alpha = spec.alpha;
    if spec.alpha.is_some() {
        return match spec.search {
            None | Some(Search::Never) => Ok(out),
            Some(_) => {
                let message = "alpha is fixed and searched for: leave out one of alpha and search";
                Err(SpecError::new("method.search", message))
            }
        };
    }
    let search = spec.search.unwrap_or(Search::EveryEpoch);
    out.search = Some(search);
    if search != Search::Never {
        out.rho_max = Some(spec.rho_max.unwrap_or(2.0 * rho));
        let grid = spec.grid.clone();
        out.grid = Some(grid.unwrap_or_else(|| Grid::default().alphas().to_vec()));
    }
    if search == Search::EverySteps {
        let Some(steps) = spec.search_every else {
            let message = "search = \"every-steps\" needs it: the number of steps";
            return Err(SpecError::new("method.search_every", message));
        };
        out.search_every = Some(steps);
    }
    Ok(out)
}

/// The method of a resolved spec.
pub(crate) fn build(spec: &MethodSpec) -> Result<Box<dyn Method>, SpecError> {
    let rho = spec.rho.unwrap_or_default();
    let steps = spec.ascent_steps.unwrap_or(1);
    let scaling = match spec.adaptive.unwrap_or(Adaptive::None) {
        Adaptive::None => Scaling::None,
        Adaptive::Elementwise => Scaling::Elementwise,
        Adaptive::Weights => Scaling::Weights,
    };
    let method = match spec.name {
        MethodName::Sgd => SgdOnlyConfig::new().build(),
        MethodName::Sam => {
            let config = SamConfig::new().with_rho(rho);
            config.with_ascent_steps(steps).build()
        }
        MethodName::Asam => {
            let config = AsamConfig::new().with_rho(rho).with_scaling(scaling);
            config.with_ascent_steps(steps).build()
        }
        MethodName::Xsam => {
            let config = XsamConfig::new().with_rho(rho).with_scaling(scaling);
            searched(config.with_ascent_steps(steps), spec)?.build()
        }
    };
    method.map_err(|error| config_error("method", &error))
}

/// Forward-backward passes of an epoch of `steps` steps of a resolved spec, and forward passes of its searches.
pub(crate) fn passes(spec: &MethodSpec, steps: usize) -> (f64, f64) {
    let steps = steps as f64;
    // Without a length nothing is ascended, and there is no arc to search.
    let ascends = spec.rho.is_some_and(|rho| rho > 0.0);
    let ascent = spec.ascent_steps.filter(|_| ascends).unwrap_or_default();
    let searches = match spec.search.filter(|_| ascends) {
        Some(Search::EveryEpoch) => 1.0,
        Some(Search::EverySteps) => steps / spec.search_every.unwrap_or(1) as f64,
        Some(Search::Never) | None => 0.0,
    };
    let positions = spec.grid.as_ref().map_or(0, Vec::len);
    (steps * (ascent + 1) as f64, searches * positions as f64)
}

fn searched(mut config: XsamConfig, spec: &MethodSpec) -> Result<XsamConfig, SpecError> {
    // Twice a rho of zero is no distance to search at; nor is there an ascent to search after.
    if let Some(rho_max) = spec.rho_max.filter(|_| spec.rho != Some(0.0)) {
        config = config.with_rho_max(rho_max);
    }
    if let Some(grid) = &spec.grid {
        let grid = Grid::new(grid.clone()).map_err(|error| config_error("method", &error))?;
        config = config.with_grid(grid);
    }
    Ok(match (spec.alpha, spec.search) {
        (Some(alpha), _) => config.with_alpha(alpha),
        (None, Some(Search::EverySteps)) => {
            let steps = spec.search_every.unwrap_or_default();
            config.with_search(SearchSchedule::EverySteps(steps))
        }
        (None, Some(Search::Never)) => config.with_search(SearchSchedule::Never),
        (None, Some(Search::EveryEpoch) | None) => config,
    })
}

/// The whole optimizer of a resolved spec.
///
/// # Errors
/// Names the key that is out of range.
pub(crate) fn optimizer(spec: &Spec) -> Result<SharpnessAware, SpecError> {
    let method = build(&spec.method)?;
    let mut optim = SharpnessAware::from_method(base(&spec.optimizer)?, method);
    if let Some(norm) = spec.optimizer.clip_norm {
        optim = optim
            .with_clip_norm(norm)
            .map_err(|error| config_error("optimizer", &error))?;
    }
    if spec.schedule.rho == RhoScheduleName::Proportional {
        let full_at = spec.optimizer.lr;
        optim = optim
            .with_rho_schedule(RhoSchedule::ProportionalToLr { full_at })
            .map_err(|error| config_error("schedule", &error))?;
    }
    Ok(optim)
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
