//! The corner cases of the mathematics.

use std::cell::Cell;
use std::f64::consts::{FRAC_PI_2, PI};

use crate::common::by_hand::{axpy, norm, orthogonal, times};
use crate::common::{
    LOOKBEHINDS, Point, ascends, assert_close, decoupled_wsam, device, every_method,
    every_optimizer, lookbehind_sam, methods_of_one_gradient, momentum, optimizer, plain, step,
};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use xsam::method::Method;
use xsam::{
    LookSamConfig, LookXsamConfig, SamConfig, Scaling, SearchSchedule, SharpnessAware, XsamConfig,
};

/// A loss that is linear has the same gradient everywhere: v0 = v1. In f32 their dot product often
/// rounds to more than 1, where an unguarded arc cosine gives NaN.
#[test]
fn psi_stays_finite_where_rounding_exceeds_one() {
    for seed in 0..200 {
        let element = |i| f64::from((seed * 37 + i * 101) % 89 - 44) / 13.0;
        let gradient: Vec<f64> = (0..12).map(element).collect();
        for dtype in [DType::F32, DType::F64] {
            let mut optim = optimizer(XsamConfig::new());
            let mut point = Point::with_dtype(&[0.3; 12], 5, dtype);
            for _ in 0..2 {
                let step = step(&mut optim, 0.1, point, |m: &Point| m.linear(&gradient));
                point = step.model;
                assert!(step.report.psi.unwrap() < 1e-6);
                assert!(point.values().iter().all(|x| x.is_finite()));
            }
        }
    }
}

#[test]
fn on_a_line_every_alpha_is_the_gradient_and_nothing_is_searched() {
    // Gradient of one element: v0 = v1 exactly.
    for alpha in [0.0, 0.7, 1.0, 2.0] {
        let config = XsamConfig::new().with_alpha(alpha);
        let mut optim = optimizer(config.with_search(SearchSchedule::EveryEpoch));
        let loss = |m: &Point| m.quadratic(&[2.0, 0.0]);
        let step = step(&mut optim, 0.5, Point::new(&[1.0, 5.0], 1), loss);
        assert_close(&[step.report.psi.unwrap()], &[0.0], 1e-15);
        assert_eq!(step.report.search, None);
        assert_close(&step.model.values(), &[1.0 - 0.5 * 2.0 * 1.15, 5.0], 1e-12);
    }
}

#[test]
fn a_search_that_could_not_be_made_is_made_in_the_next_step() {
    let mut optim = optimizer(XsamConfig::new());
    let mut search = |curvature: [f64; 2]| {
        let loss = |m: &Point| m.quadratic(&curvature);
        let step = step(&mut optim, 0.0, Point::new(&[1.0, 2.0], 1), loss);
        step.report.search
    };
    let (first, second) = (search([2.0, 0.0]), search([2.0, 1.0]));
    assert!(first.is_none() && second.is_some());
}

#[test]
fn opposite_directions_give_the_step_of_sam() {
    // Concave, and the ascent overshoots the top: the gradient there points back.
    for dtype in [DType::F32, DType::F64] {
        let start = Point::with_dtype(&[0.1, 0.0], 1, dtype);
        let loss = |m: &Point| m.quadratic(&[-1.0, 0.0]);
        let sam = SamConfig::new().with_rho(0.3);
        let expected = step(&mut optimizer(sam), 0.5, start.clone(), loss).model;
        for alpha in [0.0, 0.4, 1.0, 1.9] {
            let config = XsamConfig::new().with_rho(0.3).with_alpha(alpha);
            let step = step(&mut optimizer(config), 0.5, start.clone(), loss);
            assert_close(&[step.report.psi.unwrap()], &[PI], 1e-6);
            assert_eq!(step.model.values(), expected.values());
        }
    }
}

