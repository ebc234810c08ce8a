//! The method of a resolved spec.

use xsam::{
    AsamConfig, ConfigError, Friendly, FriendlySamConfig, Grid, GsamConfig, LookSamConfig,
    LookXsamConfig, LookbehindSamConfig, Method, MethodConfig, MsamConfig, SamConfig, Scaling,
    SearchSchedule, SgdOnlyConfig, WsamConfig, XsamConfig,
};

use super::config_error;
use crate::spec::{Adaptive, MethodName, MethodSpec, Search, SearchKind, SpecError};

/// Makes the method of a resolved spec.
///
/// # Errors
/// Names the key that is out of range.
pub(crate) fn build(spec: &MethodSpec) -> Result<Box<dyn Method>, SpecError> {
    config(spec)
        .and_then(|config| config.build())
        .map_err(|mut error| {
            // In a spec all methods share one section, so that some fields have longer names there.
            error.field = match (spec.name, error.field) {
                (MethodName::Gsam, "alpha") => "gsam_alpha",
                (MethodName::LookSam | MethodName::LookbehindSam, "alpha") => "look_alpha",
                (MethodName::LookSam | MethodName::LookXsam, "every") => "look_every",
                (_, field) => field,
            };
            config_error("method", &error)
        })
}

fn config(spec: &MethodSpec) -> Result<Box<dyn MethodConfig>, ConfigError> {
    let rho = spec.rho.unwrap_or_default();
    let steps = spec.ascent_steps.unwrap_or(1);
    let scaling = match spec.adaptive.unwrap_or(Adaptive::None) {
        Adaptive::None => Scaling::None,
        Adaptive::Elementwise => Scaling::Elementwise,
        Adaptive::Weights => Scaling::Weights,
    };
    /// The part that all methods with an ascent have.
    macro_rules! ascending {
        ($config:expr) => {
            $config
                .with_rho(rho)
                .with_ascent_steps(steps)
                .with_scaling(scaling)
        };
    }
    let look_every = spec.look_every.unwrap_or(1);
    let look_alpha = spec.look_alpha.unwrap_or_default();
    Ok(match spec.name {
        MethodName::Sgd => Box::new(SgdOnlyConfig::new()),
        MethodName::Sam => {
            let config = SamConfig::new().with_rho(rho);
            Box::new(config.with_ascent_steps(steps))
        }
        MethodName::Asam => Box::new(ascending!(AsamConfig::new())),
        MethodName::Xsam => Box::new(xsam(spec, ascending!(XsamConfig::new()))?),
        MethodName::LookXsam => {
            let config = xsam(spec, ascending!(XsamConfig::new()))?;
            Box::new(LookXsamConfig::new(config).with_every(look_every))
        }
        MethodName::Gsam => {
            let alpha = spec.gsam_alpha.unwrap_or_default();
            Box::new(ascending!(GsamConfig::new()).with_alpha(alpha))
        }
        MethodName::Wsam => {
            let config = ascending!(WsamConfig::new()).with_gamma(spec.gamma.unwrap_or_default());
            Box::new(config.with_decoupled(spec.decoupled.unwrap_or_default()))
        }
        MethodName::LookSam => {
            let config = ascending!(LookSamConfig::new()).with_every(look_every);
            Box::new(config.with_alpha(look_alpha))
        }
        MethodName::FriendlySam => {
            Box::new(ascending!(FriendlySamConfig::new()).with_friendly(friendly(spec)))
        }
        MethodName::Msam => Box::new(ascending!(MsamConfig::new())),
        MethodName::LookbehindSam => {
            Box::new(ascending!(LookbehindSamConfig::new()).with_alpha(look_alpha))
        }
    })
}

fn friendly(spec: &MethodSpec) -> Friendly {
    Friendly {
        sigma: spec.sigma.unwrap_or_default(),
        lambda: spec.lambda.unwrap_or_default(),
    }
}

/// What XSAM has besides an ascent.
fn xsam(spec: &MethodSpec, mut config: XsamConfig) -> Result<XsamConfig, ConfigError> {
    // Twice a rho of zero is no distance to search at; nor is there an ascent to search after.
    if let Some(rho_max) = spec.rho_max.filter(|_| spec.rho != Some(0.0)) {
        config = config.with_rho_max(rho_max);
    }
    if spec.friendly == Some(true) {
        config = config.with_friendly(friendly(spec));
    }
    if let Some(grid) = &spec.grid {
        config = config.with_grid(Grid::new(grid.clone())?);
    }
    if spec.search_kind == Some(SearchKind::Parabola) {
        config = config.with_parabola();
    }
    if let Some(batches) = spec.search_batches {
        config = config.with_search_batches(batches);
    }
    if let Some(alpha) = spec.alpha {
        return Ok(config.with_alpha(alpha));
    }
    Ok(config.with_search(match spec.search {
        Some(Search::EverySteps) => {
            SearchSchedule::EverySteps(spec.search_every.unwrap_or_default())
        }
        Some(Search::Adaptive) => SearchSchedule::Adaptive {
            shortest: spec.search_shortest.unwrap_or_default(),
            longest: spec.search_longest.unwrap_or_default(),
            tolerance: spec.search_tolerance.unwrap_or_default(),
        },
        Some(Search::Never) => SearchSchedule::Never,
        Some(Search::EveryEpoch) | None => SearchSchedule::EveryEpoch,
    }))
}
