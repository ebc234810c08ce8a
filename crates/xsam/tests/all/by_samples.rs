//! Steps whose loss is told by samples, and ESAM, which needs it.

use std::cell::RefCell;
use std::sync::Mutex;

use burn::tensor::{Int, Tensor};
use xsam::collective::ThreadRanks;
use xsam::method::MethodSpec;
use xsam::{
    AscentOver, EsamConfig, LossScale, SamConfig, SgdOnlyConfig, SharpnessAware, Step, StepError,
};

use crate::common::by_hand::{ROUNDING, START, axpy, mean, norm};
use crate::common::{
    Batch, Net, Point, assert_close, batch, bits, copy, every_optimizer, momentum, net, plain,
    recorded, resumed,
};

fn esam(config: EsamConfig) -> SharpnessAware {
    let optim = SharpnessAware::new(momentum(), config).unwrap();
    optim.with_replay_dropout(3)
}

/// The squared errors of the samples of a batch.
fn losses(net: &Net, (x, y): &Batch) -> Tensor<1> {
    let errors = (net.forward(x.clone()) - y.clone()).square();
    errors.mean_dim(1).squeeze_dim(1)
}

fn chosen((x, y): &Batch, numbers: &[usize]) -> Batch {
    let numbers: Vec<i64> = numbers.iter().map(|&number| number as i64).collect();
    let numbers = Tensor::<1, Int>::from_ints(numbers.as_slice(), &x.device());
    (
        x.clone().select(0, numbers.clone()),
        y.clone().select(0, numbers),
    )
}

fn step(optim: &mut SharpnessAware, model: Net, parts: &[Batch]) -> Step<Net, Vec<()>> {
    optim
        .step_by_samples(0.1, model, parts, losses, chosen)
        .unwrap()
}

fn trained(optim: &mut SharpnessAware, start: Net, parts: &[Batch], steps: usize) -> Net {
    (0..steps).fold(start, |model, _| step(optim, model, parts).model)
}

/// Two halves of a batch.
fn halves(batch: &Batch) -> Vec<Batch> {
    let half = |i: usize| chosen(batch, &Vec::from_iter(8 * i..8 * i + 8));
    vec![half(0), half(1)]
}

fn weights(model: &Net) -> Vec<f64> {
    let layers = [bits(&model.first), bits(&model.last)].concat().concat();
    layers.into_iter().map(f64::from_bits).collect()
}

/// Whether each of the two parameters of a point is moved, in so many steps; both are moved by what they should be.
fn moved(beta: f64, steps: usize, seed: u64) -> Vec<[bool; 2]> {
    let config = EsamConfig::new().with_beta(beta).with_rho(0.3);
    let optim = SharpnessAware::new(plain(), config.with_gamma(1.0)).unwrap();
    let mut optim = optim.with_replay_dropout(seed);
    let gradient = [3.0, -1.0, 2.0, 0.5];
    let step = |_| {
        let at = RefCell::new(Vec::new());
        let loss = |m: &Point| {
            at.borrow_mut().push(m.values());
            m.linear(&gradient)
        };
        let made = optim.step(0.1, Point::new(&START, 2), loss).unwrap();
        let at = at.into_inner();
        assert_eq!(made.report.passes.gradients, at.len());
        let top = at.last().unwrap();
        [0..2, 2..4].map(|parameter| {
            let is_moved = top[parameter.start] != START[parameter.start];
            for i in parameter {
                let length = if is_moved { 0.3 / beta } else { 0.0 };
                let expected = START[i] + length * gradient[i] / norm(&gradient);
                assert!((top[i] - expected).abs() < 1e-12, "{top:?}");
            }
            is_moved
        })
    };
    (0..steps).map(step).collect()
}

#[test]
fn esam_descends_by_the_samples_that_have_risen_most() {
    // Of each sample a quadratic of its own.
    let samples = [
        [1.0, 4.0, 0.5, 9.0],
        [3.0, 0.1, 2.0, 0.2],
        [0.2, 6.0, 0.1, 1.0],
        [2.0, 2.0, 2.0, 2.0],
        [0.5, 0.5, 5.0, 0.0],
    ];
    let loss =
        |w: &[f64], a: &[f64]| -> f64 { w.iter().zip(a).map(|(w, a)| 0.5 * a * w * w).sum() };
    let gradient = |w: &[f64], of: &[usize]| {
        let each = |i: &usize| w.iter().zip(samples[*i]).map(|(w, a)| a * w).collect();
        mean(&of.iter().map(each).collect::<Vec<Vec<f64>>>())
    };
    let all = [0, 1, 2, 3, 4];
    for (gamma, count) in [(0.2, 1), (0.5, 3), (0.6, 3), (0.9, 5)] {
        let config = EsamConfig::new().with_rho(0.3).with_beta(1.0);
        let mut optim = SharpnessAware::new(plain(), config.with_gamma(gamma)).unwrap();
        let mut point = Point::new(&START, 2);
        for _ in 0..3 {
            let losses = |m: &Point, numbers: &Vec<usize>| {
                let of = |i: &usize| m.quadratic(&samples[*i]);
                Tensor::cat(numbers.iter().map(of).collect(), 0)
            };
            let chosen = |numbers: &Vec<usize>, some: &[usize]| -> Vec<usize> {
                some.iter().map(|i| numbers[*i]).collect()
            };
            let made = optim.step_by_samples(0.1, point, &[all.to_vec()], losses, chosen);
            point = made.unwrap().model;
        }
        let expected = (0..3).fold(START.to_vec(), |w, _| {
            let first = gradient(&w, &all);
            let top = axpy(&w, 0.3 / norm(&first), &first);
            let mut order = all.to_vec();
            let rise = |i: &usize| loss(&top, &samples[*i]) - loss(&w, &samples[*i]);
            order.sort_by(|a, b| rise(b).total_cmp(&rise(a)));
            axpy(&w, -0.1, &gradient(&top, &order[..count]))
        });
        assert_close(&point.values(), &expected, ROUNDING);
    }
}

