//! Hyper-parameters are checked when an optimizer is built: errors name the field.

use crate::common::optimizer;
use xsam::method::{MethodConfig, MethodSpec};
use xsam::{
    AsamConfig, BsamConfig, ConfigError, EsamConfig, Friendly, FriendlySamConfig, GamConfig,
    GsamConfig, LookSamConfig, LookXsamConfig, LookbehindSamConfig, LossScale, RhoSchedule,
    SamConfig, Scaling, SearchSchedule, WsamConfig, XsamConfig, ZSharpConfig,
};

const NAN: f64 = f64::NAN;

/// Neither finite nor at least 0.
const NOT_A_LENGTH: [f64; 3] = [-0.1, NAN, f64::INFINITY];

/// The field that is out of range.
fn refused(config: impl Into<MethodSpec>) -> &'static str {
    let config = config.into();
    let built = config.build();
    built.map_or_else(|error| error.field, |_| panic!("{config:?} is built"))
}

#[test]
fn rho_and_the_ascent_steps_of_every_method_are_checked() {
    for name in MethodSpec::NAMES {
        let spec = MethodSpec::named(name).unwrap();
        assert!(spec.build().is_ok(), "{name}");
        let (mut rho, mut steps) = (spec.clone(), spec);
        for value in NOT_A_LENGTH {
            if rho.set_rho(value) {
                assert_eq!(refused(rho.clone()), "rho", "{name}");
            }
        }
        for value in [0, 1001] {
            if steps.set_ascent_steps(value) {
                assert_eq!(refused(steps.clone()), "ascent_steps", "{name}");
            }
        }
    }
}

#[test]
fn hyper_parameters_of_a_method_are_checked() {
    for alpha in NOT_A_LENGTH {
        assert_eq!(refused(GsamConfig::new().with_alpha(alpha)), "alpha");
        assert_eq!(refused(LookSamConfig::new().with_alpha(alpha)), "alpha");
    }
    for alpha in NOT_A_LENGTH.into_iter().chain([0.0, 1.1]) {
        let config = LookbehindSamConfig::new().with_alpha(alpha);
        assert_eq!(refused(config), "alpha");
    }
    for value in NOT_A_LENGTH {
        let config = BsamConfig::new;
        assert_eq!(refused(config().with_delta(value)), "delta");
        assert_eq!(refused(config().with_damping(value)), "damping");
        assert_eq!(refused(config().with_initial(value)), "initial");
        assert_eq!(refused(config().with_samples(value)), "samples");
    }
    assert_eq!(refused(BsamConfig::new().with_initial(0.0)), "initial");
    for beta in [-0.1, 1.0, NAN] {
        assert_eq!(refused(BsamConfig::new().with_beta1(beta)), "beta1");
        assert_eq!(refused(BsamConfig::new().with_beta2(beta)), "beta2");
    }
    for share in [-0.1, 0.0, 1.1, NAN] {
        assert_eq!(refused(EsamConfig::new().with_beta(share)), "beta");
        assert_eq!(refused(EsamConfig::new().with_gamma(share)), "gamma");
    }
    for gamma in [-0.1, 1.0, NAN] {
        assert_eq!(refused(WsamConfig::new().with_gamma(gamma)), "gamma");
    }
    let unscaled = AsamConfig::new().with_adaptive(Scaling::None);
    assert_eq!(refused(unscaled), "adaptive");
    assert_eq!(refused(LookSamConfig::new().with_every(0)), "every");
    assert_eq!(refused(LookXsamConfig::default().with_every(0)), "every");
    let inner = LookXsamConfig::from(XsamConfig::new().with_rho(NAN));
    assert_eq!(refused(inner), "rho");
    for percentile in [-0.1, 1.0, NAN] {
        let zsharp = ZSharpConfig::new().with_percentile(percentile);
        assert_eq!(refused(zsharp), "percentile");
        let xsam = XsamConfig::new().with_percentile(percentile);
        assert_eq!(refused(xsam), "percentile");
    }
    for alpha in NOT_A_LENGTH {
        assert_eq!(refused(GamConfig::new().with_alpha(alpha)), "alpha");
    }
    for (sigma, lambda, expected) in [
        (-0.1, 0.9, "sigma"),
        (NAN, 0.9, "sigma"),
        (1.0, 1.0, "lambda"),
        (1.0, NAN, "lambda"),
        (1.0, -0.1, "lambda"),
        // The direction without the average would be nothing, in every step.
        (1.0, 0.0, "lambda"),
    ] {
        let config = FriendlySamConfig::new().with_sigma(sigma);
        assert_eq!(refused(config.with_lambda(lambda)), expected);
        let config = XsamConfig::new().with_friendly(Friendly { sigma, lambda });
        assert_eq!(refused(config), format!("friendly.{expected}"));
    }
}

