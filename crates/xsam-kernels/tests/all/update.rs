//! Steps of SGD and Adam against their definition in double precision, and against Burn's own.

use crate::common::{
    assert_close, numbers, place, random, read, same_bits_on_threads, tensor, viewed,
};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{self, Optimizer};
use burn::tensor::{DType, Device, Tensor};
use proptest::prelude::*;
use xsam_kernels::{AdamStep, SgdStep, adam_update, sgd_update};

const TOLERANCE: f64 = 2e-6;
const STEPS: usize = 4;

/// Weights, or the gradient of a step.
fn input(shape: [usize; 2], seed: u64, view: bool, dtype: DType) -> Tensor<2> {
    viewed(numbers(shape, seed, (&Device::flex(), dtype)), view)
}

fn shapes() -> impl Strategy<Value = [usize; 2]> {
    prop_oneof![
        (0usize..5, 0usize..70).prop_map(|(a, b)| [a, b]),
        (1usize..9, 1usize..20_000).prop_map(|(a, b)| [a, b]),
    ]
}

fn gradient_seed(seed: u64, step: usize) -> u64 {
    seed.wrapping_add(1 + step as u64)
}

fn sgd(shape: [usize; 2], seed: u64, view: bool, step: &SgdStep, dtype: DType) -> Vec<f64> {
    let (mut weight, mut velocity) = (input(shape, seed, view, dtype), None);
    for i in 0..STEPS {
        let gradient = input(shape, gradient_seed(seed, i), view, dtype);
        (weight, velocity) = sgd_update(weight, gradient, velocity, step);
        assert_eq!(velocity.is_some(), step.momentum > 0.0);
    }
    read(weight)
}

fn adam(shape: [usize; 2], seed: u64, view: bool, step: &AdamStep, dtype: DType) -> Vec<f64> {
    let (mut weight, mut moments) = (input(shape, seed, view, dtype), None);
    for i in 0..STEPS {
        let gradient = input(shape, gradient_seed(seed, i), view, dtype);
        let step = AdamStep {
            time: i + 1,
            ..*step
        };
        let (new, both) = adam_update(weight, gradient, moments, &step);
        (weight, moments) = (new, Some(both));
    }
    read(weight)
}

/// The weights after the steps of one of Burn's optimizers, in double precision.
fn burns(shape: [usize; 2], seed: u64, lr: f64, optimizer: impl Optimizer) -> Vec<f64> {
    let (mut weight, mut state) = (input(shape, seed, false, DType::F64), None);
    for i in 0..STEPS {
        let gradient = input(shape, gradient_seed(seed, i), false, DType::F64);
        (weight, state) = optimizer.step(lr, weight, gradient, state);
    }
    read(weight)
}

const SGD: SgdStep = SgdStep {
    learning_rate: 0.1,
    momentum: 0.9,
    weight_decay: 0.01,
    nesterov: false,
};

const ADAM: AdamStep = AdamStep {
    learning_rate: 0.02,
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.1,
    decoupled: false,
    time: 0,
};

proptest! {
    #![proptest_config(crate::common::cases(100))]

    #[test]
    fn sgd_in_single_precision(
        shape in shapes(),
        seed: u64,
        view: bool,
        nesterov: bool,
        momentum in prop_oneof![Just(0.0), Just(0.9)],
        weight_decay in prop_oneof![Just(0.0), Just(0.01)],
    ) {
        let step = SgdStep { learning_rate: 0.1, momentum, weight_decay, nesterov };
        let exact = sgd(shape, seed, view, &step, DType::F64);
        assert_close("w", &sgd(shape, seed, view, &step, DType::F32), &exact, TOLERANCE, 1.0);
    }

    #[test]
    fn adam_in_single_precision(shape in shapes(), seed: u64, view: bool, decoupled: bool) {
        // The change goes by the gradient's sign where the gradient is far above epsilon. Weight decay and
        // gradient may cancel to a rounding, whose sign means nothing; this epsilon is above them.
        let step = AdamStep { decoupled, epsilon: 1e-3, ..ADAM };
        let exact = adam(shape, seed, view, &step, DType::F64);
        assert_close("w", &adam(shape, seed, view, &step, DType::F32), &exact, 2e-5, 1.0);
    }
}

#[test]
fn sgd_is_what_its_documentation_says() {
    let shape = [3, 37];
    for nesterov in [false, true] {
        let step = SgdStep { nesterov, ..SGD };
        let mut weight = read(input(shape, 1, false, DType::F64));
        let mut velocity = vec![0.0; weight.len()];
        for i in 0..STEPS {
            let gradient = read(input(shape, gradient_seed(1, i), false, DType::F64));
            for ((w, v), g) in weight.iter_mut().zip(&mut velocity).zip(gradient) {
                let g = g + 0.01 * *w;
                *v = 0.9 * *v + g;
                *w -= 0.1 * if nesterov { g + 0.9 * *v } else { *v };
            }
        }
        for (dtype, tolerance) in [(DType::F64, 1e-14), (DType::F32, TOLERANCE)] {
            let found = sgd(shape, 1, false, &step, dtype);
            assert_close("w", &found, &weight, tolerance, 1.0);
        }
    }
}