#[test]
fn nearly_opposite_directions_do_not_amplify_rounding() {
    // Twelve elements whose f32 rounding differs, opposite up to that rounding.
    let start: Vec<f64> = (1..=12).map(|i| 0.01 * f64::from(i)).collect();
    let config = XsamConfig::new().with_rho(0.6).with_alpha(0.5);
    let point = Point::with_dtype(&start, 6, DType::F32);
    let loss = |m: &Point| m.quadratic(&[-1.0; 12]);
    let step = step(&mut optimizer(config), 1.0, point, loss);
    let norm = norm(&start);
    let expected: Vec<f64> = start.iter().map(|x| x - x * (0.6 - norm) / norm).collect();
    assert_close(&step.model.values(), &expected, 1e-6);
}

#[test]
fn orthogonal_directions_are_plain() {
    let loss = |m: &Point| {
        let x = m.first.val();
        let y = m.second.val().reshape([1]);
        // The gradient is (1, 0) at x = 0, and (0, 1) at x = 1.
        let ramp = x.clone().clamp_max(0.5);
        let wall = (x - 0.5).clamp_min(0.0);
        ramp + wall.clone().detach() * y * 2.0
    };
    let config = XsamConfig::new().with_rho(1.0).with_alpha(0.5);
    let point = Point::new(&[0.0, 0.0], 1);
    let step = step(&mut optimizer(config), 1.0, point, loss);
    assert_close(&[step.report.psi.unwrap()], &[FRAC_PI_2], 1e-12);
    let half = 0.5f64.sqrt();
    // The ascent is short of x = 1 by the 1e-12 in its denominator.
    assert_close(&step.model.values(), &[-half, -half], 1e-11);
}

/// The first gives momentum, the others are gradients of zero.
const GRADIENTS: [f64; 3] = [0.5, 0.0, 0.0];

/// The point after a step for each gradient, which `step` makes.
fn with_gradients(step: impl FnMut(Point, f64) -> Point) -> Vec<f64> {
    let start = Point::new(&[1.0, -2.0], 1);
    GRADIENTS.into_iter().fold(start, step).values()
}

/// The same with the steps of a method, which makes one pass where the gradient is zero.
fn with_method(method: Box<dyn Method>) -> Vec<f64> {
    let mut optim = SharpnessAware::from_method(momentum(), method);
    with_gradients(|point, gradient| {
        let loss = |m: &Point| m.linear(&[gradient, gradient]);
        let step = step(&mut optim, 0.1, point, loss);
        if gradient == 0.0 {
            let report = &step.report;
            assert_eq!((report.update_norm, report.rho), (0.0, 0.0), "{optim:?}");
            assert_eq!(report.passes.gradients, 1, "{optim:?}");
        }
        step.model
    })
}

#[test]
fn a_zero_gradient_leaves_weight_decay_and_momentum_at_work() {
    let mut base = momentum();
    let expected = with_gradients(|point, gradient| {
        let gradients = point.linear(&[gradient, gradient]).backward();
        let gradients = GradientsParams::from_grads(gradients, &point);
        base.step(0.1, point, gradients)
    });
    let methods = methods_of_one_gradient(None).into_iter();
    for method in methods.chain(decoupled_wsam(None)) {
        assert_close(&with_method(method), &expected, 1e-12);
    }
    // Where there is an ascent Lookbehind-SAM has the base optimizer step several times, and goes a part of the way; where
    // there is none, once.
    for (k, alpha) in LOOKBEHINDS {
        let expected = [1.0, -2.0].map(|start: f64| {
            let (mut weight, mut velocity) = (start, 0.0);
            for gradient in GRADIENTS {
                let slow = weight;
                let (steps, share) = if gradient == 0.0 {
                    (1, 1.0)
                } else {
                    (k, alpha)
                };
                for _ in 0..steps {
                    velocity = 0.9 * velocity + gradient + 1e-3 * weight;
                    weight -= 0.1 * velocity;
                }
                weight = slow + share * (weight - slow);
            }
            weight
        });
        // Burn keeps momentum and weight decay in single precision.
        assert_close(
            &with_method(lookbehind_sam(k, alpha, None)),
            &expected,
            1e-7,
        );
    }
}

