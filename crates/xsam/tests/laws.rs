//! Laws that hold for every model: what a method must have in common with another one, or with
//! itself.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::RefCell;

use burn::module::{Module, ParamGroup};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrSchedulerConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Tensor};
use common::{Net, Point, assert_close, bits, device, every_method, momentum, optimizer};
use proptest::prelude::*;
use xsam::{
    AsamConfig, MethodConfig, RhoSchedule, SamConfig, Scaling, SgdOnlyConfig, SharpnessAware,
    XsamConfig,
};

/// Weights after `steps` steps from the same start on the same batch.
fn trained(optim: &mut SharpnessAware, start: &Net, steps: usize) -> Vec<Vec<u64>> {
    let batch = batch_of(start);
    let mut model = start.valid().train();
    for _ in 0..steps {
        model = optim
            .step(0.1, model, |m: &Net| m.loss(&batch))
            .unwrap()
            .model;
    }
    bits(&model)
}

/// A batch that depends on the model's weights alone: tests run in parallel, and share the device's
/// random numbers.
fn batch_of(model: &Net) -> (Tensor<2>, Tensor<2>) {
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
    let start = Net::new(&device(), 0.0);
    for base in bases() {
        let batch = batch_of(&start);
        let mut reference = base.clone();
        let mut model = start.valid().train();
        for _ in 0..3 {
            let gradients = GradientsParams::from_grads(model.loss(&batch).backward(), &model);
            model = reference.step(0.1, model, gradients);
        }
        let mut optim = SharpnessAware::new(base, SgdOnlyConfig::new()).unwrap();
        assert_eq!(trained(&mut optim, &start, 3), bits(&model));
    }
}

#[test]
fn rho_of_zero_is_the_base_optimizer_bit_for_bit() {
    let start = Net::new(&device(), 0.0);
    for base in bases() {
        let methods: Vec<Box<dyn MethodConfig>> = vec![
            Box::new(SamConfig::new().with_rho(0.0).with_ascent_steps(2)),
            Box::new(AsamConfig::new().with_rho(0.0)),
            Box::new(XsamConfig::new().with_rho(0.0)),
        ];
        let mut plain = SharpnessAware::new(base.clone(), SgdOnlyConfig::new()).unwrap();
        let expected = trained(&mut plain, &start, 3);
        for config in methods {
            let mut optim = SharpnessAware::from_method(base.clone(), config.build().unwrap());
            assert_eq!(trained(&mut optim, &start, 3), expected);
        }
    }
}

#[test]
fn alpha_of_one_is_sam_bit_for_bit() {
    let start = Net::new(&device(), 0.0);
    for k in [1, 3] {
        let sam = SamConfig::new().with_ascent_steps(k);
        let xsam = XsamConfig::new().with_ascent_steps(k).with_alpha(1.0);
        let mut sam = SharpnessAware::new(momentum(), sam).unwrap();
        let mut xsam = SharpnessAware::new(momentum(), xsam).unwrap();
        assert_eq!(trained(&mut sam, &start, 3), trained(&mut xsam, &start, 3));
    }
}

#[test]
fn alpha_of_zero_has_the_first_gradients_direction_and_the_second_ones_length() {
    let curvature = [1.0, 5.0, 0.3];
    let start = [1.0, 0.4, -2.0];
    let step = optimizer(XsamConfig::new().with_alpha(0.0))
        .step(1.0, Point::new(&start, 2), |m: &Point| {
            m.quadratic(&curvature)
        })
        .unwrap();
    let length = step.report.ascent_grad_norm.unwrap();
    let expected: Vec<f64> = start
        .iter()
        .zip(curvature)
        .map(|(w, a)| w - length * a * w / step.report.grad_norm)
        .collect();
    assert_close(&step.model.values(), &expected, 1e-12);
}

#[test]
fn a_step_is_the_same_every_time() {
    let start = Net::new(&device(), 0.0);
    for method in every_method() {
        let run = || {
            let mut optim = SharpnessAware::from_method(momentum(), method.boxed());
            trained(&mut optim, &start, 3)
        };
        assert_eq!(run(), run());
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
        let mut optim = SharpnessAware::from_method(common::plain(), method.boxed());
        let loss = |m: &Point| m.quadratic(&[1.0, 1.0]);
        let start = Point::new(&[1.0, 2.0], 1);
        let grouped = optim.step(rates.step(), start.clone(), loss).unwrap().model;
        let mut optim = SharpnessAware::from_method(common::plain(), method.boxed());
        let plain = optim.step(0.5, start, loss).unwrap().model;
        assert_eq!(grouped.values()[0], plain.values()[0]);
        assert_eq!(grouped.values()[1], 2.0);
        assert_ne!(plain.values()[1], 2.0);
        let still = optim.step(0.0, plain.clone(), loss).unwrap().model;
        assert_eq!(still.values(), plain.values());
    }
}

#[test]
fn parameter_groups_and_clipping_of_the_base_optimizer_work() {
    use burn::grad_clipping::{GradientClipping, GradientClippingConfig};
    for method in every_method() {
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
        let step = optim.step(1.0, Point::new(&[1.0, 2.0], 1), loss).unwrap();
        assert_eq!(step.model.values(), [0.75, 1.875]);
    }
}

