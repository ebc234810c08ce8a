//! Numbers that are read at the end of a step: the same step, for which the program waits once.

use burn::tensor::{DType, Tensor};
use xsam::method::MethodSpec;
use xsam::{
    AdaptivePolicy, AsamConfig, LossBudget, LossScale, MeasuredRho, PassPoint, ReadBacks,
    SamConfig, SgdOnlyConfig, SharpnessAware, StepError, StepReport, XsamConfig, ZSharpConfig,
};

use crate::common::{
    Point, assert_close, every_optimizer, momentum, optimizer, overflowing, recorded,
};

const START: [f64; 4] = [0.8, -1.1, 0.5, 1.7];

/// Neither a quadratic nor a line: no two gradients point the same way.
fn loss(model: &Point) -> Tensor<1> {
    let w = model.joined();
    let beside = w.clone().narrow(0, 0, 3) * w.clone().narrow(0, 1, 3);
    model.quadratic(&[3.0, 0.7, 1.9, 0.2]) + w.square().square().sum() * 0.1 + beside.sum().sin()
}

/// Weights and reports of some steps.
fn steps(
    mut optim: SharpnessAware,
    when: ReadBacks,
    mut step: impl FnMut(&mut SharpnessAware, Point) -> (Point, StepReport),
) -> (Vec<f64>, Vec<StepReport>, SharpnessAware) {
    // What is drawn from the device in the first step is read back, too.
    optim = optim.with_replay_dropout(1).with_read_backs(when);
    let (mut model, mut reports) = (Point::new(&START, 1), Vec::new());
    for i in 0..7 {
        if i == 4 {
            optim.start_epoch();
        }
        let report;
        (model, report) = step(&mut optim, model);
        reports.push(report);
    }
    (model.values(), reports, optim)
}

fn whole(optim: &mut SharpnessAware, model: Point) -> (Point, StepReport) {
    let step = optim.step(0.02, model, loss).unwrap();
    (step.model, step.report)
}

/// What a report measures, in a row.
fn measured(report: &StepReport) -> Vec<f64> {
    let known = |number: Option<f64>| number.unwrap_or(-1.0);
    let mut row = vec![
        report.loss,
        report.grad_norm,
        report.rho,
        report.update_norm,
        known(report.ascent_loss),
        known(report.ascent_grad_norm),
        known(report.psi),
        known(report.alpha),
        f64::from(report.clipped),
        report.passes.gradient_passes(),
        report.passes.losses as f64,
    ];
    row.extend(
        report
            .search
            .iter()
            .flat_map(|search| search.losses.clone()),
    );
    row
}

/// Checks that both ways make the same steps; gives the read-backs of each step.
fn same_steps(
    optim: &SharpnessAware,
    step: impl FnMut(&mut SharpnessAware, Point) -> (Point, StepReport) + Copy,
) -> [Vec<u64>; 2] {
    let (weights, at_once, _) = steps(optim.clone(), ReadBacks::AtOnce, step);
    let (others, at_the_end, last) = steps(optim.clone(), ReadBacks::AtTheEnd, step);
    assert_close(&others, &weights, 1e-12);
    for (one, other) in at_once.iter().zip(&at_the_end) {
        assert_close(&measured(other), &measured(one), 1e-11);
    }
    // All that a method keeps has been read.
    recorded(&last);
    [at_once, at_the_end].map(|reports| reports.iter().map(|report| report.read_backs).collect())
}

#[test]
fn every_method_makes_the_same_steps_and_reads_once() {
    for optim in every_optimizer() {
        let [at_once, at_the_end] = same_steps(&optim, whole);
        let (_, reports, _) = steps(optim.clone(), ReadBacks::AtTheEnd, whole);
        for (report, reads) in reports.iter().zip(&at_the_end) {
            // A percentile is of all numbers together, which are sorted here.
            let scores = u64::from(optim.method() == "zsharp");
            let searched = report.search.as_ref().map_or(0, |search| {
                // The vertex of a parabola is known after the rest.
                1 + u64::from(!search.alphas.is_sorted())
            });
            assert!(
                (1..=1 + scores + searched).contains(reads),
                "{optim:?}: {at_once:?} become {at_the_end:?}"
            );
        }
    }
}

