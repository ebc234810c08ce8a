//! Input that is not as it should be: the error says what, and nothing changes.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::Cell;

use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::tensor::Tensor;
use common::{Net, Point, batch, bits, device, every_method, momentum, optimizer};
use xsam::method::MethodConfig;
use xsam::{
    AsamConfig, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MsamConfig, PassPoint, SamConfig, SharpnessAware, StepError, WsamConfig,
    XsamConfig,
};

#[test]
fn a_failed_step_changes_nothing() {
    let device = device();
    let batch = batch(&device);
    for method in every_method() {
        let mut optim = SharpnessAware::from_method(momentum(), method);
        let mut model = Net::new(&device, 0.0);
        // Two steps that succeed, so that there is state to be spoilt; every second one of LookSAM ascends.
        for _ in 0..2 {
            model = optim
                .step(0.1, model, |m: &Net| m.loss(&batch))
                .unwrap()
                .model;
        }
        let weights = bits(&model);
        let record = optim.to_record().unwrap().into_bytes().unwrap();

        let last_call = if optim.method() == "sgd" { 0 } else { 1 };
        for fails_at in 0..=last_call {
            let calls = Cell::new(0);
            let result = optim.step(0.1, model, |m: &Net| {
                let loss = m.loss(&batch);
                match calls.replace(calls.get() + 1) {
                    call if call == fails_at => loss * f64::INFINITY,
                    _ => loss,
                }
            });
            let (back, error) = result.unwrap_err().into_parts();
            let place = match fails_at {
                0 => PassPoint::Weights,
                n => PassPoint::Ascent(n),
            };
            assert!(matches!(error, StepError::NonFiniteLoss { point: p, .. } if p == place));
            assert_eq!(bits(&back), weights);
            let now = optim.to_record().unwrap().into_bytes().unwrap();
            assert_eq!(&now[..], &record[..]);
            model = back;
        }
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_an_error() {
    // The root's gradient at 0 is infinite, its value is not.
    let result = optimizer(SamConfig::new()).step(0.1, Point::new(&[0.0, 1.0], 1), |m: &Point| {
        m.joined().sqrt().sum()
    });
    let error = StepError::from(result.unwrap_err());
    assert_eq!(
        error,
        StepError::NonFiniteGradient {
            point: PassPoint::Weights,
            loss: 1.0
        }
    );
}

#[test]
fn a_loss_without_use_is_an_error() {
    let point = || Point::new(&[1.0, 2.0], 1);
    let mut optim = optimizer(SamConfig::new());
    let mut error = |loss: fn(&Point) -> Tensor<1>, point: Point| {
        let failure = optim.step(0.1, point, loss).unwrap_err();
        failure.error().clone()
    };
    let vector = error(|m| m.joined(), point());
    assert_eq!(vector, StepError::LossNotScalar { elements: 2 });
    let detached = error(|m| m.joined().sum().detach(), point());
    assert_eq!(detached, StepError::LossNotTracked);
    let inner = error(|m| m.joined().sum().inner(), point());
    assert_eq!(inner, StepError::LossNotTracked);
    let frozen = error(|m| m.joined().sum(), point().no_grad());
    assert_eq!(frozen, StepError::LossNotTracked);
    let plain = error(|m| m.joined().sum(), point().valid());
    assert_eq!(plain, StepError::NotAutodiff);
    let elsewhere = error(
        |_| Param::from_tensor(Tensor::<1>::from_floats([1.0], &device())).val() * 2.0,
        point(),
    );
    assert_eq!(elsewhere, StepError::NoGradient);
}

/// Frozen parameters and a captured clone look alike in places: each error names both.
#[test]
fn a_loss_without_a_gradient_names_both_causes() {
    let mut optim = optimizer(SamConfig::new());
    let point = || Point::new(&[1.0, 2.0], 1);
    let all_frozen = optim.step(0.1, point().no_grad(), |m: &Point| m.joined().sum());
    let captured = point();
    let a_clone = optim.step(0.1, point(), |_: &Point| captured.joined().sum());
    let frozen_clone = point().no_grad();
    let a_frozen_clone = optim.step(0.1, point(), |_: &Point| frozen_clone.joined().sum());
    for failure in [all_frozen, a_clone, a_frozen_clone] {
        let error = failure.unwrap_err().to_string();
        assert!(error.contains("frozen"), "{error}");
        assert!(
            error.contains("the model that the closure receives"),
            "{error}"
        );
    }
}

fn masks() -> [(ParamGroup, bool); 4] {
    [
        (ParamGroup::from_predicate("first"), true),
        (ParamGroup::from_predicate("typo"), false),
        (ParamGroup::from_path("first.weights"), false),
        (ParamGroup::from_ids(vec![ParamId::new()]), false),
    ]
}

/// Every method that takes a mask; also of an ascent that has no length.
fn masked(mask: &ParamGroup) -> Vec<Box<dyn MethodConfig>> {
    let mask = || mask.clone();
    vec![
        Box::new(SamConfig::new().with_mask(mask())),
        Box::new(SamConfig::new().with_mask(mask()).with_ascent_steps(3)),
        Box::new(SamConfig::new().with_mask(mask()).with_rho(0.0)),
        Box::new(AsamConfig::new().with_mask(mask())),
        Box::new(XsamConfig::new().with_mask(mask())),
        Box::new(
            XsamConfig::new()
                .with_mask(mask())
                .with_friendly(Friendly::default()),
        ),
        Box::new(LookXsamConfig::from(XsamConfig::new().with_mask(mask()))),
        Box::new(GsamConfig::new().with_mask(mask())),
        Box::new(WsamConfig::new().with_mask(mask())),
        Box::new(LookSamConfig::new().with_mask(mask())),
        Box::new(FriendlySamConfig::new().with_mask(mask())),
        Box::new(MsamConfig::new().with_mask(mask())),
        Box::new(LookbehindSamConfig::new().with_mask(mask())),
    ]
}

#[test]
fn a_mask_that_matches_nothing_is_an_error_at_the_first_step() {
    let device = device();
    let batch = batch(&device);
    let step = |config: &dyn MethodConfig, model: Net| {
        let method = config.build().unwrap();
        let mut optim = SharpnessAware::from_method(momentum(), method);
        let step = optim.step(0.1, model, |m: &Net| m.loss(&batch));
        step.map(|step| step.report).map_err(StepError::from)
    };
    for (mask, matches) in masks() {
        for config in masked(&mask) {
            let found = step(&*config, Net::new(&device, 0.0));
            match matches {
                true => assert!(found.is_ok(), "{found:?}"),
                false => assert_eq!(found.unwrap_err(), StepError::EmptyMask),
            }
        }
    }
    // What it matches is frozen, or no weight at all.
    let mut frozen = Net::new(&device, 0.0);
    frozen.first = frozen.first.freeze();
    for (mask, model) in [("first", frozen), ("running_mean", Net::new(&device, 0.0))] {
        let config = XsamConfig::new().with_mask(ParamGroup::from_predicate(mask));
        assert_eq!(step(&config, model).unwrap_err(), StepError::EmptyMask);
    }
    // That a batch leaves unused what it matches is the batch's affair.
    let config = XsamConfig::new().with_mask(ParamGroup::from_predicate("first"));
    let report = optimizer(config)
        .step(0.1, Net::new(&device, 0.0), |m: &Net| {
            m.last.weight.val().square().sum()
        })
        .unwrap()
        .report;
    assert_eq!(report.rho, 0.0);
}

#[test]
fn a_learning_rate_out_of_range_is_an_error() {
    for lr in [f64::NAN, f64::INFINITY, -0.1] {
        let mut optim = optimizer(SamConfig::new());
        let result = optim.step(lr, Point::new(&[1.0, 2.0], 1), |m: &Point| m.joined().sum());
        assert!(matches!(
            result.unwrap_err().error(),
            StepError::LearningRate(_)
        ));
    }
}

#[test]
fn an_optimizer_can_go_to_another_thread_and_an_error_anywhere() {
    fn sendable<T: Send>(_: &T) {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    sendable(&optimizer(SamConfig::new()));
    error::<StepError>();
    error::<xsam::StepFailure<Net>>();
    error::<xsam::RecordError>();
}
