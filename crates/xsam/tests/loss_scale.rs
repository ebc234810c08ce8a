//! Loss scaling: what overflows is made again, and nothing else changes.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::Cell;

use burn::module::Module;
use burn::tensor::{DType, FloatDType, Tensor};
use common::{
    Net, Point, assert_close, batch, bits, device, every_method, momentum, optimizer, overflowing,
};
use xsam::{
    LossScale, PassPoint, SamConfig, SharpnessAware, SharpnessAwareRecord, StepError, XsamConfig,
};

/// What a scale must not exceed where the loss is `overflowing`.
const LIMIT: f64 = 128.0;

fn dynamic(start: f64) -> LossScale {
    LossScale::dynamic().with_start(start).unwrap()
}

#[test]
fn a_scale_changes_no_bit_of_a_step() {
    let device = device();
    let (start, batch) = (Net::new(&device, 0.0), batch(&device));
    for method in every_method() {
        let run = |scale: Option<LossScale>| {
            let mut optim = SharpnessAware::from_method(momentum(), method.boxed());
            if let Some(scale) = scale {
                optim = optim.with_loss_scale(scale);
            }
            let mut model = start.valid().train();
            let mut reports = Vec::new();
            for _ in 0..3 {
                let step = optim.step(0.1, model, |m: &Net| m.loss(&batch)).unwrap();
                model = step.model;
                reports.push(step.report);
            }
            (bits(&model), reports)
        };
        let expected = run(None);
        assert!(expected.1.iter().all(|report| report.loss_scale.is_none()));
        for scale in [LossScale::fixed(0.25).unwrap(), LossScale::dynamic()] {
            let (weights, mut reports) = run(Some(scale));
            assert_eq!(weights, expected.0);
            for report in &mut reports {
                assert_eq!(report.loss_scale.take(), Some(scale.scale()));
            }
            assert_eq!(reports, expected.1);
        }
    }
}

/// Where in a step its gradients overflow.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Overflows {
    AtWeights,
    AtAscentPoints,
    Everywhere,
}

#[test]
fn a_pass_that_overflows_is_made_again_with_half_the_scale() {
    let start = || Point::with_dtype(&[1.0, -0.5, 2.0], 1, DType::F32);
    let curvature = [1.0, 4.0, 0.5];
    let loss = |m: &Point| m.quadratic(&curvature);
    for method in every_method() {
        let expected = {
            let mut optim = SharpnessAware::from_method(momentum(), method.boxed());
            optim.step(0.1, start(), loss).unwrap()
        };
        for overflows in [
            Overflows::AtWeights,
            Overflows::AtAscentPoints,
            Overflows::Everywhere,
        ] {
            let mut optim = SharpnessAware::from_method(momentum(), method.boxed());
            optim = optim.with_loss_scale(dynamic(1024.0));
            let calls = Cell::new(0);
            let step = optim
                .step(0.1, start(), |m: &Point| {
                    calls.set(calls.get() + 1);
                    let at_weights = m.values() == start().values();
                    let here = match overflows {
                        Overflows::AtWeights => at_weights,
                        Overflows::AtAscentPoints => !at_weights,
                        Overflows::Everywhere => true,
                    };
                    if here { overflowing(loss(m)) } else { loss(m) }
                })
                .unwrap();
            assert_eq!(bits(&step.model), bits(&expected.model), "{optim:?}");
            let ascends = expected.report.passes.gradients > 1;
            let repeated = if overflows == Overflows::AtAscentPoints && !ascends {
                0
            } else {
                3
            };
            let scale = if repeated == 0 { 1024.0 } else { LIMIT };
            assert_eq!(optim.loss_scale(), Some(scale));
            let mut report = step.report;
            assert_eq!(report.loss_scale.take(), Some(scale));
            let passes = report.passes.gradients + report.passes.losses;
            assert_eq!(calls.get(), passes);
            report.passes.gradients -= repeated;
            assert_eq!(report, expected.report);
        }
    }
}

