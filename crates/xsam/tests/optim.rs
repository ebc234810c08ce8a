//! The base optimizers: the same steps as Burn's, checked hyper-parameters, state that is kept.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::module::{Module, ParamGroup};
use burn::optim::{self, ModuleOptimizer};
use burn::tensor::{DType, FloatDType};
use common::{Net, Point, assert_close, batch, bits, device, momentum};
use xsam::optim::{FusedAdamConfig, FusedSgdConfig};
use xsam::{ConfigError, RecordError, SamConfig, SharpnessAware, SharpnessAwareRecord};

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

/// The point after some steps of SAM.
fn after_steps(base: ModuleOptimizer, dtype: DType) -> Vec<f64> {
    let mut optim = SharpnessAware::new(base, SamConfig::new()).unwrap();
    let mut model = Point::with_dtype(&[1.0, -0.7, 0.4, 0.2, -0.9], 2, dtype);
    for _ in 0..5 {
        let curvature = [1.0, 2.0, 0.5, 3.0, 0.1];
        let step = optim.step(0.05, model, |m: &Point| m.quadratic(&curvature));
        model = step.unwrap().model;
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
    let device = device();
    let batch = batch(&device);
    for base in every_optimizer() {
        let advance = |optim: &mut SharpnessAware, mut model: Net| {
            for _ in 0..3 {
                let step = optim.step(0.05, model, |m: &Net| m.loss(&batch));
                model = step.unwrap().model;
            }
            model
        };
        let new = || SharpnessAware::new(base.clone(), SamConfig::new()).unwrap();
        let mut optim = new();
        let model = advance(&mut optim, Net::new(&device, 0.0));
        let bytes = optim.to_record().unwrap().into_bytes().unwrap();
        let weights = model.valid().into_record();
        let expected = bits(&advance(&mut optim, model));

        let mut resumed = new();
        let record = SharpnessAwareRecord::from_bytes(bytes).unwrap();
        resumed.load_record(record).unwrap();
        let model = Net::new(&device, 0.0).try_load_record(weights).unwrap();
        assert_eq!(bits(&advance(&mut resumed, model)), expected);
    }
}

#[test]
fn state_keeps_its_precision() {
    let loss = |m: &Point| m.quadratic(&[1.0, 0.3, 0.7]);
    for new in [FusedAdamConfig::new().init().unwrap(), sgd()] {
        let mut optim = SharpnessAware::new(new.clone(), SamConfig::new()).unwrap();
        let model = Point::new(&[1.0, 2.0, 3.0], 1);
        let model = optim.step(0.1, model, loss).unwrap().model;
        let mut resumed = SharpnessAware::new(new, SamConfig::new()).unwrap();
        resumed.load_record(optim.to_record().unwrap()).unwrap();
        let went_on = optim.step(0.1, model.clone(), loss).unwrap().model;
        let resumed = resumed.step(0.1, model, loss).unwrap().model;
        assert_eq!(resumed.values(), went_on.values());
    }
}

#[test]
fn state_follows_the_precision_of_the_weights() {
    let loss = |m: &Point| m.quadratic(&[1.0, 0.3, 0.7]);
    for base in [FusedAdamConfig::new().init().unwrap(), sgd()] {
        let mut optim = SharpnessAware::new(base, SamConfig::new()).unwrap();
        let model = Point::new(&[1.0, 2.0, 3.0], 1);
        let model = optim.step(0.1, model, loss).unwrap().model;
        let values = model.values();
        let first = model.first.clone();
        let first = first.map(|t| t.cast(FloatDType::F32).detach().require_grad());
        let second = model.second.clone();
        let second = second.map(|t| t.cast(FloatDType::F32).detach().require_grad());
        let cast = Point { first, second };
        assert_close(&cast.values(), &values, 1e-6);
        let record = optim.to_record().unwrap();
        let went_on = optim.step(0.1, model, loss).unwrap().model.values();
        optim.load_record(record).unwrap();
        let cast = optim.step(0.1, cast, loss).unwrap().model;
        assert_eq!(cast.first.val().dtype(), DType::F32);
        assert_close(&cast.values(), &went_on, 1e-6);
    }
}

#[test]
fn the_record_of_another_optimizer_is_refused() {
    let mut optim = SharpnessAware::new(sgd(), SamConfig::new()).unwrap();
    let device = device();
    let batch = batch(&device);
    optim
        .step(0.1, Net::new(&device, 0.0), |m: &Net| m.loss(&batch))
        .unwrap();
    let adam = FusedAdamConfig::new().init().unwrap();
    let mut other = SharpnessAware::new(adam, SamConfig::new()).unwrap();
    let error = other.load_record(optim.to_record().unwrap()).unwrap_err();
    assert!(matches!(error, RecordError::OtherBase { .. }), "{error}");
}

#[test]
fn hyper_parameters_are_checked() {
    let message =
        |result: Result<ModuleOptimizer, ConfigError>| result.map(drop).unwrap_err().to_string();
    let (sgd, adam) = (FusedSgdConfig::new, FusedAdamConfig::new);
    for (error, expected) in [
        (
            sgd().with_momentum(1.0).init(),
            "momentum = 1: must be at least 0 and below 1",
        ),
        (
            sgd().with_momentum(f64::NAN).init(),
            "momentum = NaN: must be at least 0 and below 1",
        ),
        (
            sgd().with_weight_decay(-0.1).init(),
            "weight_decay = -0.1: must be finite and at least 0",
        ),
        (
            sgd().with_nesterov(true).init(),
            "nesterov = true: must be false where momentum is 0",
        ),
        (
            adam().with_betas(-0.1, 0.9).init(),
            "beta_1 = -0.1: must be at least 0 and below 1",
        ),
        (
            adam().with_betas(0.9, 1.0).init(),
            "beta_2 = 1: must be at least 0 and below 1",
        ),
        (
            adam().with_epsilon(0.0).init(),
            "epsilon = 0: must be finite and above 0",
        ),
        (
            adam().with_weight_decay(f64::INFINITY).init(),
            "weight_decay = inf: must be finite and at least 0",
        ),
    ] {
        assert_eq!(message(error), expected);
    }
}
