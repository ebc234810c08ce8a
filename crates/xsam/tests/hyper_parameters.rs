//! Hyper-parameters are checked when an optimizer is built: errors name the field.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::optimizer;
use xsam::method::MethodConfig;
use xsam::{
    AsamConfig, ConfigError, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig,
    LookXsamConfig, LookbehindSamConfig, LossScale, MsamConfig, RhoSchedule, SamConfig, Scaling,
    SearchSchedule, WsamConfig, XsamConfig,
};

#[test]
fn hyper_parameters_are_checked_when_the_optimizer_is_built() {
    let field = |config: &dyn MethodConfig| config.build().unwrap_err().field;
    for rho in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(field(&SamConfig::new().with_rho(rho)), "rho");
        assert_eq!(field(&AsamConfig::new().with_rho(rho)), "rho");
        assert_eq!(field(&XsamConfig::new().with_rho(rho)), "rho");
        assert_eq!(field(&XsamConfig::new().with_rho_max(rho)), "rho_max");
    }
    assert_eq!(field(&XsamConfig::new().with_rho_max(0.0)), "rho_max");
    assert_eq!(
        field(&SamConfig::new().with_ascent_steps(0)),
        "ascent_steps"
    );
    assert_eq!(
        field(&SamConfig::new().with_ascent_steps(1001)),
        "ascent_steps"
    );
    let many = XsamConfig::new().with_grid(vec![1.0; 1001]);
    assert_eq!(field(&many), "grid");
    assert_eq!(field(&XsamConfig::new().with_grid(Vec::new())), "grid");
    assert_eq!(field(&XsamConfig::new().with_alpha(f64::NAN)), "alpha");
    assert_eq!(
        field(&AsamConfig::new().with_adaptive(Scaling::None)),
        "adaptive"
    );
    let never = XsamConfig::new().with_search(xsam::SearchSchedule::EverySteps(0));
    assert_eq!(field(&never), "search.every-steps");
    let optim = || optimizer(SamConfig::new());
    assert!(optim().with_clip_norm(0.0).is_err());
    let schedule = RhoSchedule::ProportionalToLr { full_at: f64::NAN };
    assert_eq!(
        optim().with_rho_schedule(schedule).unwrap_err().field,
        "full_at"
    );
}

#[test]
fn hyper_parameters_of_the_family_are_checked() {
    let field =
        |config: &dyn MethodConfig| config.build().map(|_| "none").unwrap_or_else(|e| e.field);
    let nan = f64::NAN;
    type Made = Box<dyn MethodConfig>;
    let every: [fn(f64, usize) -> Made; 6] = [
        |rho, k| Box::new(GsamConfig::new().with_rho(rho).with_ascent_steps(k)),
        |rho, k| Box::new(WsamConfig::new().with_rho(rho).with_ascent_steps(k)),
        |rho, k| Box::new(LookSamConfig::new().with_rho(rho).with_ascent_steps(k)),
        |rho, k| Box::new(FriendlySamConfig::new().with_rho(rho).with_ascent_steps(k)),
        |rho, k| Box::new(MsamConfig::new().with_rho(rho).with_ascent_steps(k)),
        |rho, k| {
            Box::new(
                LookbehindSamConfig::new()
                    .with_rho(rho)
                    .with_ascent_steps(k),
            )
        },
    ];
    for config in every {
        assert_eq!(field(&*config(0.1, 1)), "none");
        assert_eq!(field(&*config(0.1, 0)), "ascent_steps");
        for rho in [-0.1, nan, f64::INFINITY] {
            assert_eq!(field(&*config(rho, 1)), "rho");
        }
    }
    for alpha in [-0.1, nan, f64::INFINITY] {
        assert_eq!(field(&GsamConfig::new().with_alpha(alpha)), "alpha");
        assert_eq!(field(&LookSamConfig::new().with_alpha(alpha)), "alpha");
        assert_eq!(
            field(&LookbehindSamConfig::new().with_alpha(alpha)),
            "alpha"
        );
    }
    for alpha in [0.0, 1.1] {
        assert_eq!(
            field(&LookbehindSamConfig::new().with_alpha(alpha)),
            "alpha"
        );
    }
    for gamma in [-0.1, 1.0, nan] {
        assert_eq!(field(&WsamConfig::new().with_gamma(gamma)), "gamma");
    }
    assert_eq!(field(&LookSamConfig::new().with_every(0)), "every");
    assert_eq!(field(&LookXsamConfig::default().with_every(0)), "every");
    let inner = LookXsamConfig::from(XsamConfig::new().with_rho(nan));
    assert_eq!(field(&inner), "rho");
    for (sigma, lambda, expected) in [
        (-0.1, 0.9, "sigma"),
        (nan, 0.9, "sigma"),
        (1.0, 1.0, "lambda"),
        (1.0, nan, "lambda"),
        (1.0, -0.1, "lambda"),
        // The direction without the average would be nothing, in every step.
        (1.0, 0.0, "lambda"),
    ] {
        let friendly = Friendly { sigma, lambda };
        let config = FriendlySamConfig::new()
            .with_sigma(sigma)
            .with_lambda(lambda);
        assert_eq!(field(&config), expected);
        let config = XsamConfig::new().with_friendly(friendly);
        assert_eq!(field(&config), format!("friendly.{expected}"));
    }
}