#[test]
fn adam_is_what_its_documentation_says() {
    let shape = [3, 37];
    for decoupled in [false, true] {
        let mut weight = read(input(shape, 2, false, DType::F64));
        let mut moments = vec![[0.0_f64; 2]; weight.len()];
        for i in 0..STEPS {
            let gradient = read(input(shape, gradient_seed(2, i), false, DType::F64));
            let time = i as i32 + 1;
            for ((w, [m, v]), g) in weight.iter_mut().zip(&mut moments).zip(gradient) {
                let g = if decoupled { g } else { g + 0.1 * *w };
                *m = 0.9 * *m + 0.1 * g;
                *v = 0.999 * *v + 0.001 * g * g;
                if decoupled {
                    *w *= 1.0 - 0.02 * 0.1;
                }
                let root = (*v / (1.0 - 0.999_f64.powi(time))).sqrt() + 1e-8;
                *w -= 0.02 * *m / (1.0 - 0.9_f64.powi(time)) / root;
            }
        }
        let step = AdamStep { decoupled, ..ADAM };
        for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 1e-5)] {
            let found = adam(shape, 2, false, &step, dtype);
            assert_close("w", &found, &weight, tolerance, 1.0);
        }
    }
}

#[test]
fn burns_optimizers_agree() {
    let shape = [5, 41];
    for nesterov in [false, true] {
        let step = SgdStep { nesterov, ..SGD };
        let momentum = MomentumConfig {
            momentum: 0.9,
            dampening: 0.0,
            nesterov,
        };
        let theirs = optim::SgdConfig::new()
            .with_momentum(Some(momentum))
            .with_weight_decay(Some(WeightDecayConfig::new(0.01)))
            .build();
        let theirs = burns(shape, 3, 0.1, theirs);
        let own = sgd(shape, 3, false, &step, DType::F32);
        assert_close("sgd", &own, &theirs, TOLERANCE, 1.0);
    }
    // Burn keeps the betas, and one minus them, in single precision.
    let tolerance = 1e-4;
    let theirs = optim::AdamConfig::new()
        .with_epsilon(1e-8)
        .with_weight_decay(Some(WeightDecayConfig::new(0.1)))
        .build();
    let theirs = burns(shape, 4, 0.02, theirs);
    let own = adam(shape, 4, false, &ADAM, DType::F32);
    assert_close("adam", &own, &theirs, tolerance, 1.0);
    let theirs = optim::AdamWConfig::new()
        .with_epsilon(1e-8)
        .with_weight_decay(0.1)
        .build();
    let theirs = burns(shape, 4, 0.02, theirs);
    let step = AdamStep {
        decoupled: true,
        ..ADAM
    };
    let own = adam(shape, 4, false, &step, DType::F32);
    assert_close("adamw", &own, &theirs, tolerance, 1.0);
}

/// Of the weights and both moments.
fn places(weight: &Tensor<2>, [first, second]: &[Tensor<2>; 2]) -> [*const u8; 3] {
    [place(weight), place(first), place(second)]
}

#[test]
fn shared_tensors_are_left_alone_and_others_reused() {
    let shape = [2, 70_000];
    let weight = || input(shape, 5, false, DType::F32);
    let gradient = || input(shape, 6, false, DType::F32);
    let adam = AdamStep { time: 1, ..ADAM };

    let (own, velocity) = (weight(), weight());
    let before = [place(&own), place(&velocity)];
    let (own, velocity) = sgd_update(own, gradient(), Some(velocity), &SGD);
    assert_eq!([place(&own), place(&velocity.unwrap())], before);

    let (kept, velocity) = (weight(), weight());
    let (new, _) = sgd_update(kept.clone(), gradient(), Some(velocity.clone()), &SGD);
    assert_eq!(read(new), read(own), "shared or not, the same comes out");
    assert_eq!(read(kept), read(weight()));
    assert_eq!(read(velocity), read(weight()));

    let moments = [weight().abs(), weight().abs()];
    let own = weight();
    let before = places(&own, &moments);
    let (own, moments) = adam_update(own, gradient(), Some(moments), &adam);
    assert_eq!(places(&own, &moments), before);
}

#[test]
fn what_is_not_a_number_stays_none() {
    let shape = [1, 70_001];
    for at in [0, 70_000] {
        let mut values = random(shape[1], 7);
        values[at] = f64::NAN;
        let gradient = || tensor(&values, shape, (&Device::flex(), DType::F32));
        let weight = || input(shape, 8, false, DType::F32);
        let sgd = SgdStep {
            weight_decay: 0.0,
            ..SGD
        };
        let plain = SgdStep {
            momentum: 0.0,
            ..sgd
        };
        let adam = AdamStep { time: 1, ..ADAM };
        for new in [
            sgd_update(weight(), gradient(), None, &sgd).0,
            sgd_update(weight(), gradient(), None, &plain).0,
            adam_update(weight(), gradient(), None, &adam).0,
        ] {
            let new = read(new);
            assert!(new[at].is_nan() && new.iter().filter(|x| x.is_nan()).count() == 1);
        }
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let step = SgdStep {
        nesterov: true,
        ..SGD
    };
    same_bits_on_threads(|| {
        let shape = [3, 100_003];
        let adam = adam(shape, 9, false, &ADAM, DType::F32);
        (sgd(shape, 9, false, &step, DType::F32), adam)
    });
}