#[test]
fn hyper_parameters_of_a_search_are_checked() {
    let xsam = XsamConfig::new;
    for rho_max in NOT_A_LENGTH.into_iter().chain([0.0]) {
        assert_eq!(refused(xsam().with_rho_max(rho_max)), "rho_max");
    }
    for grid in [vec![1.0; 1001], Vec::new()] {
        assert_eq!(refused(xsam().with_grid(grid)), "grid");
    }
    assert_eq!(refused(xsam().with_alpha(NAN)), "alpha");
    assert_eq!(refused(xsam().with_search_batches(0)), "search_batches");
    let never = SearchSchedule::EverySteps(0);
    assert_eq!(refused(xsam().with_search(never)), "search.every-steps");
    for (shortest, longest, tolerance, field) in [
        (0, 4, 0.1, "search.adaptive.shortest"),
        (5, 4, 0.1, "search.adaptive.longest"),
        (1, 4, -0.1, "search.adaptive.tolerance"),
        (1, 4, NAN, "search.adaptive.tolerance"),
    ] {
        let search = SearchSchedule::Adaptive {
            shortest,
            longest,
            tolerance,
        };
        assert_eq!(refused(xsam().with_search(search)), field);
    }
    // A parabola takes three points.
    let message = "grid = [0.5, 1.5]: must be a list of at least three positions, for a parabola";
    let config = xsam().with_grid(vec![0.5, 1.5]).with_parabola(true);
    assert_eq!(config.build().unwrap_err().to_string(), message);
}

#[test]
fn loss_scales_are_checked() {
    let field = |scale: Result<LossScale, ConfigError>| scale.unwrap_err().field;
    for scale in [0.0, -1.0, NAN, f64::INFINITY] {
        assert_eq!(field(LossScale::fixed(scale)), "loss_scale");
    }
    for scale in [0.5, NAN, f64::INFINITY] {
        assert_eq!(field(LossScale::dynamic().with_start(scale)), "loss_scale");
    }
    let dynamic = LossScale::dynamic();
    assert_eq!(field(dynamic.with_growth_interval(0)), "growth_interval");
    let fixed = LossScale::fixed(8.0).unwrap();
    assert_eq!(field(fixed.with_growth_interval(9)), "growth_interval");
}

#[test]
fn what_an_optimizer_is_told_is_checked() {
    let optim = || optimizer(SamConfig::new());
    assert!(optim().with_clip_norm(0.0).is_err());
    let field = |schedule| {
        let optim = optim().with_rho_schedule(schedule);
        optim.map(|_| ()).map_err(|error| error.field)
    };
    let proportional = RhoSchedule::ProportionalToLr { full_at: NAN };
    assert_eq!(field(proportional), Err("full_at"));
    let linear = |full_at, least_at, least| {
        field(RhoSchedule::LinearInLr {
            full_at,
            least_at,
            least,
        })
    };
    assert_eq!(linear(0.1, 0.0, 0.0), Ok(()));
    assert_eq!(linear(0.1, 0.05, 1.0), Ok(()));
    for full_at in [0.0, -1.0, NAN, f64::INFINITY] {
        assert_eq!(linear(full_at, 0.0, 0.5), Err("full_at"));
    }
    for least_at in [0.1, 0.2, -0.1, NAN] {
        assert_eq!(linear(0.1, least_at, 0.5), Err("least_at"));
    }
    for least in [-0.1, 1.1, NAN] {
        assert_eq!(linear(0.1, 0.0, least), Err("least"));
    }
}