#[test]
fn schedules_clipping_and_parts_do_not_show() {
    let xsam = XsamConfig::new;
    let policy = AdaptivePolicy::default();
    let specs: [(MethodSpec, u64); 6] = [
        (xsam().with_policy(policy).into(), 3),
        (xsam().with_loss_budget(LossBudget::new(0.05)).into(), 3),
        (xsam().with_measured(MeasuredRho::of_rise(0.3)).into(), 2),
        (
            SamConfig::new()
                .with_measured(MeasuredRho::of_share(0.1))
                .into(),
            1,
        ),
        (AsamConfig::new().with_ascent_steps(3).into(), 1),
        (xsam().with_percentile(0.5).into(), 3),
    ];
    for (spec, most) in specs {
        let optim = SharpnessAware::new(momentum(), spec)
            .unwrap()
            .with_length(7);
        let [_, reads] = same_steps(&optim, whole);
        assert!(
            reads.iter().all(|reads| (1..=most).contains(reads)),
            "{optim:?}: {reads:?}"
        );
    }
    for limit in [1e-3, 2.0, 1e3] {
        for optim in every_optimizer() {
            same_steps(&optim.with_clip_norm(limit).unwrap(), whole);
        }
    }
    for optim in every_optimizer() {
        let parts = [0.7, 1.3];
        let of_part = |model: &Point, share: &f64| loss(model) * *share;
        let accumulated = |optim: &mut SharpnessAware, model: Point| {
            let step = optim
                .step_accumulated(0.02, model, &parts, of_part)
                .unwrap();
            (step.model, step.report)
        };
        same_steps(&optim, accumulated);
        let each = |optim: &mut SharpnessAware, model: Point| {
            let step = optim
                .step_m_sharpness(0.02, model, &parts, of_part)
                .unwrap();
            (step.model, step.report)
        };
        let [_, reads] = same_steps(&optim, each);
        assert!(
            reads.iter().all(|reads| *reads >= 1),
            "{optim:?}: {reads:?}"
        );
    }
}

/// A step from these weights, read in this way.
fn one(
    optim: &SharpnessAware,
    when: ReadBacks,
    start: &[f64],
    loss: impl Fn(&Point) -> Tensor<1>,
) -> (Vec<f64>, Vec<f64>, u64) {
    let mut optim = optim.clone().with_replay_dropout(1).with_read_backs(when);
    let step = optim.step(0.1, Point::new(start, 1), loss).unwrap();
    (
        step.model.values(),
        measured(&step.report),
        step.report.read_backs,
    )
}

#[test]
fn what_is_taken_for_granted_and_is_not_so_is_made_again() {
    // At a minimum there is nothing to ascend along; along a line XSAM's plane is none.
    let flat = |model: &Point| model.quadratic(&[1.0, 1.0, 1.0, 1.0]);
    let straight = |model: &Point| model.linear(&[1.0, -2.0, 0.5, 1.0]);
    for optim in every_optimizer() {
        let at = |when, start: &[f64], loss: &dyn Fn(&Point) -> Tensor<1>| {
            one(&optim, when, start, loss)
        };
        for (start, loss) in [
            ([0.0; 4], &flat as &dyn Fn(&Point) -> Tensor<1>),
            (START, &flat),
            (START, &straight),
        ] {
            let (weights, report, _) = at(ReadBacks::AtOnce, &start, loss);
            let (others, other, _) = at(ReadBacks::AtTheEnd, &start, loss);
            assert_close(&others, &weights, 1e-12);
            assert_close(&other, &report, 1e-9);
        }
    }
    let sam = optimizer(SamConfig::new());
    let (_, _, reads) = one(&sam, ReadBacks::AtTheEnd, &[0.0; 4], flat);
    assert_eq!(
        reads, 2,
        "one to see that the gradient is zero, and one to make the step"
    );
}

#[test]
fn errors_are_the_same_and_change_nothing() {
    let nowhere = |model: &Point| loss(model) / 0.0;
    let steep = |model: &Point| (loss(model) * 0.0 + 1e-300).sqrt() * 1e200 * 1e200;
    let beyond = |model: &Point| {
        // Finite at the weights alone.
        let w = model.joined();
        (w.sub(model.constant(&START)).square().sum() * -1.0 + 1e-12).sqrt() + loss(model)
    };
    for optim in every_optimizer() {
        for loss in [&nowhere as &dyn Fn(&Point) -> Tensor<1>, &steep, &beyond] {
            let made = [ReadBacks::AtOnce, ReadBacks::AtTheEnd].map(|when| {
                let mut optim = optim.clone().with_replay_dropout(1).with_read_backs(when);
                let made = optim.step(0.1, Point::new(&START, 1), loss);
                made.map(|step| step.model.values()).map_err(|failure| {
                    let error = failure.error().to_string();
                    assert_eq!(failure.into_parts().0.values(), START);
                    error
                })
            });
            assert_eq!(made[0], made[1], "{optim:?}");
        }
    }
    let mut optim = optimizer(SgdOnlyConfig::new()).with_read_backs(ReadBacks::AtTheEnd);
    let failure = optim.step(0.1, Point::new(&START, 1), nowhere).unwrap_err();
    let at_weights = PassPoint::Weights;
    assert!(
        matches!(*failure.error(), StepError::NonFiniteLoss { point, .. } if point == at_weights),
        "{failure:?}"
    );
}