#[test]
fn a_parameter_is_moved_as_a_whole_and_as_often_as_beta_says() {
    let steps = 400;
    for beta in [0.3, 0.6, 1.0] {
        let found = moved(beta, steps, 5);
        let both = found.iter().filter(|moved| **moved == [true, true]).count() as f64;
        for i in 0..2 {
            let share = found.iter().filter(|moved| moved[i]).count() as f64 / steps as f64;
            assert!((share - beta).abs() < 0.08, "{share} of {beta}");
        }
        // They are chosen apart.
        assert!((both / steps as f64 - beta * beta).abs() < 0.08);
    }
    assert_eq!(moved(0.6, 50, 5), moved(0.6, 50, 5));
    assert_ne!(moved(0.6, 50, 5), moved(0.6, 50, 6));
}

#[test]
fn without_a_parameter_that_is_moved_the_step_is_the_base_optimizers() {
    let (parts, start) = ([batch()], net());
    let mut none = esam(EsamConfig::new().with_beta(1e-12));
    let mut base = SharpnessAware::new(momentum(), SgdOnlyConfig::new()).unwrap();
    let expected = bits(&trained(&mut base, copy(&start), &parts, 3));
    assert_eq!(bits(&trained(&mut none, copy(&start), &parts, 3)), expected);
    let report = step(&mut none, start, &parts).report;
    let passes = report.passes;
    assert_eq!((passes.gradients, passes.losses), (1, 0));
    assert_eq!((report.ascent_loss, report.rho), (None, 0.0));
}

#[test]
fn all_weights_and_samples_are_sam() {
    let (parts, start) = (halves(&batch()), net());
    let config = EsamConfig::new().with_beta(1.0);
    let mut sam = SharpnessAware::new(momentum(), SamConfig::new()).unwrap();
    let expected = trained(&mut sam, copy(&start), &parts, 3);
    let mut all = esam(config.clone().with_gamma(1.0));
    assert!(!all.needs_samples());
    let found = trained(&mut all, copy(&start), &parts, 3);
    assert_eq!(bits(&found), bits(&expected));
    // So is a share that comes to all samples, by a pass more.
    let mut all = esam(config.with_gamma(0.99));
    let found = trained(&mut all, start, &parts, 3);
    assert_close(&weights(&found), &weights(&expected), 1e-6);
}

#[test]
fn passes_are_counted_by_samples() {
    let (parts, start) = (halves(&batch()), net());
    let config = EsamConfig::new().with_beta(1.0).with_gamma(0.25);
    let mut optim = esam(config.clone());
    let seen = RefCell::new(Vec::new());
    let found = optim.step_by_samples(
        0.1,
        start,
        &parts,
        |net: &Net, batch: &Batch| {
            seen.borrow_mut().push(batch.0.dims()[0]);
            losses(net, batch)
        },
        chosen,
    );
    assert_eq!(seen.into_inner(), [8, 8, 8, 8, 2, 2]);
    let report = found.unwrap().report;
    let passes = report.passes;
    assert_eq!((passes.gradients, passes.losses), (2, 1));
    assert_eq!(passes.gradient_passes(), 1.25);
    let work = MethodSpec::from(config).work(1, 4);
    assert_eq!((work.gradient_passes(), work.search_passes()), (5, 4));
}

#[test]
fn other_methods_make_of_it_what_they_make_of_the_mean() {
    let (batch, start) = (batch(), net());
    let parts = halves(&batch);
    for optim in every_optimizer() {
        let optim = optim.with_replay_dropout(3);
        let mut whole = optim.clone();
        let mut model = copy(&start);
        for _ in 0..2 {
            let loss = |net: &Net, batch: &Batch| losses(net, batch).mean();
            let made = whole.step_accumulated(0.1, model, &parts, loss);
            model = made.unwrap().model;
        }
        let mut by_samples = optim;
        let found = trained(&mut by_samples, copy(&start), &parts, 2);
        assert_eq!(bits(&found), bits(&model), "{}", by_samples.method());
    }
}

