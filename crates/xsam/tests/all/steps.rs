//! Exact iterates, worked out here in plain f64 arithmetic from the papers' formulas.

use crate::common::by_hand::{
    CURVATURE, ROUNDING, START, along_the_arc, ascend, axpy, elementwise, gradient, no_scaling,
    norm, quadratic,
};
use crate::common::{Point, assert_close, device, optimizer, step};
use burn::tensor::Tensor;
use proptest::prelude::*;
use xsam::method::MethodConfig;
use xsam::{AsamConfig, SamConfig, Scaling, SearchSchedule, SgdOnlyConfig, XsamConfig};

fn loss(point: &Point) -> Tensor<1> {
    point.quadratic(&CURVATURE)
}

/// Two steps of a method on the quadratic, learning rate 0.1, with plain SGD as base optimizer.
fn two_steps(config: impl MethodConfig) -> Vec<f64> {
    let mut optim = optimizer(config);
    let mut point = Point::new(&START, 2);
    for _ in 0..2 {
        point = step(&mut optim, 0.1, point, loss).model;
    }
    point.values()
}

fn by_hand(update: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut w = START.to_vec();
    for _ in 0..2 {
        w = axpy(&w, -0.1, &update(&w));
    }
    w
}

#[test]
fn sgd_hands_on_the_gradient() {
    let found = two_steps(SgdOnlyConfig::new());
    assert_close(&found, &by_hand(gradient), ROUNDING);
}

#[test]
fn sam_takes_the_gradient_at_the_ascent_point() {
    for k in [1, 2, 5] {
        let config = SamConfig::new().with_rho(0.3).with_ascent_steps(k);
        let expected = by_hand(|w| gradient(&ascend(w, 0.3, k, no_scaling)));
        assert_close(&two_steps(config), &expected, ROUNDING);
    }
}

#[test]
fn asam_scales_the_ascent_element_by_element() {
    let config = AsamConfig::new().with_rho(0.7).with_ascent_steps(2);
    let expected = by_hand(|w| gradient(&ascend(w, 0.7, 2, elementwise)));
    assert_close(&two_steps(config), &expected, ROUNDING);
}

#[test]
fn asam_in_the_authors_form_scales_weights() {
    // Neither parameter of the point is called a bias.
    let offset = |w: &[f64]| w.iter().map(|w| w.abs() + 0.01).collect();
    let config = AsamConfig::new().with_rho(0.7);
    let config = config.with_adaptive(Scaling::Weights);
    let expected = by_hand(|w| gradient(&ascend(w, 0.7, 1, offset)));
    assert_close(&two_steps(config), &expected, ROUNDING);
}

#[test]
fn asam_in_the_authors_form_leaves_biases_unscaled() {
    use burn::nn::{BatchNormConfig, LinearConfig};

    /// A bias, and a norm's shift, which Burn calls beta.
    #[derive(burn::module::Module, Debug)]
    struct Biased {
        linear: burn::nn::Linear,
        norm: burn::nn::BatchNorm,
    }
    let model = Biased {
        linear: LinearConfig::new(1, 2).init(&device()),
        norm: BatchNormConfig::new(2).init(&device()),
    };
    // Every gradient is 1, so the displacement is T^2 up to a factor.
    let seen = std::cell::RefCell::new(Vec::new());
    let config = AsamConfig::new().with_adaptive(Scaling::Weights);
    step(&mut optimizer(config), 0.1, model, |m: &Biased| {
        let (bias, weight) = (m.linear.bias.as_ref().unwrap().val(), m.linear.weight.val());
        let (gamma, beta) = (m.norm.gamma.val(), m.norm.beta.val());
        let all = Tensor::cat(vec![bias, beta, gamma, weight.reshape([2])], 0);
        let values: Vec<f64> = all.clone().into_data().iter().collect();
        seen.borrow_mut().push(values);
        all.sum()
    });
    let seen = seen.into_inner();
    // The first four are biases.
    let scale = |i: usize| match i < 4 {
        true => 1.0,
        false => (seen[0][i].abs() + 0.01).powi(2),
    };
    let total = (0..8).map(scale).sum::<f64>().sqrt();
    for (i, (before, after)) in seen[0].iter().zip(&seen[1]).enumerate() {
        let moved = after - before;
        let expected = 0.5 * scale(i) / total;
        let off = (moved - expected).abs();
        assert!(off < 1e-6, "{i}: {moved} is not {expected}");
    }
}

