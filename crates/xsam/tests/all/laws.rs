//! Laws that hold for every model: what a method must have in common with another one, or with
//! itself.

use crate::common::by_hand::{axpy, norm};
use crate::common::{
    self, Batch, LOOKBEHINDS, Net, Point, assert_close, bits, copy, decoupled_wsam, every_method,
    every_method_with, every_optimizer, lookbehind_sam, methods_of_one_gradient, momentum, net,
    optimizer, plain, step,
};
use burn::module::ParamGroup;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrSchedulerConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Tensor};
use proptest::prelude::*;
use xsam::method::{Method, MethodConfig, MethodSpec};
use xsam::{
    AsamConfig, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig, LookbehindSamConfig,
    MsamConfig, RhoSchedule, SamConfig, SgdOnlyConfig, SharpnessAware, StepReport, WsamConfig,
    XsamConfig,
};

/// Weights after `steps` steps from the same start on the same batch.
fn trained(mut optim: SharpnessAware, start: &Net, steps: usize) -> Vec<Vec<u64>> {
    let batch = batch_of(start);
    bits(&common::trained(&mut optim, copy(start), &batch, steps))
}

/// A batch that depends on the model's weights alone: tests run in parallel, and share the device's
/// random numbers.
fn batch_of(model: &Net) -> Batch {
    let w = model.first.weight.val().inner();
    let x = Tensor::cat(vec![w.clone(), w.clone().square() * 3.0, w.exp()], 1).transpose();
    let y = x.clone().slice([0..24, 0..2]).sin();
    (Tensor::from_inner(x), Tensor::from_inner(y))
}

fn bases() -> Vec<ModuleOptimizer> {
    vec![
        momentum(),
        AdamConfig::new().init(),
        AdamWConfig::new().init(),
    ]
}

#[test]
fn the_base_optimizer_alone_is_burns_step() {
    let start = net();
    for base in bases() {
        let batch = batch_of(&start);
        let mut reference = base.clone();
        let mut model = copy(&start);
        for _ in 0..3 {
            let gradients = GradientsParams::from_grads(model.loss(&batch).backward(), &model);
            model = reference.step(0.1, model, gradients);
        }
        let optim = SharpnessAware::new(base, SgdOnlyConfig::new()).unwrap();
        assert_eq!(trained(optim, &start, 3), bits(&model));
    }
}

#[test]
fn rho_of_zero_is_the_base_optimizer_bit_for_bit() {
    let start = net();
    for base in bases() {
        let plain = SharpnessAware::new(base.clone(), SgdOnlyConfig::new()).unwrap();
        let expected = trained(plain, &start, 3);
        // bSAM has scales of its own at any rho.
        let methods = every_method_with(Some(0.0)).into_iter();
        for method in methods.filter(|method| method.name() != "bsam") {
            let optim = SharpnessAware::from_method(base.clone(), method.boxed());
            assert_eq!(trained(optim, &start, 3), expected, "{method:?}");
        }
    }
}

#[test]
fn alpha_of_zero_has_the_first_gradients_direction_and_the_second_ones_length() {
    let curvature = [1.0, 5.0, 0.3];
    let start = [1.0, 0.4, -2.0];
    let mut optim = optimizer(XsamConfig::new().with_alpha(0.0));
    let loss = |m: &Point| m.quadratic(&curvature);
    let step = step(&mut optim, 1.0, Point::new(&start, 2), loss);
    let stretch = step.report.ascent_grad_norm.unwrap() / step.report.grad_norm;
    let expected = [0, 1, 2].map(|i| start[i] - stretch * curvature[i] * start[i]);
    assert_close(&step.model.values(), &expected, 1e-12);
}

#[test]
fn a_step_is_the_same_every_time() {
    let start = net();
    for optim in every_optimizer() {
        let run = || trained(optim.clone(), &start, 3);
        assert_eq!(run(), run(), "{optim:?}");
    }
}

#[test]
fn the_learning_rate_of_each_step_and_group_reaches_the_base_optimizer() {
    for method in every_method() {
        let group = ParamGroup::from_predicate("second");
        let mut rates = ModuleLrSchedulerConfig::new(0.5.into())
            .with_group(group, 0.0)
            .init()
            .unwrap();
        let mut optim = SharpnessAware::from_method(plain(), method);
        let loss = |m: &Point| m.quadratic(&[1.0, 1.0]);
        let start = Point::new(&[1.0, 2.0], 1);
        let grouped = optim.clone().step(rates.step(), start.clone(), loss);
        let grouped = grouped.unwrap().model.values();
        let same = step(&mut optim, 0.5, start, loss).model;
        assert_eq!(grouped[0], same.values()[0]);
        assert_eq!(grouped[1], 2.0);
        assert_ne!(same.values()[1], 2.0);
        let still = step(&mut optim, 0.0, same.clone(), loss).model;
        assert_eq!(still.values(), same.values());
    }
}