#[test]
fn a_zero_gradient_at_the_ascent_point_is_handed_on() {
    // Rises up to x = 0.1 and is flat beyond.
    for method in every_method() {
        let loss = |m: &Point| m.joined().clamp_max(0.1).sum();
        let mut optim = SharpnessAware::from_method(plain(), method);
        let step = step(&mut optim, 1.0, Point::new(&[0.099, 0.099], 1), loss);
        let expected = match optim.method() {
            // The first step of Momentum-SAM has no momentum yet; GAM's gradient is that at the weights and a change of it
            // where it is large, which is before the weights here.
            "sgd" | "momentum-sam" | "sampa" | "gam" => 0.099 - 1.0,
            // The gradient (1, 1) has the weight 1 - c, -8 here: what goes on is not all of the update.
            "wsam" => 0.099 + 8.0,
            _ => {
                assert_eq!(step.report.update_norm, 0.0);
                0.099
            }
        };
        if ascends(&optim) {
            assert_eq!(step.report.ascent_grad_norm, Some(0.0));
        }
        assert_close(&step.model.values(), &[expected, expected], 1e-12);
    }
}

#[test]
fn weights_of_zero_stop_an_adaptive_ascent() {
    let config = XsamConfig::new().with_adaptive(Scaling::Elementwise);
    let loss = |m: &Point| m.linear(&[1.0, 2.0]);
    let step = step(
        &mut optimizer(config),
        1.0,
        Point::new(&[0.0, 0.0], 1),
        loss,
    );
    assert_eq!(step.model.values(), [-1.0, -2.0]);
    assert_eq!(step.report.alpha, None);
}

#[test]
fn losses_may_be_negative() {
    let alpha = |offset: f64| {
        let mut optim = optimizer(XsamConfig::new().with_rho(0.3));
        let loss = |m: &Point| m.quadratic(&[1.0, 4.0]) - offset;
        let step = step(&mut optim, 0.1, Point::new(&[1.0, -0.5], 1), loss);
        step.report.alpha
    };
    assert_eq!(alpha(1e3), alpha(0.0));
    assert_ne!(alpha(1e3), Some(0.0));
}

/// Calls 0 and 1 of a step are its gradients, the rest is the search.
fn failing_from(first: usize, last: usize) -> impl FnMut(&Point) -> Tensor<1> {
    let calls = Cell::new(0);
    move |m: &Point| {
        let call = calls.replace(calls.get() + 1);
        let loss = m.quadratic(&[1.0, 4.0]);
        if (first..=last).contains(&call) {
            loss * f64::NAN
        } else {
            loss
        }
    }
}

#[test]
fn candidates_that_are_not_finite_are_skipped_and_counted() {
    let grid = vec![0.0, 0.5, 1.0, 2.0];
    let mut optim = optimizer(XsamConfig::new().with_grid(grid));
    let point = Point::new(&[1.0, -0.5], 1);
    let report = step(&mut optim, 0.1, point, failing_from(3, 4)).report;
    assert_eq!(report.search.unwrap().skipped, 2);
    assert!([Some(0.0), Some(2.0)].contains(&report.alpha));
}

#[test]
fn alpha_stays_where_every_candidate_is_not_finite() {
    let mut optim = optimizer(XsamConfig::new());
    let point = Point::new(&[1.0, -0.5], 1);
    let report = step(&mut optim, 0.1, point, failing_from(2, 99)).report;
    assert_eq!(report.alpha, Some(1.0));
    assert_eq!(report.search.unwrap().skipped, 21);
}

