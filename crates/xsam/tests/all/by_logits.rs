//! Steps whose loss is told in two, and Functional SAM, which needs it.

use std::sync::Mutex;

use burn::tensor::Tensor;
use xsam::collective::ThreadRanks;
use xsam::method::MethodSpec;
use xsam::{
    AscentOver, FunctionalSamConfig, LossScale, SgdOnlyConfig, SharpnessAware, Step, StepError,
};

use crate::common::by_hand::{CURVATURE, ROUNDING, START, axpy, norm};
use crate::common::{
    Batch, Net, Point, assert_close, batch, bits, copy, device, every_optimizer, momentum, net,
    plain, recorded, resumed,
};

fn functional(config: FunctionalSamConfig) -> SharpnessAware {
    SharpnessAware::new(momentum(), config).unwrap()
}

/// A step of a net by its outputs and their squared error.
fn step(optim: &mut SharpnessAware, model: Net, parts: &[Batch]) -> Step<Net, Vec<()>> {
    let forward = |m: &Net, (x, _): &Batch| m.forward(x.clone());
    let loss = |outputs: Tensor<2>, (_, y): &Batch| (outputs - y.clone()).square().mean();
    optim
        .step_by_logits(0.1, model, parts, forward, loss)
        .unwrap()
}

fn trained(optim: &mut SharpnessAware, start: Net, parts: &[Batch], steps: usize) -> Net {
    (0..steps).fold(start, |model, _| step(optim, model, parts).model)
}

/// Two halves of a batch.
fn halves((x, y): &Batch) -> Vec<Batch> {
    let half = |i: usize| {
        let part = |t: &Tensor<2>| t.clone().narrow(0, 8 * i, 8);
        (part(x), part(y))
    };
    vec![half(0), half(1)]
}

/// `F(w) = w^2`, `L(F) = sum a F^2 / 2`, so that the derivative by `F` is `a F` and the Jacobian `2 w`.
fn on_squares(optim: &mut SharpnessAware, model: Point) -> Step<Point, Vec<()>> {
    let function = |m: &Point, (): &()| m.joined().square();
    let constant = model.constant(&CURVATURE);
    let loss = |f: Tensor<1>, (): &()| (f.square() * constant.clone() * 0.5).sum();
    optim
        .step_by_logits(0.1, model, &[()], function, loss)
        .unwrap()
}

#[test]
fn the_derivative_by_the_logits_stays_at_the_weights() {
    for k in [1, 2] {
        let config = FunctionalSamConfig::new().with_rho(0.3);
        let config = config.with_ascent_steps(k);
        let mut optim = SharpnessAware::new(plain(), config).unwrap();
        let made = on_squares(&mut optim, Point::new(&START, 2));

        let derivative =
            |w: &[f64]| -> Vec<f64> { w.iter().zip(CURVATURE).map(|(w, a)| a * w * w).collect() };
        let through = |w: &[f64], derivative: &[f64]| -> Vec<f64> {
            w.iter().zip(derivative).map(|(w, d)| 2.0 * w * d).collect()
        };
        let ascent = |at: Vec<f64>, _| {
            let gradient = through(&at, &derivative(&at));
            axpy(&at, 0.3 / k as f64 / norm(&gradient), &gradient)
        };
        let top = (0..k).fold(START.to_vec(), ascent);
        let gradient = through(&top, &derivative(&START));
        assert_close(
            &made.model.values(),
            &axpy(&START, -0.1, &gradient),
            ROUNDING,
        );
        // The loss is that of the ascent point all the same.
        let loss: f64 = top
            .iter()
            .zip(CURVATURE)
            .map(|(w, a)| 0.5 * a * w.powi(4))
            .sum();
        assert_close(&[made.report.ascent_loss.unwrap()], &[loss], ROUNDING);
        assert_eq!(made.report.passes.gradients, k + 1);
    }
}

#[test]
fn a_model_that_is_linear_has_the_gradient_of_the_base_optimizer() {
    let function = |m: &Point, (): &()| m.joined();
    let made = [
        FunctionalSamConfig::new().into(),
        SgdOnlyConfig::new().into(),
    ]
    .map(|method: MethodSpec| {
        let mut optim = SharpnessAware::new(plain(), method).unwrap();
        let model = Point::new(&START, 2);
        let constant = model.constant(&CURVATURE);
        let loss = |f: Tensor<1>, (): &()| (f.square() * constant.clone()).sum();
        let step = optim.step_by_logits(0.1, model, &[()], function, loss);
        step.unwrap().model.values()
    });
    let [functional, base] = &made;
    assert_close(functional, base, ROUNDING);
}

