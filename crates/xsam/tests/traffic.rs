//! Buffers of the weights' size that a step fills besides those of its passes: each is a pass over
//! memory, as the crate's documentation counts them. In a process of its own: the allocator counts
//! for all threads.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::alloc::System;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use xsam::method::MethodConfig;
use xsam::optim::{FusedAdamConfig, FusedSgdConfig};
use xsam::{
    AsamConfig, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MsamConfig, SamConfig, SearchSchedule, SgdOnlyConfig, SharpnessAware,
    WsamConfig, XsamConfig,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PARAMETERS: usize = 4;
const ELEMENTS: usize = 1 << 17;

#[derive(Module, Debug)]
struct Net {
    layers: Vec<Param<Tensor<1>>>,
}

impl Net {
    fn new() -> Self {
        let device = Device::flex().autodiff();
        let layer = |i: usize| {
            let values = (0..ELEMENTS).map(|j| ((i * 7919 + j * 31) % 101) as f32 / 50.0 - 1.0);
            let data = TensorData::new(values.collect::<Vec<f32>>(), [ELEMENTS]);
            Param::from_tensor(Tensor::from_data(data, &device))
        };
        Self {
            layers: (0..PARAMETERS).map(layer).collect(),
        }
    }

    fn loss(&self) -> Tensor<1> {
        let terms = self.layers.iter().enumerate();
        let terms = terms.map(|(i, layer)| layer.val().square().sum() * (1.0 + i as f64));
        Tensor::cat(terms.collect(), 0).sum()
    }
}

/// What `run` allocates, in copies of the weights.
fn copies<T>(run: impl FnOnce() -> T) -> f64 {
    let region = Region::new(ALLOCATOR);
    let result = run();
    let bytes = region.change().bytes_allocated;
    drop(result);
    bytes as f64 / (PARAMETERS * ELEMENTS * size_of::<f32>()) as f64
}

#[test]
fn a_step_fills_the_buffers_that_it_must() {
    let net = Net::new();
    let forward = copies(|| net.valid().loss());
    let gradient = copies(|| net.loss().backward());
    let passes = |gradients: f64, losses: f64| gradients * gradient + losses * forward;
    let searching = XsamConfig::new()
        .with_grid(vec![0.5, 1.5])
        .with_search(SearchSchedule::EverySteps(1));
    let (sam, xsam) = (SamConfig::new, || XsamConfig::new().with_alpha(1.3));
    let wsam = WsamConfig::new;
    let friendly = XsamConfig::new()
        .with_alpha(1.3)
        .with_friendly(Friendly::default());
    let lookbehind = |k| LookbehindSamConfig::new().with_ascent_steps(k).build();
    // The second step of these is one between.
    let look = LookSamConfig::new().with_every(2);
    let look_xsam = LookXsamConfig::from(xsam()).with_every(2);
    let methods = [
        ("sgd", SgdOnlyConfig::new().build(), passes(1.0, 0.0)),
        // The ascent point.
        ("sam", sam().build(), 1.0 + passes(2.0, 0.0)),
        // The scaled direction, and the ascent point.
        ("asam", AsamConfig::new().build(), 2.0 + passes(2.0, 0.0)),
        // The ascent point. The direction is made in the gradient's place.
        ("xsam", xsam().build(), 1.0 + passes(2.0, 0.0)),
        // And each candidate.
        ("xsam, searching", searching.build(), 3.0 + passes(2.0, 2.0)),
        // The ascent point goes on, and the displacement is added up, in its own place.
        (
            "xsam, 3 steps",
            xsam().with_ascent_steps(3).build(),
            1.0 + passes(4.0, 0.0),
        ),
        // The average, the direction without it, and the ascent point.
        (
            "friendly-sam",
            FriendlySamConfig::new().build(),
            3.0 + passes(2.0, 0.0),
        ),
        ("xsam, friendly", friendly.build(), 3.0 + passes(2.0, 0.0)),
        // The ascent point. What is taken away or added goes into the gradient's place.
        ("gsam", GsamConfig::new().build(), 1.0 + passes(2.0, 0.0)),
        (
            "wsam, coupled",
            wsam().with_decoupled(false).build(),
            1.0 + passes(2.0, 0.0),
        ),
        ("wsam, decoupled", wsam().build(), 1.0 + passes(2.0, 0.0)),
        // The ascent point, and the sum, which begins as a copy.
        ("msam", MsamConfig::new().build(), 2.0 + passes(4.0, 0.0)),
        // The ascent point, the fast weights.
        (
            "lookbehind-sam, 2 steps",
            lookbehind(2),
            2.0 + passes(3.0, 0.0),
        ),
        (
            "lookbehind-sam, 3 steps",
            lookbehind(3),
            2.0 + passes(4.0, 0.0),
        ),
        // In the gradient's place.
        ("looksam, between", look.build(), passes(1.0, 0.0)),
        ("look-xsam, between", look_xsam.build(), passes(1.0, 0.0)),
    ];
    let methods = methods.map(|(name, method, expected)| (name, method.unwrap(), expected));
    let bases = [
        FusedSgdConfig::new()
            .with_momentum(0.9)
            .with_weight_decay(1e-3)
            .init(),
        FusedAdamConfig::decoupled().init(),
    ];
    let mut wrong = Vec::new();
    for base in bases.map(Result::unwrap) {
        for (name, method, expected) in &methods {
            let mut optim = SharpnessAware::from_method(base.clone(), method.boxed());
            // The first step makes the base optimizer's state.
            let model = optim.step(0.01, Net::new(), Net::loss).unwrap().model;
            let measured = copies(|| optim.step(0.01, model, Net::loss).unwrap());
            println!("{name}: {measured:.3} copies, expected {expected:.3}");
            // A buffer for one of the four layers would be a quarter.
            if (measured - expected).abs() >= 0.2 {
                wrong.push(format!("{name}: {measured:.2} copies, not {expected:.2}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
