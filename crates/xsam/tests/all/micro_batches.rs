//! Steps on a batch in parts: gradient accumulation and m-sharpness.

use std::cell::Cell;

use crate::common::by_hand::{CURVATURE, START, axpy, mean, norm, orthogonal, times};
use crate::common::samples::{Samples, start};
use crate::common::{
    Batch, Net, Point, ascends, assert_close, batch, bits, copy, every_optimizer, net, optimizer,
    optimizers_at_the_weights, recorded, step,
};
use burn::module::Module;
use burn::tensor::Tensor;
use xsam::method::MethodConfig;
use xsam::optim::FusedSgdConfig;
use xsam::{
    LookSamConfig, LookbehindSamConfig, PassPoint, SamConfig, SearchSchedule, SharpnessAware, Step,
    StepError, StepReport, WsamConfig, XsamConfig,
};

/// The weights after four steps in two epochs, with each step's loss and alpha.
fn trained(
    mut optim: SharpnessAware,
    mut step: impl FnMut(&mut SharpnessAware, Point) -> (Point, StepReport),
) -> (Vec<f64>, Vec<(f64, Option<f64>)>) {
    let mut model = start();
    let mut seen = Vec::new();
    for i in 0..4 {
        if i % 2 == 0 {
            optim.start_epoch();
        }
        let (stepped, report) = step(&mut optim, model);
        model = stepped;
        seen.push((report.loss, report.alpha));
    }
    (model.values(), seen)
}

#[test]
fn accumulation_is_the_step_on_the_whole_batch() {
    let whole = Samples::new(0..24);
    let equal = [0..8, 8..16, 16..24].map(Samples::new);
    let unequal = [0..3, 3..20, 20..24].map(Samples::new);
    for new in every_optimizer() {
        let expected = trained(new.clone(), |optim, model| {
            let step = step(optim, 0.1, model, |m| whole.loss(m));
            (step.model, step.report)
        });
        for parts in [&equal, &unequal] {
            // Of equal parts the weights are 1.
            let mean_size = whole.len() as f64 / parts.len() as f64;
            let found = trained(new.clone(), |optim, model| {
                let loss =
                    |m: &Point, part: &Samples| part.loss(m) * (part.len() as f64 / mean_size);
                let step = optim.step_accumulated(0.1, model, parts, loss).unwrap();
                assert_eq!(step.output.len(), 3);
                (step.model, step.report)
            });
            assert_close(&found.0, &expected.0, 1e-9);
            for (found, expected) in found.1.iter().zip(&expected.1) {
                assert_close(&[found.0], &[expected.0], 1e-9);
                let alpha = |alpha: Option<f64>| alpha.unwrap_or(-1.0);
                assert_close(&[alpha(found.1)], &[alpha(expected.1)], 1e-6);
            }
        }
    }
}

#[test]
fn accumulation_counts_passes_over_the_whole_batch() {
    let parts = [0..8, 8..16, 16..24].map(Samples::new);
    let calls = Cell::new(0);
    let mut optim = optimizer(XsamConfig::new());
    let step = optim.step_accumulated(0.1, start(), &parts, |m: &Point, part: &Samples| {
        calls.set(calls.get() + 1);
        (part.loss(m), calls.get())
    });
    let step = step.unwrap();
    let passes = step.report.passes;
    assert_eq!((passes.gradients, passes.losses), (2, 21));
    assert_eq!(calls.get(), 3 * (2 + 21));
    assert_eq!(step.output, [1, 2, 3]);
}

/// Both ways to step on parts.
type Stepper = fn(
    &mut SharpnessAware,
    Net,
    &[Batch],
    &dyn Fn(&Net, &Batch) -> Tensor<1>,
) -> Step<Net, Vec<()>>;

const BOTH: [Stepper; 2] = [
    |optim, model, parts, loss| optim.step_accumulated(0.1, model, parts, loss).unwrap(),
    |optim, model, parts, loss| optim.step_m_sharpness(0.1, model, parts, loss).unwrap(),
];

#[test]
fn running_statistics_see_each_part_once() {
    let parts = [batch(), batch(), batch()];
    for new in optimizers_at_the_weights() {
        for stepped in BOTH {
            let mut optim = new.clone();
            let mut model = net();
            for _ in 0..2 {
                let plain = copy(&model);
                for part in &parts {
                    plain.loss(part);
                }
                model = stepped(&mut optim, model, &parts, &|m, part| m.loss(part)).model;
                let statistics = |model: &Net| bits(&model.valid().norm)[2..].to_vec();
                assert_eq!(statistics(&model), statistics(&plain));
            }
        }
    }
}

