//! bSAM: its noise, and its iterates by hand.

use std::cell::RefCell;
use std::sync::Mutex;

use xsam::collective::ThreadRanks;
use xsam::{AscentOver, BsamConfig, SharpnessAware, StepError};

use crate::common::by_hand::{CURVATURE, ROUNDING, START, axpy};
use crate::common::{
    Batch, Net, Point, assert_close, batch, bits, calm, copy, net, plain, recorded, resumed,
    trained,
};

const LR: f64 = 0.1;

fn bsam(config: BsamConfig) -> SharpnessAware {
    let optim = SharpnessAware::new(plain(), config).unwrap();
    optim.with_replay_dropout(3)
}

fn gradient(curvature: &[f64], w: &[f64]) -> Vec<f64> {
    w.iter().zip(curvature).map(|(w, a)| a * w).collect()
}

/// Momentum and scale of every weight.
struct ByHand {
    config: BsamConfig,
    m: Vec<f64>,
    s: Vec<f64>,
}

impl ByHand {
    fn new(config: BsamConfig, weights: usize) -> Self {
        Self {
            config,
            m: vec![0.0; weights],
            s: vec![config.initial; weights],
        }
    }

    /// A step without noise on the mean of quadratics, each of which is a part.
    fn step(&mut self, w: &[f64], parts: &[[f64; 4]]) -> Vec<f64> {
        let (config, share) = (self.config, 1.0 / parts.len() as f64);
        let (mut there, mut curvature) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        for part in parts {
            let g = gradient(part, w);
            let e: Vec<f64> = g.iter().zip(&self.s).map(|(g, s)| g / s).collect();
            let at = axpy(w, config.rho, &e);
            there = axpy(&there, share, &gradient(part, &at));
            let h: Vec<f64> = g
                .iter()
                .zip(&self.s)
                .map(|(g, s)| s.sqrt() * g.abs())
                .collect();
            curvature = axpy(&curvature, share, &h);
        }
        for i in 0..w.len() {
            let decayed = there[i] + config.delta * w[i];
            self.m[i] = config.beta1 * self.m[i] + (1.0 - config.beta1) * decayed;
            let h = curvature[i] + config.delta + config.damping;
            self.s[i] = config.beta2 * self.s[i] + (1.0 - config.beta2) * h;
        }
        let step = |i: usize| w[i] - LR * self.m[i] / self.s[i];
        (0..w.len()).map(step).collect()
    }
}

fn config() -> BsamConfig {
    calm()
        .with_rho(0.05)
        .with_delta(0.02)
        .with_damping(0.3)
        .with_initial(0.7)
        .with_beta1(0.8)
        .with_beta2(0.9)
}

#[test]
fn it_divides_a_momentum_by_a_scale_of_every_weight() {
    let mut optim = bsam(config());
    let mut hand = ByHand::new(config(), 4);
    let (mut point, mut expected) = (Point::new(&START, 2), START.to_vec());
    for _ in 0..4 {
        let made = optim.step(LR, point, |m: &Point| m.quadratic(&CURVATURE));
        let made = made.unwrap();
        assert_eq!(made.report.passes.gradients, 2);
        assert_eq!(made.report.rho, 0.05);
        point = made.model;
        expected = hand.step(&expected, &[CURVATURE]);
        assert_close(&point.values(), &expected, ROUNDING);
    }
}

#[test]
fn with_m_sharpness_momentum_and_scale_take_in_means() {
    let parts = [CURVATURE, [2.0, 0.1, 3.0, 1.0], [0.0, 1.0, 1.0, 5.0]];
    let mut optim = bsam(config());
    let mut hand = ByHand::new(config(), 4);
    let (mut point, mut expected) = (Point::new(&START, 2), START.to_vec());
    for _ in 0..3 {
        let loss = |m: &Point, curvature: &[f64; 4]| m.quadratic(curvature);
        let made = optim.step_m_sharpness(LR, point, &parts, loss).unwrap();
        assert_eq!(made.report.passes.gradients, 2);
        point = made.model;
        expected = hand.step(&expected, &parts);
        assert_close(&point.values(), &expected, ROUNDING);
    }
}

/// Where the passes of so many steps were made, off the weights that the step began with.
fn offsets(optim: &mut SharpnessAware, steps: usize, weights: usize) -> Vec<Vec<Vec<f64>>> {
    let mut point = Point::new(&vec![1.0; weights], weights / 3);
    let step = |_| {
        let at = RefCell::new(Vec::new());
        let start = point.values();
        let made = optim.step(1e-9, point.clone(), |m: &Point| {
            at.borrow_mut().push(axpy(&m.values(), -1.0, &start));
            m.joined().sum()
        });
        point = made.unwrap().model;
        at.into_inner()
    };
    (0..steps).map(step).collect()
}