#[test]
fn running_statistics_are_counted_once_though_a_pass_is_repeated() {
    let device = device();
    let parts = [batch(&device), batch(&device)];
    let start = Net::new(&device, 0.0);
    let (one, whole, each) = (
        start.valid().train(),
        start.valid().train(),
        start.valid().train(),
    );
    let optim = |scale: bool| {
        let optim = optimizer(XsamConfig::new());
        if scale {
            optim.with_loss_scale(dynamic(2048.0))
        } else {
            optim
        }
    };
    let run = |scale: bool| {
        let loss = |m: &Net| overflowing(m.loss(&parts[0]));
        let part_loss = |m: &Net, part: &(Tensor<2>, Tensor<2>)| overflowing(m.loss(part));
        let one = optim(scale).step(0.1, one.valid().train(), loss).unwrap();
        let whole = optim(scale).step_accumulated(0.1, whole.valid().train(), &parts, part_loss);
        let each = optim(scale).step_m_sharpness(0.1, each.valid().train(), &parts, part_loss);
        let (whole, each) = (whole.unwrap(), each.unwrap());
        let passes =
            [&one.report, &whole.report, &each.report].map(|report| report.passes.gradients);
        (
            [bits(&one.model), bits(&whole.model), bits(&each.model)],
            passes,
        )
    };
    let (plain, scaled) = (run(false), run(true));
    assert_eq!(plain.0, scaled.0);
    // Of two parts half a pass each: eight passes over parts are four.
    assert_eq!((plain.1, scaled.1), ([2, 2, 2], [6, 6, 4]));
}

/// The scale after each of some steps.
fn scales(optim: &mut SharpnessAware, steps: usize) -> Vec<f64> {
    let step = |_| {
        let point = Point::with_dtype(&[1.0, -0.5], 1, DType::F32);
        let loss = |m: &Point| overflowing(m.quadratic(&[1.0, 4.0]));
        optim.step(0.1, point, loss).unwrap();
        optim.loss_scale().unwrap()
    };
    (0..steps).map(step).collect()
}

#[test]
fn a_scale_grows_after_enough_steps_without_an_overflow() {
    let with = |start: f64, interval: usize| {
        let scale = dynamic(start).with_growth_interval(interval).unwrap();
        optimizer(SamConfig::new()).with_loss_scale(scale)
    };
    let expected = [8.0, 8.0, 16.0, 16.0, 16.0, 32.0];
    assert_eq!(scales(&mut with(8.0, 3), 6), expected);
    // A step that has overflowed is not one without an overflow.
    let expected = [128.0, 256.0, 128.0, 256.0];
    assert_eq!(scales(&mut with(256.0, 1), 4), expected);
    let expected = [128.0, 128.0, 128.0, 256.0, 128.0];
    assert_eq!(scales(&mut with(512.0, 3), 5), expected);
}

#[test]
fn a_scale_stops_growing() {
    let largest = 2f64.powi(24);
    for start in [largest / 2.0, largest, largest * 8.0] {
        let scale = dynamic(start).with_growth_interval(1).unwrap();
        let mut optim = optimizer(SamConfig::new()).with_loss_scale(scale);
        for _ in 0..3 {
            let loss = |m: &Point| m.quadratic(&[1.0, 4.0]);
            optim.step(0.1, Point::new(&[1.0, -0.5], 1), loss).unwrap();
        }
        assert_eq!(optim.loss_scale(), Some(start.max(largest)));
    }
}

#[test]
fn what_no_scale_helps_is_an_error_and_changes_nothing() {
    // The root's gradient at 0 is infinite, its value is not.
    let point = || Point::with_dtype(&[0.0, 1.0], 1, DType::F32);
    let calls = Cell::new(0);
    let infinite = |m: &Point| {
        calls.set(calls.get() + 1);
        m.joined().sqrt().sum()
    };
    let error = StepError::NonFiniteGradient {
        point: PassPoint::Weights,
        loss: 1.0,
    };
    let mut optim = optimizer(SamConfig::new()).with_loss_scale(dynamic(16.0));
    let failure = optim.step(0.1, point(), infinite).unwrap_err();
    assert_eq!(failure.error(), &error);
    assert_eq!(failure.into_parts().0.values(), point().values());
    // With 16, 8, 4, 2 and 1.
    assert_eq!(calls.get(), 5);
    assert_eq!((optim.loss_scale(), optim.steps()), (Some(16.0), 0));

    calls.set(0);
    let fixed = LossScale::fixed(16.0).unwrap();
    let mut optim = optimizer(SamConfig::new()).with_loss_scale(fixed);
    let failure = optim.step(0.1, point(), infinite).unwrap_err();
    assert_eq!((failure.error(), calls.get()), (&error, 1));
    // A loss that is not finite is not the scale's fault.
    let mut optim = optimizer(SamConfig::new()).with_loss_scale(dynamic(16.0));
    let failure = optim
        .step(0.1, point(), |m: &Point| m.joined().sum() * f64::NAN)
        .unwrap_err();
    assert!(matches!(failure.error(), StepError::NonFiniteLoss { .. }));
}