#[test]
fn one_part_is_the_step_bit_for_bit() {
    let (start, batch) = (net(), batch());
    for optim in every_optimizer() {
        let mut whole = optim.with_clip_norm(0.5).unwrap();
        let mut in_parts = [whole.clone(), whole.clone()];
        let mut model = copy(&start);
        let mut models = [copy(&model), copy(&model)];
        for _ in 0..4 {
            let step = step(&mut whole, 0.1, model, |m: &Net| m.loss(&batch));
            for (i, stepped) in BOTH.into_iter().enumerate() {
                let parts = [batch.clone()];
                let loss = |m: &Net, part: &Batch| m.loss(part);
                let part = stepped(&mut in_parts[i], models[i].clone(), &parts, &loss);
                assert_eq!(bits(&part.model), bits(&step.model), "{whole:?}");
                assert_eq!(part.report, step.report);
                models[i] = part.model;
            }
            model = step.model;
        }
    }
}

/// The gradient of `a_i w_i^2 / 2`, and where SAM's ascent leads there.
fn gradient(curvature: &[f64], w: &[f64]) -> Vec<f64> {
    w.iter().zip(curvature).map(|(w, a)| a * w).collect()
}

fn top(curvature: &[f64], w: &[f64], rho: f64) -> Vec<f64> {
    let g = gradient(curvature, w);
    axpy(w, rho / norm(&g), &g)
}

const PARTS: [[f64; 4]; 3] = [CURVATURE, [5.0, 0.5, 1.0, 2.0], [0.3, 1.0, 6.0, 1.0]];

fn step_on_parts(optim: &mut SharpnessAware, point: Point) -> Step<Point, Vec<()>> {
    let loss = |m: &Point, part: &[f64; 4]| m.quadratic(part);
    optim.step_m_sharpness(0.1, point, &PARTS, loss).unwrap()
}

#[test]
fn with_m_sharpness_each_part_ascends_by_itself() {
    let mut optim = optimizer(SamConfig::new().with_rho(0.3));
    let mut point = Point::new(&START, 2);
    let mut expected = START.to_vec();
    for _ in 0..2 {
        let step = step_on_parts(&mut optim, point);
        let tops = PARTS.map(|part| gradient(&part, &top(&part, &expected, 0.3)));
        let norms = tops.each_ref().map(|top| norm(top));
        let firsts = PARTS.map(|part| norm(&gradient(&part, &expected)));
        let average = |x: [f64; 3]| x.iter().sum::<f64>() / 3.0;
        let report = step.report;
        let found = [
            report.grad_norm,
            report.ascent_grad_norm.unwrap(),
            report.rho,
        ];
        assert_close(&found, &[average(firsts), average(norms), 0.3], 1e-12);
        assert_close(&[report.update_norm], &[norm(&mean(&tops))], 1e-12);
        // Each of three parts had two passes: two over the batch.
        assert_eq!((report.passes.gradients, report.passes.losses), (2, 0));
        expected = axpy(&expected, -0.1, &mean(&tops));
        point = step.model;
        assert_close(&point.values(), &expected, 1e-12);
    }
    // Not the step on the whole batch.
    let whole = mean(&PARTS.map(|part| part.to_vec()));
    let other = gradient(&whole, &top(&whole, &START, 0.3));
    let tops = PARTS.map(|part| gradient(&part, &top(&part, &START, 0.3)));
    assert!(norm(&axpy(&mean(&tops), -1.0, &other)) > 0.01);
}

#[test]
fn what_looksam_keeps_of_several_parts_is_the_mean() {
    let config = LookSamConfig::new().with_rho(0.3).with_alpha(0.6);
    let mut optim = optimizer(config.with_every(2));
    let mut point = Point::new(&START, 2);
    let mut w = START.to_vec();
    for _ in 0..2 {
        let kept = PARTS
            .map(|part| orthogonal(&gradient(&part, &top(&part, &w, 0.3)), &gradient(&part, &w)));
        let kept = mean(&kept);
        let tops = PARTS.map(|part| gradient(&part, &top(&part, &w, 0.3)));
        w = axpy(&w, -0.1, &mean(&tops));
        let cheap = PARTS.map(|part| {
            let own = gradient(&part, &w);
            axpy(&own, 1.0, &times(0.6 * norm(&own) / norm(&kept), &kept))
        });
        w = axpy(&w, -0.1, &mean(&cheap));
        for _ in 0..2 {
            point = step_on_parts(&mut optim, point).model;
        }
        assert_close(&point.values(), &w, 1e-11);
    }
}