#[test]
fn the_noise_has_the_variance_of_the_scale_and_is_another_one_in_every_step() {
    let config = BsamConfig::new()
        .with_samples(400.0)
        .with_initial(4.0)
        .with_rho(0.01);
    let weights = 3000;
    let found = offsets(&mut bsam(config), 2, weights);
    for passes in &found {
        let noise = &passes[0];
        let moment = |power| noise.iter().map(|x| f64::powi(*x, power)).sum::<f64>();
        let (mean, variance) = (moment(1) / 3000.0, moment(2) / 3000.0);
        assert!(mean.abs() < 3e-3, "{mean}");
        // 1 / (400 4).
        assert!((variance * 1600.0 - 1.0).abs() < 0.1, "{variance}");
        // The second pass is at rho g / s from the weights themselves.
        assert!(passes[1].iter().all(|x| (x - 0.01 / 4.0).abs() < 1e-4));
    }
    assert_ne!(found[0][0], found[1][0]);
    assert_eq!(offsets(&mut bsam(config), 2, weights), found);
    let mut other = bsam(config).with_replay_dropout(4);
    assert_ne!(offsets(&mut other, 1, weights)[0], found[0]);
}

#[test]
fn a_resumed_training_is_an_uninterrupted_one() {
    let (batch, start) = (batch(), net());
    // The number that is drawn in place of a seed is in the record.
    let new = || SharpnessAware::new(plain(), BsamConfig::new().with_samples(100.0)).unwrap();
    let mut optim = new();
    let half = trained(&mut optim, start, &batch, 3);
    let mut other = resumed(new(), &recorded(&optim));
    let on = trained(&mut optim, copy(&half), &batch, 3);
    assert_eq!(bits(&trained(&mut other, half, &batch, 3)), bits(&on));
}

#[test]
fn ranks_have_the_same_noise() {
    let (batch, start) = (Mutex::new(batch()), Mutex::new(net()));
    let method = || bsam(BsamConfig::new().with_samples(100.0));
    let own = || copy(&*start.lock().unwrap());
    let half = |batch: &Batch, i: usize| -> Batch {
        let part = |t: &burn::tensor::Tensor<2>| t.clone().narrow(0, 8 * i, 8);
        (part(&batch.0), part(&batch.1))
    };
    let weights = |model: &Net| -> Vec<f64> {
        let layers = [bits(&model.first), bits(&model.last)].concat().concat();
        layers.into_iter().map(f64::from_bits).collect()
    };
    let found = ThreadRanks::run(2, |ranks| {
        let part = half(&batch.lock().unwrap(), ranks.rank());
        let optim = method().with_collective(ranks, AscentOver::All);
        weights(&trained(&mut optim.unwrap(), own(), &part, 4))
    });
    assert_eq!(found[0], found[1]);
    let parts = [0, 1].map(|i| half(&batch.lock().unwrap(), i));
    let mut optim = method();
    let together = (0..4).fold(own(), |model, _| {
        let loss = |m: &Net, part: &Batch| m.loss(part);
        optim
            .step_accumulated(0.1, model, &parts, loss)
            .unwrap()
            .model
    });
    assert_close(&found[0], &weights(&together), 1e-5);
    let alone = ThreadRanks::run(2, |ranks| {
        method().with_collective(ranks, AscentOver::Rank).is_err()
    });
    assert_eq!(alone, [true, true]);
}

#[test]
fn a_parameter_without_a_gradient_keeps_what_it_has() {
    let both = |m: &Point| m.quadratic(&CURVATURE);
    let first = |m: &Point| m.first.val().square().sum();
    let config = config().with_delta(0.0);
    let mut optim = bsam(config);
    let point = optim.step(LR, Point::new(&START, 2), both).unwrap().model;
    let before = point.values();
    let point = optim.step(LR, point, first).unwrap().model;
    assert_eq!(point.values()[2..], before[2..]);
    let between = point.values();
    let found = optim.step(LR, point, both).unwrap().model;
    // As if the step between had not been, for the second parameter.
    let mut hand = ByHand::new(config, 4);
    hand.step(&START, &[CURVATURE]);
    let expected = hand.step(&between, &[CURVATURE]);
    assert_close(&found.values()[2..], &expected[2..], ROUNDING);
}

#[test]
fn a_scale_that_comes_to_nothing_is_an_error() {
    let config = calm().with_damping(0.0).with_initial(1e-300);
    let failure = bsam(config).step(LR, Point::new(&START, 2), |m: &Point| {
        m.quadratic(&CURVATURE)
    });
    assert!(matches!(
        failure.unwrap_err().error(),
        StepError::NonFiniteGradient { .. } | StepError::NonFiniteLoss { .. }
    ));
}