/// XSAM's update at `w`, with the position on the arc that the grid search finds, or `fixed`.
fn xsam_update(w: &[f64], rho: f64, rho_max: f64, k: usize, fixed: Option<f64>) -> (Vec<f64>, f64) {
    along_the_arc(w, &ascend(w, rho, k, no_scaling), rho_max, fixed)
}

#[test]
fn xsam_with_a_fixed_alpha_steps_along_the_arc() {
    for (alpha, k) in [(0.0, 1), (0.4, 1), (1.7, 1), (0.4, 3)] {
        let config = XsamConfig::new()
            .with_rho(0.3)
            .with_ascent_steps(k)
            .with_alpha(alpha);
        let expected = by_hand(|w| xsam_update(w, 0.3, 0.6, k, Some(alpha)).0);
        assert_close(&two_steps(config), &expected, ROUNDING);
    }
}

#[test]
fn xsam_searches_for_the_highest_loss() {
    for k in [1, 3] {
        let config = XsamConfig::new()
            .with_rho(0.3)
            .with_rho_max(0.9)
            .with_ascent_steps(k)
            .with_search(SearchSchedule::EverySteps(1));
        let expected = by_hand(|w| xsam_update(w, 0.3, 0.9, k, None).0);
        assert_close(&two_steps(config), &expected, ROUNDING);
    }
}

#[test]
fn the_search_follows_its_schedule() {
    let searched = |search, epochs: usize| {
        let mut optim = optimizer(XsamConfig::new().with_search(search));
        let mut point = Point::new(&START, 1);
        let mut searched = Vec::new();
        for _ in 0..epochs {
            optim.start_epoch();
            for _ in 0..3 {
                let step = step(&mut optim, 0.01, point, loss);
                point = step.model;
                assert_eq!(step.report.passes.gradients, 2);
                let losses = if step.report.search.is_some() { 21 } else { 0 };
                assert_eq!(step.report.passes.losses, losses);
                searched.push(step.report.search.is_some());
            }
        }
        searched
    };
    let every_third = [true, false, false, true, false, false];
    assert_eq!(searched(SearchSchedule::EveryEpoch, 2), every_third);
    let every_other = [true, false, true, false, true, false];
    assert_eq!(searched(SearchSchedule::EverySteps(2), 2), every_other);
    assert_eq!(searched(SearchSchedule::Never, 2), [false; 6]);
}

#[test]
fn the_report_holds_the_searched_curve() {
    let grid = vec![0.5, 0.0, 2.0];
    let mut optim = optimizer(XsamConfig::new().with_rho(0.3).with_grid(grid));
    let report = step(&mut optim, 0.1, Point::new(&START, 1), loss).report;
    let search = report.search.unwrap();
    assert_eq!(search.alphas, [0.5, 0.0, 2.0]);
    assert_eq!(search.best(), report.alpha);
    let at = |w: &[f64]| [quadratic(w), norm(&gradient(w))];
    assert_close(&[report.loss, report.grad_norm], &at(&START), ROUNDING);
    let top = ascend(&START, 0.3, 1, no_scaling);
    let measured = [report.ascent_loss, report.ascent_grad_norm].map(Option::unwrap);
    assert_close(&measured, &at(&top), ROUNDING);
    let own = gradient(&START);
    let v0_loss = quadratic(&axpy(&START, 0.6 / norm(&own), &own));
    assert_close(&search.losses[1..2], &[v0_loss], ROUNDING);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any weights, any position, any number of steps: the iterate of the formulas.
    #[test]
    fn xsam_follows_its_formula(
        w in prop::collection::vec(0.1f64..3.0, 4),
        signs in prop::collection::vec(any::<bool>(), 4),
        alpha in -1.0f64..3.0,
        rho in 0.01f64..1.0,
        k in 1usize..4,
    ) {
        let w: Vec<f64> = w.iter().zip(signs).map(|(w, s)| if s { *w } else { -w }).collect();
        let config = XsamConfig::new().with_rho(rho).with_ascent_steps(k).with_alpha(alpha);
        let step = step(&mut optimizer(config), 0.1, Point::new(&w, 2), loss);
        let (update, _) = xsam_update(&w, rho, 2.0 * rho, k, Some(alpha));
        // The hand-made arc cosine loses digits where psi is small; ours does not.
        assert_close(&step.model.values(), &axpy(&w, -0.1, &update), 1e-6);
        let measured = norm(&axpy(&w, -1.0, &step.model.values())) / 0.1;
        prop_assert!((step.report.update_norm - measured).abs() < 1e-9 * measured);
    }
}