/// What LookSAM keeps of an ascent is scaled to the length of a gradient: where nothing is left but rounding, nothing
/// must be kept.
#[test]
fn rounding_is_not_kept_for_the_steps_between() {
    // On a line, along which nothing can be represented exactly.
    let line = [0.1, 0.7, -0.3, 1.1, 0.9];
    for dtype in [DType::F32, DType::F64] {
        let mut optim = optimizer(LookSamConfig::new().with_every(2));
        let mut point = Point::with_dtype(&[0.3, 0.2, 0.1, -0.4, 0.7], 2, dtype);
        let loss = |m: &Point| m.linear(&line).square();
        for _ in 0..2 {
            let before = point.values();
            let step = step(&mut optim, 0.1, point, loss);
            point = step.model;
            // The update is along the line.
            let moved = axpy(&point.values(), -1.0, &before);
            let across = norm(&orthogonal(&moved, &line)) / norm(&moved);
            assert!(across < 1e-5, "{across}");
            let length = step.report.update_norm / step.report.grad_norm;
            if step.report.ascent_loss.is_none() {
                assert_close(&[length], &[1.0], 1e-6);
            }
        }
    }
}

#[test]
fn a_gradient_that_is_turned_towards_itself_is_stretched() {
    for dtype in [DType::F32, DType::F64] {
        let config = XsamConfig::new().with_rho(0.5).with_alpha(1.4);
        let mut optim = optimizer(LookXsamConfig::from(config).with_every(2));
        let start = [0.3, 0.7];
        let gradient = [0.3, 0.7 * 5.0];
        let point = Point::with_dtype(&start, 1, dtype);
        let first = step(&mut optim, 0.0, point, |m: &Point| m.quadratic(&[1.0, 5.0]));
        let stretch = first.report.update_norm / first.report.grad_norm;
        // At right angles to the first gradient, and so along what XSAM turns to.
        let across = [-gradient[1], gradient[0]];
        let second = step(&mut optim, 1.0, first.model, |m: &Point| m.linear(&across));
        let moved = axpy(&second.model.values(), -1.0, &start);
        assert_close(&moved, &times(-stretch, &across), 1e-5);
    }
}

#[test]
fn frozen_and_unused_parameters_stay() {
    for mut optim in every_optimizer() {
        let mut point = Point::new(&[1.0, -0.5, 2.0], 1);
        point.first = point.first.set_require_grad(false);
        let seen = Cell::new(false);
        let loss = |m: &Point| {
            seen.set(seen.get() || m.first.val().into_data().iter::<f64>().any(|x| x != 1.0));
            m.quadratic(&[1.0, 2.0, 3.0])
        };
        let model = step(&mut optim, 0.1, point, loss).model;
        assert!(!seen.get(), "a frozen parameter was perturbed");
        assert_eq!(model.values()[0], 1.0);
        assert_ne!(model.values()[1], -0.5);
        assert!(!model.first.is_require_grad());

        let unused = Point::new(&[1.0, -0.5, 2.0], 1);
        let loss = |m: &Point| m.second.val().square().sum();
        assert_eq!(step(&mut optim, 0.1, unused, loss).model.values()[0], 1.0);
    }
}

#[test]
fn low_rank_adapters_are_perturbed_and_their_base_is_not() {
    use burn::module::Lora;
    use burn::nn::{Linear, LinearConfig};

    let device = device();
    let x = Tensor::<2>::ones([3, 4], &device);
    for mut optim in every_optimizer() {
        let mut model = LinearConfig::new(4, 2)
            .init(&device)
            .apply_lora(Lora::new(2, 4.0));
        let base = model.weight.base().into_data();
        for _ in 0..3 {
            let loss = |m: &Linear| (m.forward(x.clone()) - 1.0).square().mean();
            // The adapter is drawn anew in each run: a rate at which no method diverges from any.
            model = step(&mut optim, 0.01, model, loss).model;
        }
        let adapter = model.weight.adapter().unwrap();
        assert!(adapter.b.val().abs().sum().into_scalar::<f32>() > 0.0);
        model.weight.base().into_data().assert_eq(&base, true);
    }
}
