//! The closure of a step: which pass it is in, and models that stay where they are.

use crate::common::{
    Net, Point, assert_close, batch, bits, copy, every_optimizer, net, optimizer, overflowing, step,
};
use burn::tensor::{DType, Tensor};
use xsam::method::MethodConfig;
use xsam::{
    LookbehindSamConfig, LossScale, PassPoint, SamConfig, SharpnessAware, StepError, XsamConfig,
};

#[test]
fn a_closure_can_be_told_where_it_is_run() {
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0]);
    let start = || Point::new(&[1.0, -0.5], 1);
    let points = |optim: &mut SharpnessAware| {
        let mut points = Vec::new();
        let step = optim.step_with_point(0.1, start(), |m: &Point, point| {
            points.push(point);
            loss(m)
        });
        (points, step.unwrap().report)
    };
    let mut sam = optimizer(SamConfig::new().with_ascent_steps(2));
    let [weights, one, two] = [
        PassPoint::Weights,
        PassPoint::Ascent(1),
        PassPoint::Ascent(2),
    ];
    let expected = [weights, one, two];
    assert_eq!(points(&mut sam).0, expected);
    let mut lookbehind = optimizer(LookbehindSamConfig::new());
    assert_eq!(points(&mut lookbehind).0, expected);

    // The refined position goes on from the grid's.
    let mut xsam = optimizer(XsamConfig::new().with_rho(0.5).with_parabola(true));
    let (found, report) = points(&mut xsam);
    let tried = report.search.unwrap().alphas.len();
    let candidates = (0..tried).map(PassPoint::Candidate);
    let expected: Vec<_> = [weights, one].into_iter().chain(candidates).collect();
    assert_eq!(found, expected);
    assert_eq!(points(&mut xsam).0, [weights, one]);
}

#[test]
fn a_pass_that_overflows_is_made_again_where_it_was() {
    let mut optim = optimizer(SamConfig::new())
        .with_loss_scale(LossScale::dynamic().with_start(256.0).unwrap());
    let mut points = Vec::new();
    let start = Point::with_dtype(&[1.0, -0.5], 1, DType::F32);
    let step = optim.step_with_point(0.1, start, |m: &Point, point| {
        points.push(point);
        overflowing(m.quadratic(&[1.0, 4.0]))
    });
    assert!(step.is_ok());
    let twice = [PassPoint::Weights, PassPoint::Weights, PassPoint::Ascent(1)];
    assert_eq!(points, twice);
}

#[test]
fn the_ascent_can_be_on_another_batch_than_the_descent() {
    let start = || Point::new(&[3.0, 4.0], 1);
    let mut optim = optimizer(SamConfig::new().with_rho(1.0));
    let step = optim.step_with_point(0.1, start(), |m: &Point, point| match point {
        PassPoint::Weights => m.linear(&[0.6, 0.8]),
        _ => m.quadratic(&[1.0, 2.0]),
    });
    // Up along (0.6, 0.8), to (3.6, 4.8); the gradient there is (3.6, 9.6).
    let expected = [3.0 - 0.36, 4.0 - 0.96];
    assert_close(&step.unwrap().model.values(), &expected, 1e-9);
}

#[test]
fn a_step_in_place_is_that_of_a_model_handed_over() {
    let (start, batch) = (net(), batch());
    let loss = |m: &Net| (m.loss(&batch), m.forward(batch.0.clone()));
    for mut one in every_optimizer() {
        let mut other = one.clone();
        let (mut over, mut there) = (copy(&start), copy(&start));
        for _ in 0..3 {
            let step = step(&mut one, 0.1, over, loss);
            let made = other.step_mut(0.1, &mut there, loss).unwrap();
            assert_eq!(made.report, step.report, "{one:?}");
            let values = |output: Tensor<2>| output.into_data();
            assert_eq!(values(made.output), values(step.output));
            assert_eq!(bits(&there), bits(&step.model));
            over = step.model;
        }
    }
}

#[test]
fn after_an_error_the_model_is_in_its_place_as_it_was() {
    let mut optim = optimizer(XsamConfig::new());
    let mut model = Point::new(&[1.0, -0.5], 1);
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0]);
    optim.step_mut(0.1, &mut model, loss).unwrap();
    let before = model.values();
    let nan = |m: &Point| loss(m) * f64::NAN;
    let error = optim.step_mut(0.1, &mut model, nan).unwrap_err();
    let at_weights = StepError::NonFiniteLoss {
        point: PassPoint::Weights,
        value: f64::NAN,
    };
    assert_eq!(error.to_string(), at_weights.to_string());
    assert_eq!((model.values(), optim.steps()), (before, 1));
    optim.step_mut(0.1, &mut model, loss).unwrap();
}

#[test]
fn a_method_can_be_chosen_at_run_time() {
    let boxed: Box<dyn MethodConfig> = Box::new(SamConfig::new());
    assert_eq!(optimizer(&boxed).method(), "sam");
    assert_eq!(optimizer(boxed).method(), "sam");
    let config = XsamConfig::new();
    assert_eq!(optimizer(&config).method(), "xsam");
    assert_eq!(optimizer(config).method(), "xsam");
}