#[test]
fn parameter_groups_and_clipping_of_the_base_optimizer_work() {
    use burn::grad_clipping::{GradientClipping, GradientClippingConfig};
    let stepped = |method| {
        let clipped = SgdConfig::new()
            .with_gradient_clipping(Some(GradientClippingConfig::Value(0.25)))
            .init()
            .with_group(
                ParamGroup::from_predicate("second"),
                SgdConfig::new().build(),
                Some(GradientClipping::Value(0.125)),
            );
        let mut optim = SharpnessAware::from_method(clipped, method);
        let loss = |m: &Point| m.quadratic(&[10.0, 10.0]);
        let step = step(&mut optim, 1.0, Point::new(&[1.0, 2.0], 1), loss);
        step.model.values()
    };
    for method in methods_of_one_gradient(None) {
        assert_eq!(stepped(method), [0.75, 1.875]);
    }
    // As many steps of the base optimizer as ascent steps, and a part of the way.
    for (k, alpha) in LOOKBEHINDS {
        let way = k as f64 * alpha;
        let expected = [1.0 - way * 0.25, 2.0 - way * 0.125];
        assert_close(&stepped(lookbehind_sam(k, alpha, None)), &expected, 1e-12);
    }
    // The sharpness, c times the difference of the gradients, goes past the base optimizer and its clipping.
    let expected = [1.0, 2.0].map(|w| w - 0.125 * (3.0 - w) - 9.0 * 10.0 * 0.15 * w / 5f64.sqrt());
    let wsam = WsamConfig::new().build().unwrap();
    assert_close(&stepped(wsam), &expected, 1e-9);
}

#[test]
fn clipping_is_by_the_norm_over_all_parameters() {
    let run = |method: &dyn Method, max_norm: f64| {
        let optim = SharpnessAware::from_method(plain(), method.boxed());
        let mut optim = optim.with_clip_norm(max_norm).unwrap();
        let loss = |m: &Point| m.quadratic(&[3.0, 1.0]);
        let step = step(&mut optim, 1.0, Point::new(&[1.0, 2.0], 1), loss);
        let values = step.model.values();
        ([1.0 - values[0], 2.0 - values[1]], step.report)
    };
    for method in methods_of_one_gradient(None) {
        let (free, tight) = (run(&*method, 1e9), run(&*method, 0.5));
        assert!(!free.1.clipped && tight.1.clipped);
        assert_eq!(tight.1.update_norm, 0.5);
        let scale = 0.5 / free.1.update_norm;
        assert_close(&tight.0, &free.0.map(|x| x * scale), 1e-12);
        assert_close(&[tight.0[0].hypot(tight.0[1])], &[0.5], 1e-12);
    }
    // Where a part goes past the base optimizer the limit is for the sum of both.
    for method in decoupled_wsam(None) {
        let (free, tight) = (run(&*method, 1e9), run(&*method, 0.5));
        assert!(!free.1.clipped && tight.1.clipped);
        let scale = 0.5 / free.0[0].hypot(free.0[1]);
        assert_close(&tight.0, &free.0.map(|x| x * scale), 1e-12);
        let base = scale * free.1.update_norm;
        assert_close(&[tight.1.update_norm], &[base], 1e-12);
    }
    // Where the base optimizer makes several steps the limit is for each: (3, 2) and (3 + .., 2 + ..) are clipped to
    // nearly the same direction.
    for (k, alpha) in LOOKBEHINDS {
        let method = lookbehind_sam(k, alpha, None);
        let (free, tight) = (run(&*method, 1e9), run(&*method, 0.5));
        assert!(!free.1.clipped && tight.1.clipped);
        assert_eq!(tight.1.update_norm, 0.5);
        let way = tight.0[0].hypot(tight.0[1]);
        let longest = 0.5 * alpha * k as f64;
        assert!(way <= longest + 1e-12 && way > 0.99 * longest, "{way}");
    }
}

#[test]
fn rho_follows_the_learning_rate_if_asked_to() {
    let rho = |schedule, lr: f64| {
        let optim = optimizer(SamConfig::new().with_rho(0.4));
        let mut optim = optim.with_rho_schedule(schedule).unwrap();
        let loss = |m: &Point| m.quadratic(&[3.0, 1.0]);
        let step = step(&mut optim, lr, Point::new(&[1.0, 2.0], 1), loss);
        step.report.rho
    };
    let proportional = RhoSchedule::ProportionalToLr { full_at: 0.2 };
    assert_eq!(rho(RhoSchedule::Constant, 0.05), 0.4);
    let found = [rho(proportional, 0.2), rho(proportional, 0.05)];
    assert_close(&found, &[0.4, 0.1], 1e-15);
    assert_eq!(rho(proportional, 0.0), 0.0);
}