#[test]
fn clipping_is_by_the_norm_over_all_parameters() {
    for method in every_method() {
        let run = |max_norm: f64| {
            let optim = SharpnessAware::from_method(common::plain(), method.boxed());
            let mut optim = optim.with_clip_norm(max_norm).unwrap();
            let loss = |m: &Point| m.quadratic(&[3.0, 1.0]);
            optim.step(1.0, Point::new(&[1.0, 2.0], 1), loss).unwrap()
        };
        let (free, tight) = (run(1e9), run(0.5));
        assert!(!free.report.clipped && tight.report.clipped);
        assert_eq!(tight.report.update_norm, 0.5);
        let update = |values: Vec<f64>| [1.0 - values[0], 2.0 - values[1]];
        let (free_update, tight_update) =
            (update(free.model.values()), update(tight.model.values()));
        let scale = 0.5 / free.report.update_norm;
        assert_close(&tight_update, &free_update.map(|x| x * scale), 1e-12);
        assert_close(&[tight_update[0].hypot(tight_update[1])], &[0.5], 1e-12);
    }
}

#[test]
fn rho_follows_the_learning_rate_if_asked_to() {
    let rho = |schedule, lr: f64| {
        let optim = optimizer(SamConfig::new().with_rho(0.4));
        let mut optim = optim.with_rho_schedule(schedule).unwrap();
        let loss = |m: &Point| m.quadratic(&[3.0, 1.0]);
        let step = optim.step(lr, Point::new(&[1.0, 2.0], 1), loss).unwrap();
        step.report.rho
    };
    let proportional = RhoSchedule::ProportionalToLr { full_at: 0.2 };
    assert_eq!(rho(RhoSchedule::Constant, 0.05), 0.4);
    assert_close(
        &[rho(proportional, 0.2), rho(proportional, 0.05)],
        &[0.4, 0.1],
        1e-15,
    );
    assert_eq!(rho(proportional, 0.0), 0.0);
}

#[test]
fn hyper_parameters_are_checked_when_the_optimizer_is_built() {
    let field = |config: &dyn MethodConfig| config.build().unwrap_err().field;
    for rho in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(field(&SamConfig::new().with_rho(rho)), "rho");
        assert_eq!(field(&AsamConfig::new().with_rho(rho)), "rho");
        assert_eq!(field(&XsamConfig::new().with_rho(rho)), "rho");
        assert_eq!(field(&XsamConfig::new().with_rho_max(rho)), "rho_max");
    }
    assert_eq!(field(&XsamConfig::new().with_rho_max(0.0)), "rho_max");
    assert_eq!(
        field(&SamConfig::new().with_ascent_steps(0)),
        "ascent_steps"
    );
    assert_eq!(field(&XsamConfig::new().with_alpha(f64::NAN)), "alpha");
    assert_eq!(
        field(&AsamConfig::new().with_scaling(Scaling::None)),
        "scaling"
    );
    let never = XsamConfig::new().with_search(xsam::SearchSchedule::EverySteps(0));
    assert_eq!(field(&never), "search_every");
    let optim = || optimizer(SamConfig::new());
    assert!(optim().with_clip_norm(0.0).is_err());
    let schedule = RhoSchedule::ProportionalToLr { full_at: f64::NAN };
    assert_eq!(
        optim().with_rho_schedule(schedule).unwrap_err().field,
        "full_at"
    );
}

/// The points at which a step takes the loss.
fn visited(config: impl MethodConfig, start: Point, curvature: &[f64]) -> Vec<Vec<f64>> {
    let visited = RefCell::new(Vec::new());
    optimizer(config)
        .step(0.1, start, |m: &Point| {
            visited.borrow_mut().push(m.values());
            m.quadratic(curvature)
        })
        .unwrap();
    visited.into_inner()
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter()
        .zip(y)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f64>()
        .sqrt()
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
        let points = visited(config, Point::new(&w, 2), &curvature);
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
        for method in every_method() {
            let run = |start: Point| {
                let mut optim = SharpnessAware::from_method(common::plain(), method.boxed());
                optim.step(0.1, start, |m: &Point| m.quadratic(&curvature)).unwrap().model.values()
            };
            assert_close(&run(start.clone()), &run(other.clone()), 1e-9);
        }
    }

    /// Where no search is involved, which can tip to the neighbouring position.
    #[test]
    fn half_single_and_double_precision_agree(w in prop::collection::vec(0.5f64..3.0, 4)) {
        let curvature = [1.0, 4.0, 0.5, 2.0];
        let methods: [Box<dyn MethodConfig>; 3] = [
            Box::new(SamConfig::new().with_ascent_steps(2)),
            Box::new(AsamConfig::new()),
            Box::new(XsamConfig::new().with_alpha(0.6)),
        ];
        for config in methods {
            let run = |dtype| {
                let mut optim = SharpnessAware::from_method(common::plain(), config.build().unwrap());
                let start = Point::with_dtype(&w, 2, dtype);
                optim.step(0.1, start, |m: &Point| m.quadratic(&curvature)).unwrap().model.values()
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
        let points = visited(config, Point::new(&w, 2), &[1.0, 4.0, 0.5, 2.0]);
        prop_assert_eq!(&points[1][..2], &w[..2]);
        prop_assert!((distance(&points[0], &points[1]) - 0.15).abs() < 1e-9);
    }
}
