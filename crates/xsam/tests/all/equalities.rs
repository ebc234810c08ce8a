//! Where one method is another one.

use crate::common::by_hand::{CURVATURE, START};
use crate::common::{Net, Point, assert_close, batch, bits, copy, momentum, net, optimizer, step};
use xsam::method::MethodSpec;
use xsam::{
    Friendly, FriendlySamConfig, GamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MsamConfig, SamConfig, SearchSchedule, SgdOnlyConfig, SharpnessAware,
    WsamConfig, XsamConfig, ZSharpConfig,
};

/// Four steps of each from the same start on the same batches, bit for bit.
fn assert_same(one: impl Into<MethodSpec>, other: impl Into<MethodSpec>) {
    let (one, other) = (one.into(), other.into());
    let (start, batches) = (net(), [batch(), batch()]);
    let run = |config: &MethodSpec| {
        let mut optim = SharpnessAware::new(momentum(), config).unwrap();
        let mut model = copy(&start);
        for i in 0..4 {
            if i % 2 == 0 {
                optim.start_epoch();
            }
            let loss = |m: &Net| m.loss(&batches[i % 2]);
            model = step(&mut optim, 0.1, model, loss).model;
        }
        bits(&model)
    };
    assert_eq!(run(&one), run(&other), "{one:?} is not {other:?}");
}

const NOT_FRIENDLY: Friendly = Friendly {
    sigma: 0.0,
    lambda: 0.9,
};

#[test]
fn at_their_limits_methods_are_sam() {
    for k in [1, 2, 3] {
        let sam = SamConfig::new().with_ascent_steps(k);
        let xsam = XsamConfig::new().with_ascent_steps(k);
        assert_same(xsam.with_alpha(1.0), sam.clone());
        let gsam = GsamConfig::new().with_ascent_steps(k);
        assert_same(gsam.with_alpha(0.0), sam.clone());
        let wsam = WsamConfig::new().with_ascent_steps(k).with_gamma(0.5);
        assert_same(wsam.with_decoupled(false), sam.clone());
        let looksam = LookSamConfig::new().with_ascent_steps(k);
        assert_same(looksam.with_every(1), sam.clone());
        let friendly = FriendlySamConfig::new()
            .with_sigma(NOT_FRIENDLY.sigma)
            .with_lambda(NOT_FRIENDLY.lambda);
        assert_same(friendly.with_ascent_steps(k), sam.clone());
        let zsharp = ZSharpConfig::new().with_ascent_steps(k);
        assert_same(zsharp.with_percentile(0.0), sam);
        let zsharp = ZSharpConfig::new()
            .with_ascent_steps(k)
            .with_percentile(0.8);
        let xsam = XsamConfig::new().with_ascent_steps(k).with_percentile(0.8);
        assert_same(xsam.with_alpha(1.0), zsharp);
    }
    assert_same(MsamConfig::new().with_ascent_steps(1), SamConfig::new());
    let lookbehind = LookbehindSamConfig::new().with_ascent_steps(1);
    assert_same(lookbehind.with_alpha(1.0), SamConfig::new());
}

#[test]
fn without_the_gradients_norm_gam_is_the_base_optimizer() {
    assert_same(GamConfig::new().with_alpha(0.0), SgdOnlyConfig::new());
}

#[test]
fn without_the_sharpness_wsam_is_the_base_optimizer() {
    for decoupled in [true, false] {
        let wsam = WsamConfig::new().with_gamma(0.0).with_decoupled(decoupled);
        assert_same(wsam, SgdOnlyConfig::new());
    }
}

#[test]
fn at_their_limits_methods_are_xsam() {
    let xsam = XsamConfig::new().with_ascent_steps(2);
    let look_xsam = LookXsamConfig::from(xsam.clone());
    assert_same(look_xsam.with_every(1), xsam.clone());
    assert_same(xsam.clone().with_friendly(NOT_FRIENDLY), xsam.clone());
    // The parabola's tip is higher than the grid, or not taken: here it is not tried.
    let fixed = xsam.clone().with_alpha(1.3);
    assert_same(fixed.clone().with_parabola(true), fixed);
    assert_same(xsam.clone().with_search_batches(1), xsam);
}

/// Without momentum it does not matter by which way the sharpness goes.
#[test]
fn decoupled_wsam_is_the_coupled_one_around_plain_sgd() {
    let run = |decoupled| {
        let mut optim = optimizer(WsamConfig::new().with_decoupled(decoupled));
        let mut point = Point::new(&START, 2);
        for _ in 0..3 {
            let loss = |m: &Point| m.quadratic(&CURVATURE);
            point = step(&mut optim, 0.1, point, loss).model;
        }
        point.values()
    };
    assert_close(&run(true), &run(false), 1e-12);
}

/// At a learning rate of 0 the weights stay, and so does the gradient.
#[test]
fn where_the_gradient_stays_look_xsams_cheap_step_is_the_full_one() {
    let xsam = XsamConfig::new().with_rho(0.5);
    let several = xsam.clone().with_alpha(0.0).with_ascent_steps(3);
    let searching = xsam.clone().with_search(SearchSchedule::EverySteps(1));
    for config in [xsam.with_alpha(1.6), several, searching] {
        let run = |every| {
            let mut optim = optimizer(LookXsamConfig::from(config.clone()).with_every(every));
            let loss = |m: &Point| m.quadratic(&CURVATURE);
            let first = step(&mut optim, 0.0, Point::new(&START, 2), loss);
            let second = step(&mut optim, 0.1, first.model, loss);
            (second.model.values(), second.report)
        };
        let ((cheap, cheap_report), (full, full_report)) = (run(2), run(1));
        assert_eq!(cheap_report.passes.gradients, 1);
        assert!(full_report.passes.gradients > 1);
        assert_close(&cheap, &full, 1e-12);
        let norms = [cheap_report, full_report].map(|report| report.update_norm);
        assert_close(&norms[..1], &norms[1..], 1e-12);
    }
}