#[test]
fn other_methods_make_of_it_what_they_make_of_the_loss() {
    let (batch, start) = (batch(), net());
    let parts = halves(&batch);
    for optim in every_optimizer() {
        let mut whole = optim.clone();
        let mut model = copy(&start);
        for _ in 0..2 {
            let loss = |m: &Net, batch: &Batch| m.loss(batch);
            model = whole
                .step_accumulated(0.1, model, &parts, loss)
                .unwrap()
                .model;
        }
        let mut in_two = optim;
        let found = trained(&mut in_two, copy(&start), &parts, 2);
        assert_eq!(bits(&found), bits(&model), "{}", in_two.method());
    }
}

#[test]
fn rho_of_zero_is_the_base_optimizer_bit_for_bit() {
    let (parts, start) = ([batch()], net());
    let mut base = SharpnessAware::new(momentum(), SgdOnlyConfig::new()).unwrap();
    let mut none = functional(FunctionalSamConfig::new().with_rho(0.0));
    let expected = bits(&trained(&mut base, copy(&start), &parts, 3));
    assert_eq!(bits(&trained(&mut none, start, &parts, 3)), expected);
}

#[test]
fn a_loss_by_itself_is_refused_and_nothing_has_changed() {
    let (batch, start) = (batch(), net());
    let before = bits(&start);
    let mut optim = functional(FunctionalSamConfig::new());
    let failure = optim
        .step(0.1, start, |m: &Net| m.loss(&batch))
        .unwrap_err();
    assert!(matches!(failure.error(), StepError::NoLogits));
    assert!(failure.to_string().contains("step_by_logits"));
    assert_eq!(bits(&failure.into_parts().0), before);
    assert_eq!(optim.steps(), 0);
}

#[test]
fn a_loss_that_is_not_of_the_logits_is_refused() {
    let start = net();
    let (x, y) = batch();
    let constant = Tensor::<1>::ones([1], &device());
    let mut optim = functional(FunctionalSamConfig::new());
    let forward = |m: &Net, (x, _): &Batch| m.forward(x.clone());
    let loss = |_: Tensor<2>, _: &Batch| constant.clone();
    let made = optim.step_by_logits(0.1, start, &[(x, y)], forward, loss);
    assert!(matches!(
        made.unwrap_err().error(),
        StepError::LossNotTracked
    ));
}

#[test]
fn a_resumed_training_is_an_uninterrupted_one() {
    let (parts, start) = ([batch()], net());
    let config = FunctionalSamConfig::new().with_every(2);
    let mut optim = functional(config.clone());
    let half = trained(&mut optim, start, &parts, 3);
    let mut other = resumed(functional(config), &recorded(&optim));
    let on = trained(&mut optim, copy(&half), &parts, 3);
    assert_eq!(bits(&trained(&mut other, half, &parts, 3)), bits(&on));
}

#[test]
fn ranks_are_one_process() {
    let (parts, start) = (Mutex::new(halves(&batch())), Mutex::new(net()));
    let method = FunctionalSamConfig::new;
    let own = || copy(&*start.lock().unwrap());
    let found = ThreadRanks::run(2, |ranks| {
        let part = parts.lock().unwrap()[ranks.rank()].clone();
        let optim = functional(method());
        let mut optim = optim.with_collective(ranks, AscentOver::All).unwrap();
        weights(&trained(&mut optim, own(), &[part], 2))
    });
    assert_eq!(found[0], found[1]);
    let parts = parts.lock().unwrap();
    let expected = trained(&mut functional(method()), own(), &parts, 2);
    assert_close(&found[0], &weights(&expected), 1e-6);
}

#[test]
fn a_loss_scale_does_not_show() {
    let (parts, start) = ([batch()], net());
    let mut optim = functional(FunctionalSamConfig::new());
    let expected = weights(&trained(&mut optim, copy(&start), &parts, 2));
    let optim = functional(FunctionalSamConfig::new());
    let mut scaled = optim.with_loss_scale(LossScale::fixed(1024.0).unwrap());
    let found = weights(&trained(&mut scaled, start, &parts, 2));
    assert_close(&found, &expected, 1e-6);
}

fn weights(model: &Net) -> Vec<f64> {
    let layers = [bits(&model.first), bits(&model.last)].concat().concat();
    layers.into_iter().map(f64::from_bits).collect()
}