#[test]
fn what_is_done_besides_the_base_optimizers_step_is_the_mean_too() {
    let steps = |config: &dyn MethodConfig| {
        let base = FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
        let mut optim = SharpnessAware::new(base, config).unwrap();
        let mut point = Point::new(&START, 2);
        for _ in 0..2 {
            point = step_on_parts(&mut optim, point).model;
        }
        point.values()
    };
    let base_step = |velocity: &mut Vec<f64>, w: &[f64], gradient: &[f64]| {
        *velocity = axpy(gradient, 0.9, velocity);
        axpy(w, -0.1, velocity)
    };

    // WSAM, decoupled: the gradients go through momentum, the sharpness does not.
    let (mut w, mut velocity) = (START.to_vec(), vec![0.0; 4]);
    for _ in 0..2 {
        let own = mean(&PARTS.map(|part| gradient(&part, &w)));
        let above = mean(&PARTS.map(|part| gradient(&part, &top(&part, &w, 0.3))));
        let sharpness = axpy(&above, -1.0, &own);
        w = axpy(&base_step(&mut velocity, &w, &own), -0.1 * 1.5, &sharpness);
    }
    let wsam = WsamConfig::new().with_rho(0.3).with_gamma(0.6);
    assert_close(&steps(&wsam), &w, 1e-11);

    // Lookbehind-SAM: the i-th step of the fast weights is with the mean of the i-th gradients.
    let (mut w, mut velocity) = (START.to_vec(), vec![0.0; 4]);
    for _ in 0..2 {
        let first = PARTS.map(|part| top(&part, &w, 0.15));
        let second: [Vec<f64>; 3] = std::array::from_fn(|i| top(&PARTS[i], &first[i], 0.15));
        let mut fast = w.clone();
        for points in [first, second] {
            let gradients: [Vec<f64>; 3] = std::array::from_fn(|i| gradient(&PARTS[i], &points[i]));
            fast = base_step(&mut velocity, &fast, &mean(&gradients));
        }
        w = axpy(&w, 0.8, &axpy(&fast, -1.0, &w));
    }
    let lookbehind = LookbehindSamConfig::new().with_rho(0.3).with_alpha(0.8);
    assert_close(&steps(&lookbehind), &w, 1e-11);
}

#[test]
fn of_several_parts_the_first_searches() {
    for (batches, expected) in [(1, [21, 0, 0]), (2, [21, 21, 0])] {
        let config = XsamConfig::new().with_search_batches(batches);
        let mut optim = optimizer(config.with_search(SearchSchedule::EveryEpoch));
        let first = Cell::new(0);
        for losses in expected {
            let loss = |m: &Point, part: &[f64; 4]| {
                first.set(first.get() + usize::from(part == &PARTS[0]));
                m.quadratic(part)
            };
            let step = optim.step_m_sharpness(0.0, Point::new(&START, 2), &PARTS, loss);
            let passes = step.unwrap().report.passes;
            assert_eq!((passes.gradients, passes.losses), (2, losses / 3));
            // All of them on the first part, besides its two gradients.
            assert_eq!(first.replace(0), losses + 2);
        }
    }
    // On a part without an arc the next one searches.
    let line = [[0.0, 0.0, 0.0, 3.0], CURVATURE];
    let loss = |m: &Point, part: &[f64; 4]| m.quadratic(part);
    let mut optim = optimizer(XsamConfig::new());
    let step = optim.step_m_sharpness(0.0, Point::new(&START, 2), &line, loss);
    // On half of the batch.
    assert_eq!(step.unwrap().report.passes.losses, 11);
}

#[test]
fn a_batch_without_parts_is_an_error() {
    let mut optim = optimizer(SamConfig::new());
    let (point, none) = (Point::new(&START, 2), [[0.0; 4]; 0]);
    let loss = |m: &Point, part: &[f64; 4]| m.quadratic(part);
    let failure = optim.step_accumulated(0.1, point, &none, loss).unwrap_err();
    assert_eq!(*failure.error(), StepError::NoMicroBatch);
    let (point, _) = failure.into_parts();
    let failure = optim.step_m_sharpness(0.1, point, &none, loss).unwrap_err();
    let (point, error) = failure.into_parts();
    assert_eq!(error, StepError::NoMicroBatch);
    assert_eq!((point.values(), optim.steps()), (START.to_vec(), 0));
}

#[test]
fn a_part_that_fails_changes_nothing() {
    let parts = [batch(), batch()];
    for mut optim in every_optimizer() {
        let mut model = net();
        for _ in 0..2 {
            model = BOTH[1](&mut optim, model, &parts, &|m, part| m.loss(part)).model;
        }
        let weights = bits(&model);
        let record = recorded(&optim);
        // The second part at the weights, and where the method ascends the second one at the ascent point.
        let ascends = ascends(&optim);
        for accumulated in [true, false] {
            for (fails_at, place) in [(2, PassPoint::Weights), (2 + 2, PassPoint::Ascent(1))] {
                if place != PassPoint::Weights && !ascends {
                    continue;
                }
                let calls = Cell::new(0);
                let of_second = Cell::new(0);
                let loss = |m: &Net, part: &Batch| {
                    calls.set(calls.get() + 1);
                    let second = std::ptr::eq(part, &parts[1]);
                    of_second.set(of_second.get() + usize::from(second));
                    let fails = second && of_second.get() == fails_at / 2;
                    m.loss(part) * if fails { f64::NAN } else { 1.0 }
                };
                let result = if accumulated {
                    optim.step_accumulated(0.1, model, &parts, loss)
                } else {
                    optim.step_m_sharpness(0.1, model, &parts, loss)
                };
                let (back, error) = result.unwrap_err().into_parts();
                assert!(
                    matches!(error, StepError::NonFiniteLoss { point: p, .. } if p == place),
                    "{error}"
                );
                assert_eq!(bits(&back), weights);
                assert_eq!(&recorded(&optim)[..], &record[..]);
                model = back;
            }
        }
    }
}
