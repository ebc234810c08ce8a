//! The arithmetic of a step at the size of ResNet-18, beside the same composed of Burn's operations.
//!
//! In turn, round by round, so that a machine whose speed drifts treats both alike: the medians
//! and their ratio.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamWConfig, Optimizer, SgdConfig};
use burn::tensor::{Device, Distribution, Tensor};
use mimalloc::MiMalloc;
use xsam_kernels::{AdamStep, SgdStep, adam_update, combine, dot, sgd_update, squared_chords};

/// The program's allocator. The system's returns large buffers at once, and the pages of the next one
/// cost several times what is done with them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SIZE: usize = 11_000_000;
const ROUNDS: usize = 15;

fn vector() -> Tensor<1> {
    Tensor::random([SIZE], Distribution::Default, &Device::flex())
}

const SGD: SgdStep = SgdStep {
    learning_rate: 1e-3,
    momentum: 0.9,
    weight_decay: 1e-3,
    nesterov: false,
};

const ADAMW: AdamStep = AdamStep {
    learning_rate: 1e-3,
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    weight_decay: 1e-3,
    decoupled: true,
    time: 10,
};

type Job = Box<dyn FnMut()>;

/// A name, the kernel and its composition.
type Case = (&'static str, fn() -> Job, fn() -> Job);

fn norm() -> Job {
    let x = vector();
    Box::new(move || drop(black_box(dot(x.clone(), x.clone()))))
}

fn composed_norm() -> Job {
    let x = vector();
    Box::new(move || drop(black_box(x.clone().mul(x.clone()).sum())))
}

fn chords() -> Job {
    let (x, y) = (vector(), vector());
    Box::new(move || {
        drop(black_box(squared_chords(
            (0.3, x.clone()),
            (0.7, y.clone()),
        )))
    })
}

fn composed_chords() -> Job {
    let (x, y) = (vector(), vector());
    Box::new(move || {
        for b in [-0.7, 0.7] {
            let sum = x.clone().mul_scalar(0.3).add(y.clone().mul_scalar(b));
            drop(black_box(sum.clone().mul(sum).sum()));
        }
    })
}

fn perturbed() -> Job {
    let (x, y) = (vector(), vector());
    Box::new(move || drop(black_box(combine((1.0, x.clone()), &[(0.1, y.clone())]))))
}

fn composed_perturbed() -> Job {
    let (x, y) = (vector(), vector());
    Box::new(move || drop(black_box(x.clone().add(y.clone().mul_scalar(0.1)))))
}

fn candidate() -> Job {
    let (x, y, z) = (vector(), vector(), vector());
    Box::new(move || {
        let terms = [(0.1, y.clone()), (0.2, z.clone())];
        drop(black_box(combine((1.0, x.clone()), &terms)));
    })
}

fn composed_candidate() -> Job {
    let (x, y, z) = (vector(), vector(), vector());
    Box::new(move || {
        let sum = x.clone().add(y.clone().mul_scalar(0.1));
        drop(black_box(sum.add(z.clone().mul_scalar(0.2))));
    })
}

fn slerp() -> Job {
    let (mut x, y) = (Some(vector()), vector());
    Box::new(move || x = x.take().map(|x| combine((0.9, x), &[(0.1, y.clone())])))
}

fn composed_slerp() -> Job {
    let (mut x, y) = (Some(vector()), vector());
    Box::new(move || {
        x = x
            .take()
            .map(|x| x.mul_scalar(0.9).add(y.clone().mul_scalar(0.1)));
    })
}

fn sgd() -> Job {
    let (gradient, mut state) = (vector(), Some((vector(), Some(vector()))));
    Box::new(move || {
        let (weight, velocity) = state.take().unwrap();
        state = Some(sgd_update(weight, gradient.clone(), velocity, &SGD));
    })
}

fn burns(optimizer: impl Optimizer) -> Job {
    let (gradient, mut state) = (vector(), Some((vector(), None)));
    Box::new(move || {
        let (weight, momentum) = state.take().unwrap();
        state = Some(optimizer.step(1e-3, weight, gradient.clone(), momentum));
    })
}

fn burns_sgd() -> Job {
    let momentum = MomentumConfig::new().with_dampening(0.0);
    let sgd = SgdConfig::new()
        .with_momentum(Some(momentum))
        .with_weight_decay(Some(WeightDecayConfig::new(1e-3)));
    burns(sgd.build())
}

fn adamw() -> Job {
    let moments = Some([vector(), vector()]);
    let (gradient, mut state) = (vector(), Some((vector(), moments)));
    Box::new(move || {
        let (weight, moments) = state.take().unwrap();
        let (weight, moments) = adam_update(weight, gradient.clone(), moments, &ADAMW);
        state = Some((weight, Some(moments)));
    })
}

fn burns_adamw() -> Job {
    burns(AdamWConfig::new().with_weight_decay(1e-3).build())
}

const CASES: [Case; 7] = [
    ("norm", norm, composed_norm),
    ("chords", chords, composed_chords),
    ("perturbed model", perturbed, composed_perturbed),
    ("search candidate", candidate, composed_candidate),
    ("slerp, in place", slerp, composed_slerp),
    ("sgd", sgd, burns_sgd),
    ("adamw", adamw, burns_adamw),
];

fn main() {
    println!("{SIZE} elements       kernel ms  composed ms  ratio   (medians of {ROUNDS} rounds)");
    for (name, kernel, composed) in CASES {
        let (mut kernel, mut composed) = (kernel(), composed());
        let rounds: Vec<[f64; 2]> = (0..=ROUNDS)
            .map(|_| [milliseconds(&mut kernel), milliseconds(&mut composed)])
            .collect();
        // The first round allocates.
        let [kernel, composed] = [0, 1].map(|i| median(rounds[1..].iter().map(|round| round[i])));
        println!(
            "{name:24}  {kernel:7.2}  {composed:11.2}  {:5.2}",
            kernel / composed
        );
    }
}

fn milliseconds(job: &mut Job) -> f64 {
    let start = Instant::now();
    job();
    1e3 * start.elapsed().as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
