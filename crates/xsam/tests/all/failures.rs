//! Input that is not as it should be: the error says what, and nothing changes.

use std::cell::Cell;

use crate::common::{
    Net, Point, ascends, batch, bits, device, every_optimizer, net, optimizer, recorded, trained,
};
use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::tensor::Tensor;
use xsam::method::MethodSpec;
use xsam::{
    AsamConfig, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MsamConfig, PassPoint, SamConfig, StepError, WsamConfig, XsamConfig,
};

#[test]
fn a_failed_step_changes_nothing() {
    let batch = batch();
    for mut optim in every_optimizer() {
        // Two steps that succeed, so that there is state to be spoilt; every second one of LookSAM ascends.
        let mut model = trained(&mut optim, net(), &batch, 2);
        let weights = bits(&model);
        let record = recorded(&optim);

        let last_call = usize::from(ascends(&optim));
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
            assert_eq!(&recorded(&optim)[..], &record[..]);
            model = back;
        }
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_an_error() {
    // The root's gradient at 0 is infinite, its value is not.
    let loss = |m: &Point| m.joined().sqrt().sum();
    let result = optimizer(SamConfig::new()).step(0.1, Point::new(&[0.0, 1.0], 1), loss);
    let expected = StepError::NonFiniteGradient {
        point: PassPoint::Weights,
        loss: 1.0,
    };
    assert_eq!(result.unwrap_err().error(), &expected);
}

#[test]
fn a_loss_without_use_is_an_error() {
    type Loss = fn(&Point) -> Tensor<1>;
    let point = || Point::new(&[1.0, 2.0], 1);
    let mut optim = optimizer(SamConfig::new());
    let elsewhere = |_: &Point| {
        let other = Param::from_tensor(Tensor::<1>::from_floats([1.0], &device()));
        other.val() * 2.0
    };
    let sum = |m: &Point| m.joined().sum();
    let cases: [(Loss, Point, StepError); 6] = [
        (
            |m| m.joined(),
            point(),
            StepError::LossNotScalar { elements: 2 },
        ),
        (
            |m| m.joined().sum().detach(),
            point(),
            StepError::LossNotTracked,
        ),
        (
            |m| m.joined().sum().inner(),
            point(),
            StepError::LossNotTracked,
        ),
        (sum, point().no_grad(), StepError::LossNotTracked),
        (sum, point().valid(), StepError::NotAutodiff),
        (elsewhere, point(), StepError::NoGradient),
    ];
    for (loss, point, expected) in cases {
        let failure = optim.step(0.1, point, loss).unwrap_err();
        assert_eq!(failure.error(), &expected);
    }
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
        let other = "the model that the closure receives";
        assert!(error.contains(other), "{error}");
    }
}

/// Every method that takes a mask; also of an ascent that has no length.
fn masked(mask: &ParamGroup) -> [MethodSpec; 13] {
    let mask = || mask.clone();
    let (sam, xsam) = (
        || SamConfig::new().with_mask(mask()),
        || XsamConfig::new().with_mask(mask()),
    );
    [
        sam().into(),
        sam().with_ascent_steps(3).into(),
        sam().with_rho(0.0).into(),
        AsamConfig::new().with_mask(mask()).into(),
        xsam().into(),
        xsam().with_friendly(Friendly::default()).into(),
        LookXsamConfig::from(xsam()).into(),
        GsamConfig::new().with_mask(mask()).into(),
        WsamConfig::new().with_mask(mask()).into(),
        LookSamConfig::new().with_mask(mask()).into(),
        FriendlySamConfig::new().with_mask(mask()).into(),
        MsamConfig::new().with_mask(mask()).into(),
        LookbehindSamConfig::new().with_mask(mask()).into(),
    ]
}

#[test]
fn a_mask_that_matches_nothing_is_an_error_at_the_first_step() {
    let batch = batch();
    let error = |config: MethodSpec, model: Net| {
        let step = optimizer(config).step(0.1, model, |m: &Net| m.loss(&batch));
        step.map(|_| ()).map_err(StepError::from)
    };
    for (mask, expected) in [
        (ParamGroup::from_predicate("first"), Ok(())),
        (
            ParamGroup::from_predicate("typo"),
            Err(StepError::EmptyMask),
        ),
        (
            ParamGroup::from_path("first.weights"),
            Err(StepError::EmptyMask),
        ),
        (
            ParamGroup::from_ids(vec![ParamId::new()]),
            Err(StepError::EmptyMask),
        ),
    ] {
        for config in masked(&mask) {
            assert_eq!(error(config.clone(), net()), expected, "{config:?}");
        }
    }
    // What it matches is frozen, or no weight at all.
    let mut frozen = net();
    frozen.first = frozen.first.freeze();
    let xsam = |mask| XsamConfig::new().with_mask(ParamGroup::from_predicate(mask));
    for (mask, model) in [("first", frozen), ("running_mean", net())] {
        assert_eq!(error(xsam(mask).into(), model), Err(StepError::EmptyMask));
    }
    // That a batch leaves unused what it matches is the batch's affair.
    let loss = |m: &Net| m.last.weight.val().square().sum();
    let step = optimizer(xsam("first")).step(0.1, net(), loss);
    assert_eq!(step.unwrap().report.rho, 0.0);
}

#[test]
fn a_learning_rate_out_of_range_is_an_error() {
    for lr in [f64::NAN, f64::INFINITY, -0.1] {
        let mut optim = optimizer(SamConfig::new());
        let loss = |m: &Point| m.joined().sum();
        let result = optim.step(lr, Point::new(&[1.0, 2.0], 1), loss);
        let error = StepError::from(result.unwrap_err());
        assert!(matches!(error, StepError::LearningRate(_)), "{error}");
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