#[test]
fn hyper_parameters_of_a_search_are_checked() {
    let error = |config: XsamConfig| config.build().map(|_| ()).unwrap_err();
    let xsam = XsamConfig::new;
    assert_eq!(error(xsam().with_search_batches(0)).field, "search_batches");
    for (shortest, longest, tolerance, field) in [
        (0, 4, 0.1, "search.adaptive.shortest"),
        (5, 4, 0.1, "search.adaptive.longest"),
        (1, 4, -0.1, "search.adaptive.tolerance"),
        (1, 4, f64::NAN, "search.adaptive.tolerance"),
    ] {
        let search = SearchSchedule::Adaptive {
            shortest,
            longest,
            tolerance,
        };
        assert_eq!(error(xsam().with_search(search)).field, field);
    }
    // A parabola takes three points.
    let grid = vec![0.5, 1.5];
    let message = "grid = [0.5, 1.5]: must be a list of at least three positions, for a parabola";
    let config = xsam().with_grid(grid).with_parabola(true);
    assert_eq!(error(config).to_string(), message);
}

#[test]
fn loss_scales_are_checked() {
    let field = |scale: Result<LossScale, ConfigError>| scale.unwrap_err().field;
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(field(LossScale::fixed(scale)), "loss_scale");
    }
    for scale in [0.5, f64::NAN, f64::INFINITY] {
        assert_eq!(field(LossScale::dynamic().with_start(scale)), "loss_scale");
    }
    let dynamic = LossScale::dynamic();
    assert_eq!(field(dynamic.with_growth_interval(0)), "growth_interval");
    let fixed = LossScale::fixed(8.0).unwrap();
    assert_eq!(field(fixed.with_growth_interval(9)), "growth_interval");
}

#[test]
fn schedules_of_rho_are_checked() {
    let field = |full_at, least_at, least| {
        let schedule = RhoSchedule::LinearInLr {
            full_at,
            least_at,
            least,
        };
        let optim = optimizer(SamConfig::new()).with_rho_schedule(schedule);
        optim.map(|_| ()).map_err(|error| error.field)
    };
    assert_eq!(field(0.1, 0.0, 0.0), Ok(()));
    assert_eq!(field(0.1, 0.05, 1.0), Ok(()));
    for full_at in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(field(full_at, 0.0, 0.5), Err("full_at"));
    }
    for least_at in [0.1, 0.2, -0.1, f64::NAN] {
        assert_eq!(field(0.1, least_at, 0.5), Err("least_at"));
    }
    for least in [-0.1, 1.1, f64::NAN] {
        assert_eq!(field(0.1, 0.0, least), Err("least"));
    }
}