#[test]
fn a_loss_scale_that_is_too_large_backs_off() {
    for optim in every_optimizer() {
        let made = [ReadBacks::AtOnce, ReadBacks::AtTheEnd].map(|when| {
            let scale = LossScale::dynamic().with_start(1024.0).unwrap();
            let mut optim = optim.clone().with_loss_scale(scale).with_read_backs(when);
            let start = Point::with_dtype(&START, 1, DType::F32);
            let step = optim.step(0.1, start, |model: &Point| overflowing(loss(model)));
            let step = step.unwrap();
            (step.model.values(), step.report.loss_scale)
        });
        assert_eq!(made[0].1, made[1].1, "{optim:?}");
        assert_close(&made[1].0, &made[0].0, 1e-5);
    }
}

#[test]
fn a_percentile_is_read_besides() {
    let [_, reads] = same_steps(&optimizer(ZSharpConfig::new().with_percentile(0.5)), whole);
    assert_eq!(reads, [2; 7]);
}

/// Read-backs of a step of each method, as its config has it by default, without a search: at once, and at the end. The book's page
/// on devices has them from here.
const READ_BACKS: [(&str, u64, u64); 20] = [
    ("sgd", 1, 1),
    ("sam", 2, 1),
    ("asam", 3, 1),
    ("xsam", 3, 1),
    ("look-xsam", 2, 1),
    ("gsam", 4, 1),
    ("wsam", 2, 1),
    ("looksam", 3, 1),
    ("friendly-sam", 3, 1),
    ("msam", 5, 1),
    ("lookbehind-sam", 3, 1),
    ("stable-sam", 2, 1),
    ("usam", 2, 1),
    ("momentum-sam", 2, 1),
    ("zsharp", 4, 2),
    ("gam", 6, 1),
    ("functional-sam", 2, 1),
    ("sampa", 4, 1),
    ("esam", 3, 2),
    ("bsam", 3, 1),
];

/// A batch with a sample for each of these numbers.
struct Samples(Vec<f64>);

fn losses(model: &Point, samples: &Samples) -> Tensor<1> {
    let all = model.joined();
    let of = |number: &f64| (all.clone() * *number).sin().sum();
    Tensor::cat(samples.0.iter().map(of).collect(), 0)
}

fn chosen(samples: &Samples, numbers: &[usize]) -> Samples {
    Samples(numbers.iter().map(|&number| samples.0[number]).collect())
}

#[test]
fn a_step_of_each_method_reads_as_often_as_the_book_says() {
    let batch = [Samples(vec![0.3, 0.7, 1.1, 1.9])];
    let by_logits = |optim: &mut SharpnessAware, model: Point| {
        let logits = |model: &Point, _: &Samples| model.joined();
        let loss = |logits: Tensor<1>, _: &Samples| logits.square().square().sum();
        let step = optim.step_by_logits(0.02, model, &batch, logits, loss);
        step.map(|step| (step.model, step.report)).unwrap()
    };
    let by_samples = |optim: &mut SharpnessAware, model: Point| {
        let step = optim.step_by_samples(0.02, model, &batch, losses, chosen);
        step.map(|step| (step.model, step.report)).unwrap()
    };
    let specs = MethodSpec::NAMES
        .iter()
        .filter_map(|name| MethodSpec::named(name));
    let found = specs.map(|spec| {
        let (logits, samples) = (spec.needs_logits(), spec.needs_samples());
        let optim = SharpnessAware::new(momentum(), spec).unwrap();
        let [at_once, at_the_end] = match (logits, samples) {
            (true, _) => same_steps(&optim, by_logits),
            (_, true) => same_steps(&optim, by_samples),
            _ => same_steps(&optim, whole),
        };
        (optim.method(), at_once[2], at_the_end[2])
    });
    assert_eq!(found.collect::<Vec<_>>(), READ_BACKS);
}