#[test]
fn rho_goes_with_the_learning_rate_on_a_line_if_asked_to() {
    let rho = |lr: f64| {
        let schedule = RhoSchedule::LinearInLr {
            full_at: 0.2,
            least_at: 0.1,
            least: 0.25,
        };
        let optim = optimizer(XsamConfig::new().with_rho(0.4).with_rho_max(0.8));
        let mut optim = optim.with_rho_schedule(schedule).unwrap();
        let (seen, report) = visited(&mut optim, lr, Point::new(&[1.0, 2.0], 1), &[3.0, 1.0]);
        let lengths = [&seen[1], &seen[2]].map(|point| distance(&seen[0], point));
        let rho = report.rho;
        assert_close(&lengths, &[rho, 2.0 * rho], 1e-9);
        rho
    };
    // At full_at, half-way, at least_at, and below it; the line goes on above full_at.
    let measured = [rho(0.2), rho(0.15), rho(0.1), rho(0.0), rho(0.3)];
    assert_close(&measured, &[0.4, 0.25, 0.1, 0.1, 0.7], 1e-12);
}

/// The points at which a step takes the loss, and its report.
fn visited(
    optim: &mut SharpnessAware,
    lr: f64,
    start: Point,
    curvature: &[f64],
) -> (Vec<Vec<f64>>, StepReport) {
    let mut visited = Vec::new();
    let step = step(optim, lr, start, |m: &Point| {
        visited.push(m.values());
        m.quadratic(curvature)
    });
    (visited, step.report)
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    norm(&axpy(x, -1.0, y))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_ascent_is_rho_long_and_the_search_rho_max_away(
        w in prop::collection::vec(0.1f64..3.0, 5),
        curvature in prop::collection::vec(0.5f64..9.0, 5),
        rho in 1e-3f64..1.0,
        k in 1usize..4,
    ) {
        let config = XsamConfig::new().with_rho(rho).with_rho_max(3.0 * rho).with_ascent_steps(k);
        let (points, _) = visited(&mut optimizer(config), 0.1, Point::new(&w, 2), &curvature);
        prop_assert_eq!(points.len(), k + 1 + 21);
        for i in 0..k {
            let step = distance(&points[i], &points[i + 1]);
            prop_assert!((step - rho / k as f64).abs() < 1e-9);
        }
        for candidate in &points[k + 1..] {
            prop_assert!((distance(&points[0], candidate) - 3.0 * rho).abs() < 1e-9);
        }
    }

    #[test]
    fn the_split_into_parameters_does_not_matter(
        w in prop::collection::vec(-3.0f64..3.0, 6),
        split in 1usize..6,
    ) {
        let curvature = [1.0, 4.0, 0.5, 9.0, 2.0, 3.0];
        let start = Point::new(&w, 3);
        let other = Point::new(&w, split);
        // ZSharp's scores are within each parameter.
        for method in every_method().into_iter().filter(|method| method.name() != "zsharp") {
            let run = |start: &Point| {
                let mut optim = SharpnessAware::from_method(plain(), method.boxed());
                step(&mut optim, 0.1, start.clone(), |m| m.quadratic(&curvature)).model.values()
            };
            assert_close(&run(&start), &run(&other), 1e-9);
        }
    }

    /// Where no search is involved, which can tip to the neighbouring position.
    #[test]
    fn half_single_and_double_precision_agree(w in prop::collection::vec(0.5f64..3.0, 4)) {
        let curvature = [1.0, 4.0, 0.5, 2.0];
        let xsam = XsamConfig::new().with_alpha(0.6);
        // WSAM multiplies a difference of gradients, so rounding too, by c: 1.5 here.
        let wsam = WsamConfig::new().with_gamma(0.6);
        let methods: [MethodSpec; 11] = [
            SamConfig::new().with_ascent_steps(2).into(),
            AsamConfig::new().into(),
            xsam.clone().into(),
            GsamConfig::new().into(),
            wsam.clone().into(),
            wsam.with_decoupled(false).into(),
            LookSamConfig::new().into(),
            FriendlySamConfig::new().into(),
            MsamConfig::new().into(),
            LookbehindSamConfig::new().into(),
            LookXsamConfig::from(xsam).into(),
        ];
        for config in methods {
            let run = |dtype| {
                let start = Point::with_dtype(&w, 2, dtype);
                let loss = |m: &Point| m.quadratic(&curvature);
                step(&mut optimizer(&config), 0.1, start, loss).model.values()
            };
            let exact = run(DType::F64);
            assert_close(&run(DType::F32), &exact, 1e-5);
            assert_close(&run(DType::F16), &exact, 2e-2);
        }
    }

    #[test]
    fn a_mask_keeps_the_other_parameters_where_they_are(w in prop::collection::vec(0.5f64..3.0, 4)) {
        let mask = ParamGroup::from_predicate("second");
        let config = XsamConfig::new().with_mask(mask);
        let curvature = [1.0, 4.0, 0.5, 2.0];
        let (points, _) = visited(&mut optimizer(config), 0.1, Point::new(&w, 2), &curvature);
        prop_assert_eq!(&points[1][..2], &w[..2]);
        prop_assert!((distance(&points[0], &points[1]) - 0.15).abs() < 1e-9);
    }
}
