//! Loss scaling: what overflows is made again, and nothing else changes.

use std::cell::Cell;

use crate::common::{
    Batch, Net, Point, assert_close, batch, bits, copy, every_optimizer, net, optimizer,
    overflowing, recorded, resumed, step,
};
use burn::tensor::{DType, FloatDType};
use xsam::{LossScale, PassPoint, SamConfig, SharpnessAware, StepError, StepReport, XsamConfig};

/// What a scale must not exceed where the loss is `overflowing`.
const LIMIT: f64 = 128.0;

fn dynamic(start: f64) -> LossScale {
    LossScale::dynamic().with_start(start).unwrap()
}

fn scaled(optim: SharpnessAware, scale: Option<LossScale>) -> SharpnessAware {
    match scale {
        Some(scale) => optim.with_loss_scale(scale),
        None => optim,
    }
}

/// Three weights in single precision.
fn start() -> Point {
    Point::with_dtype(&[1.0, -0.5, 2.0], 1, DType::F32)
}

#[test]
fn a_scale_changes_no_bit_of_a_step() {
    let (start, batch) = (net(), batch());
    for new in every_optimizer() {
        let run = |scale: Option<LossScale>| {
            let mut optim = scaled(new.clone(), scale);
            let mut model = copy(&start);
            let mut reports = Vec::new();
            for _ in 0..3 {
                let step = step(&mut optim, 0.1, model, |m: &Net| m.loss(&batch));
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
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0, 0.5]);
    for new in every_optimizer() {
        let expected = step(&mut new.clone(), 0.1, start(), loss);
        for overflows in [
            Overflows::AtWeights,
            Overflows::AtAscentPoints,
            Overflows::Everywhere,
        ] {
            let mut optim = new.clone().with_loss_scale(dynamic(1024.0));
            let calls = Cell::new(0);
            let step = step(&mut optim, 0.1, start(), |m: &Point| {
                calls.set(calls.get() + 1);
                let at_weights = m.values() == start().values();
                let here = match overflows {
                    Overflows::AtWeights => at_weights,
                    Overflows::AtAscentPoints => !at_weights,
                    Overflows::Everywhere => true,
                };
                if here { overflowing(loss(m)) } else { loss(m) }
            });
            assert_eq!(bits(&step.model), bits(&expected.model), "{optim:?}");
            let ascends = expected.report.passes.gradients > 1;
            let (repeated, scale) = match overflows {
                Overflows::AtAscentPoints if !ascends => (0, 1024.0),
                _ => (3, LIMIT),
            };
            assert_eq!(optim.loss_scale(), Some(scale));
            let mut report = step.report;
            assert_eq!(report.loss_scale.take(), Some(scale));
            let passes = report.passes;
            assert_eq!(calls.get(), passes.gradients + passes.losses);
            report.passes.gradients -= repeated;
            report.read_backs -= repeated as u64;
            assert_eq!(report, expected.report);
        }
    }
}

#[test]
fn running_statistics_are_counted_once_though_a_pass_is_repeated() {
    let parts = [batch(), batch()];
    let start = net();
    let run = |scale: Option<LossScale>| {
        let optim = || scaled(optimizer(XsamConfig::new()), scale);
        let loss = |m: &Net, part: &Batch| overflowing(m.loss(part));
        let one = step(&mut optim(), 0.1, copy(&start), |m| loss(m, &parts[0]));
        let whole = optim().step_accumulated(0.1, copy(&start), &parts, loss);
        let each = optim().step_m_sharpness(0.1, copy(&start), &parts, loss);
        let (whole, each) = (whole.unwrap(), each.unwrap());
        (
            [&one.model, &whole.model, &each.model].map(bits),
            [one.report, whole.report, each.report].map(|report| report.passes.gradients),
        )
    };
    let (plain, scaled) = (run(None), run(Some(dynamic(2048.0))));
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
    let bytes = recorded(&optim);
    let mut other = resumed(with(growing()), &bytes);
    assert_eq!(other.loss_scale(), Some(16.0));
    assert_eq!(scales(&mut other, 3), [16.0, 32.0, 32.0]);
    // A fixed scale is a hyper-parameter, and stays this optimizer's own.
    let fixed = with(LossScale::fixed(4.0).unwrap());
    assert_eq!(resumed(fixed, &bytes).loss_scale(), Some(4.0));
    let without = optimizer(SamConfig::new());
    assert_eq!(resumed(without, &bytes).loss_scale(), None);
}

/// A step on weights in single precision with activations in half. A gradient of 2^-27 is less than half of the smallest
/// number there.
fn mixed(half: bool, factor: f64, scale: Option<LossScale>) -> (Vec<f64>, StepReport) {
    let mut optim = scaled(optimizer(SamConfig::new().with_rho(0.3)), scale);
    let loss = |m: &Point| {
        let weights = m.joined();
        let activations = match half {
            true => weights.cast(FloatDType::F16),
            false => weights,
        };
        let squares = activations.clone() * activations;
        squares.cast(FloatDType::F32).sum() * factor
    };
    let start = Point::with_dtype(&[1.0, -0.5, 0.25], 1, DType::F32);
    let step = step(&mut optim, 0.1 / factor, start, loss);
    (step.model.values(), step.report)
}

#[test]
fn in_half_precision_small_gradients_vanish_without_a_scale_and_survive_with_one() {
    let factor = 2f64.powi(-27);
    let (expected, _) = mixed(false, factor, None);
    let (lost, report) = mixed(true, factor, None);
    assert!(report.loss > 0.0 && report.grad_norm == 0.0);
    assert_eq!(lost, [1.0, -0.5, 0.25]);
    let (found, report) = mixed(true, factor, Some(LossScale::dynamic()));
    assert_eq!(report.loss_scale, Some(65_536.0));
    // Half precision has eleven bits.
    assert_close(&found, &expected, 1e-3);
    assert!((found[0] - 1.0).abs() > 0.1);
}

#[test]
fn in_half_precision_too_large_a_scale_backs_off() {
    let (expected, _) = mixed(false, 1.0, Some(LossScale::fixed(1.0).unwrap()));
    let (found, report) = mixed(true, 1.0, Some(LossScale::dynamic()));
    // The gradient at the weights is twice the largest of them, 2; at the ascent point 2.5. The largest number of
    // half precision is 65,504.
    assert_eq!(report.loss_scale, Some(16_384.0));
    assert_eq!(report.passes.gradients, 2 + 2);
    assert_close(&found, &expected, 1e-3);
}
