//! The base optimizers: the same steps as Burn's, checked hyper-parameters, state that is kept.

use crate::common::{
    Point, assert_close, batch, bits, momentum, net, recorded, resumed, step, trained,
};
use burn::module::{Module, ParamGroup};
use burn::optim::{self, ModuleOptimizer};
use burn::tensor::DType;
use xsam::optim::{FusedAdamConfig, FusedSgdConfig};
use xsam::{RecordError, SamConfig, SharpnessAware};

fn sgd() -> ModuleOptimizer {
    let sgd = FusedSgdConfig::new()
        .with_momentum(0.9)
        .with_weight_decay(1e-3);
    sgd.init().unwrap()
}

fn every_optimizer() -> Vec<ModuleOptimizer> {
    let nesterov = FusedSgdConfig::new().with_momentum(0.9).with_nesterov(true);
    let adam = FusedAdamConfig::decoupled().build().unwrap();
    vec![
        FusedSgdConfig::new().init().unwrap(),
        sgd(),
        nesterov.init().unwrap(),
        FusedAdamConfig::new()
            .with_weight_decay(0.1)
            .init()
            .unwrap(),
        FusedAdamConfig::decoupled().init().unwrap(),
        sgd().with_group(ParamGroup::from_predicate("last"), adam, None),
    ]
}

fn sam(base: ModuleOptimizer) -> SharpnessAware {
    SharpnessAware::new(base, SamConfig::new()).unwrap()
}

/// The point after some steps of SAM.
fn after_steps(base: ModuleOptimizer, dtype: DType) -> Vec<f64> {
    let mut optim = sam(base);
    let mut model = Point::with_dtype(&[1.0, -0.7, 0.4, 0.2, -0.9], 2, dtype);
    for _ in 0..5 {
        let curvature = [1.0, 2.0, 0.5, 3.0, 0.1];
        model = step(&mut optim, 0.05, model, |m: &Point| m.quadratic(&curvature)).model;
    }
    model.values()
}

#[test]
fn the_steps_are_burns() {
    for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-7)] {
        let theirs = after_steps(momentum(), dtype);
        assert_close(&after_steps(sgd(), dtype), &theirs, tolerance);
        // Burn keeps the betas in single precision, and one minus beta 2 is a poor number there.
        let theirs = optim::AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(0.01);
        let theirs = after_steps(theirs.init(), dtype);
        let own = FusedAdamConfig::decoupled().init().unwrap();
        assert_close(&after_steps(own, dtype), &theirs, 1e-4);
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let batch = batch();
    for base in every_optimizer() {
        let mut optim = sam(base.clone());
        let model = trained(&mut optim, net(), &batch, 3);
        let bytes = recorded(&optim);
        let weights = model.valid().into_record();
        let expected = bits(&trained(&mut optim, model, &batch, 3));

        let mut resumed = resumed(sam(base), &bytes);
        let model = net().try_load_record(weights).unwrap();
        assert_eq!(bits(&trained(&mut resumed, model, &batch, 3)), expected);
    }
}

/// An optimizer of double precision after a step, and the point.
fn after_a_step(base: ModuleOptimizer) -> (SharpnessAware, Point) {
    let mut optim = sam(base);
    let point = on(&mut optim, Point::new(&[1.0, 2.0, 3.0], 1));
    (optim, point)
}

fn on(optim: &mut SharpnessAware, point: Point) -> Point {
    step(optim, 0.1, point, |m: &Point| m.quadratic(&[1.0, 0.3, 0.7])).model
}

#[test]
fn state_keeps_its_precision() {
    for base in [FusedAdamConfig::new().init().unwrap(), sgd()] {
        let (mut optim, point) = after_a_step(base.clone());
        let mut resumed = resumed(sam(base), &recorded(&optim));
        let went_on = on(&mut optim, point.clone());
        assert_eq!(on(&mut resumed, point).values(), went_on.values());
    }
}

#[test]
fn state_follows_the_precision_of_the_weights() {
    for base in [FusedAdamConfig::new().init().unwrap(), sgd()] {
        let (mut optim, point) = after_a_step(base);
        let cast = point.in_single();
        assert_close(&cast.values(), &point.values(), 1e-6);
        let bytes = recorded(&optim);
        let went_on = on(&mut optim, point).values();
        let cast = on(&mut resumed(optim, &bytes), cast);
        assert_eq!(cast.first.val().dtype(), DType::F32);
        assert_close(&cast.values(), &went_on, 1e-6);
    }
}

#[test]
fn the_record_of_another_optimizer_is_refused() {
    let mut optim = sam(sgd());
    trained(&mut optim, net(), &batch(), 1);
    let mut other = sam(FusedAdamConfig::new().init().unwrap());
    let error = other.load_record(optim.to_record().unwrap()).unwrap_err();
    assert!(matches!(error, RecordError::OtherBase { .. }), "{error}");
}

#[test]
fn hyper_parameters_are_checked() {
    let (sgd, adam) = (FusedSgdConfig::new, FusedAdamConfig::new);
    let (below_one, not_negative) = ("at least 0 and below 1", "finite and at least 0");
    for (built, refused, range) in [
        (sgd().with_momentum(1.0).init(), "momentum = 1", below_one),
        (
            sgd().with_momentum(f64::NAN).init(),
            "momentum = NaN",
            below_one,
        ),
        (
            sgd().with_weight_decay(-0.1).init(),
            "weight_decay = -0.1",
            not_negative,
        ),
        (
            sgd().with_nesterov(true).init(),
            "nesterov = true",
            "false where momentum is 0",
        ),
        (
            adam().with_betas(-0.1, 0.9).init(),
            "beta_1 = -0.1",
            below_one,
        ),
        (adam().with_betas(0.9, 1.0).init(), "beta_2 = 1", below_one),
        (
            adam().with_epsilon(0.0).init(),
            "epsilon = 0",
            "finite and above 0",
        ),
        (
            adam().with_weight_decay(f64::INFINITY).init(),
            "weight_decay = inf",
            not_negative,
        ),
    ] {
        let error = built.map(drop).unwrap_err().to_string();
        assert_eq!(error, format!("{refused}: must be {range}"));
    }
}