#[test]
fn rho_of_zero_is_the_base_optimizer_bit_for_bit() {
    let (parts, start) = ([batch()], net());
    let mut base = SharpnessAware::new(momentum(), SgdOnlyConfig::new()).unwrap();
    let mut none = esam(EsamConfig::new().with_rho(0.0));
    let expected = bits(&trained(&mut base, copy(&start), &parts, 3));
    assert_eq!(bits(&trained(&mut none, start, &parts, 3)), expected);
}

#[test]
fn a_mean_loss_is_refused_and_nothing_has_changed() {
    let (batch, start) = (batch(), net());
    let before = bits(&start);
    let mut optim = esam(EsamConfig::new().with_beta(1.0));
    let failure = optim
        .step(0.1, start, |m: &Net| m.loss(&batch))
        .unwrap_err();
    assert!(matches!(failure.error(), StepError::NoSamples));
    assert!(failure.to_string().contains("step_by_samples"));
    let start = failure.into_parts().0;
    assert_eq!(bits(&start), before);
    assert_eq!(optim.steps(), 0);

    let parts = halves(&batch);
    let loss = |m: &Net, batch: &Batch| m.loss(batch);
    let failure = optim.step_m_sharpness(0.1, start, &parts, loss);
    assert!(matches!(failure.unwrap_err().error(), StepError::NoSamples));
}

#[test]
fn losses_that_cannot_be_of_the_samples_are_refused() {
    let (parts, start) = ([batch()], net());
    let mut optim = esam(EsamConfig::new().with_beta(1.0));
    let none = |_: &Net, (x, _): &Batch| Tensor::<1>::empty([0], &x.device());
    let failure = optim.step_by_samples(0.1, copy(&start), &parts, none, chosen);
    assert!(matches!(failure.unwrap_err().error(), StepError::NoSample));

    let passes = RefCell::new(0);
    let fewer = |net: &Net, batch: &Batch| {
        *passes.borrow_mut() += 1;
        losses(net, batch).narrow(0, 0, 16 / *passes.borrow())
    };
    let failure = optim.step_by_samples(0.1, start, &parts, fewer, chosen);
    assert_eq!(
        *failure.unwrap_err().error(),
        StepError::OtherSamples {
            expected: 16,
            found: 8
        }
    );
    assert_eq!(optim.steps(), 0);
}

#[test]
fn a_loss_that_is_not_finite_is_an_error() {
    let (parts, start) = ([batch()], net());
    let mut optim = esam(EsamConfig::new().with_beta(1.0));
    let passes = RefCell::new(0);
    let bad = |net: &Net, batch: &Batch| {
        *passes.borrow_mut() += 1;
        let factor = if *passes.borrow() == 2 { f64::NAN } else { 1.0 };
        losses(net, batch) * factor
    };
    let failure = optim.step_by_samples(0.1, start, &parts, bad, chosen);
    assert!(matches!(
        failure.unwrap_err().error(),
        StepError::NonFiniteLoss { .. }
    ));
}

#[test]
fn a_resumed_training_is_an_uninterrupted_one() {
    let (parts, start) = (halves(&batch()), net());
    for config in [EsamConfig::new(), EsamConfig::new().with_every(2)] {
        // The number that is drawn in place of a seed is in the record.
        let new = || SharpnessAware::new(momentum(), config.clone()).unwrap();
        let mut optim = new();
        let half = trained(&mut optim, copy(&start), &parts, 3);
        let mut other = resumed(new(), &recorded(&optim));
        let on = trained(&mut optim, copy(&half), &parts, 6);
        assert_eq!(bits(&trained(&mut other, half, &parts, 6)), bits(&on));
    }
}

#[test]
fn ranks_are_one_process_each_with_samples_of_its_own() {
    let (parts, start) = (Mutex::new(halves(&batch())), Mutex::new(net()));
    let method = EsamConfig::new;
    let own = || copy(&*start.lock().unwrap());
    let found = ThreadRanks::run(2, |ranks| {
        let part = parts.lock().unwrap()[ranks.rank()].clone();
        let optim = esam(method());
        let mut optim = optim.with_collective(ranks, AscentOver::All).unwrap();
        weights(&trained(&mut optim, own(), &[part], 5))
    });
    assert_eq!(found[0], found[1]);
    let parts = parts.lock().unwrap();
    let expected = trained(&mut esam(method()), own(), &parts, 5);
    assert_close(&found[0], &weights(&expected), 1e-5);
}

#[test]
fn a_loss_scale_does_not_show() {
    let (parts, start) = ([batch()], net());
    let mut optim = esam(EsamConfig::new());
    let expected = weights(&trained(&mut optim, copy(&start), &parts, 2));
    let optim = esam(EsamConfig::new());
    let mut scaled = optim.with_loss_scale(LossScale::fixed(1024.0).unwrap());
    let found = weights(&trained(&mut scaled, start, &parts, 2));
    assert_close(&found, &expected, 1e-6);
}