#[test]
fn a_record_holds_the_scale_and_its_count() {
    let with = |scale: LossScale| optimizer(SamConfig::new()).with_loss_scale(scale);
    let growing = || dynamic(8.0).with_growth_interval(4).unwrap();
    let mut optim = with(growing());
    let before = scales(&mut optim, 6);
    assert_eq!(before, [8.0, 8.0, 8.0, 16.0, 16.0, 16.0]);
    let bytes = optim.to_record().unwrap().into_bytes().unwrap();
    let record = || SharpnessAwareRecord::from_bytes(bytes.clone()).unwrap();
    let mut resumed = with(growing());
    resumed.load_record(record()).unwrap();
    assert_eq!(resumed.loss_scale(), Some(16.0));
    assert_eq!(scales(&mut resumed, 3), [16.0, 32.0, 32.0]);
    // A fixed scale is a hyper-parameter, and stays this optimizer's own.
    let mut fixed = with(LossScale::fixed(4.0).unwrap());
    fixed.load_record(record()).unwrap();
    assert_eq!(fixed.loss_scale(), Some(4.0));
    let mut without = optimizer(SamConfig::new());
    without.load_record(record()).unwrap();
    assert_eq!(without.loss_scale(), None);
}

/// Weights in single precision, activations in half: a gradient of 2^-27 is less than half of the smallest number
/// there.
fn mixed(m: &Point, half: bool, factor: f64) -> Tensor<1> {
    let weights = m.joined();
    let activations = if half {
        weights.cast(FloatDType::F16)
    } else {
        weights
    };
    let squares = activations.clone() * activations;
    squares.cast(FloatDType::F32).sum() * factor
}

#[test]
fn in_half_precision_small_gradients_vanish_without_a_scale_and_survive_with_one() {
    let start = || Point::with_dtype(&[1.0, -0.5, 0.25], 1, DType::F32);
    let factor = 2f64.powi(-27);
    let run = |half: bool, scale: Option<LossScale>| {
        let mut optim = optimizer(SamConfig::new().with_rho(0.3));
        if let Some(scale) = scale {
            optim = optim.with_loss_scale(scale);
        }
        let loss = |m: &Point| mixed(m, half, factor);
        let step = optim.step(0.1 / factor, start(), loss).unwrap();
        (step.model.values(), step.report)
    };
    let (expected, _) = run(false, None);
    let (lost, report) = run(true, None);
    assert!(report.loss > 0.0 && report.grad_norm == 0.0);
    assert_eq!(lost, start().values());
    let (found, report) = run(true, Some(LossScale::dynamic()));
    assert_eq!(report.loss_scale, Some(65_536.0));
    // Half precision has eleven bits.
    assert_close(&found, &expected, 1e-3);
    assert!((found[0] - 1.0).abs() > 0.1);
}

#[test]
fn in_half_precision_too_large_a_scale_backs_off() {
    let start = || Point::with_dtype(&[1.0, -0.5, 0.25], 1, DType::F32);
    let run = |half: bool, scale: LossScale| {
        let mut optim = optimizer(SamConfig::new().with_rho(0.3)).with_loss_scale(scale);
        let step = optim
            .step(0.1, start(), |m: &Point| mixed(m, half, 1.0))
            .unwrap();
        (step.model.values(), step.report)
    };
    let (expected, _) = run(false, LossScale::fixed(1.0).unwrap());
    let (found, report) = run(true, LossScale::dynamic());
    // The gradient at the weights is twice the largest of them, 2; at the ascent point 2.5. The largest number of
    // half precision is 65,504.
    assert_eq!(report.loss_scale, Some(16_384.0));
    assert_eq!(report.passes.gradients, 2 + 2);
    assert_close(&found, &expected, 1e-3);
}
