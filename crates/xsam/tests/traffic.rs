//! Buffers of the weights' size that a step fills besides those of its passes: each is a pass over
//! memory, as the crate's documentation counts them. In a process of its own: the allocator counts
//! for all threads.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/layers.rs"]
mod layers;

use std::alloc::System;

use burn::module::Module;
use burn::tensor::Tensor;
use layers::Layers;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use xsam::method::MethodSpec;
use xsam::optim::{FusedAdamConfig, FusedSgdConfig};
use xsam::{
    AsamConfig, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MsamConfig, SamConfig, SearchSchedule, SgdOnlyConfig, SharpnessAware,
    WsamConfig, XsamConfig,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PARAMETERS: usize = 4;

fn loss(net: &Layers) -> Tensor<1> {
    let terms = net.layers.iter().enumerate();
    let terms = terms.map(|(i, layer)| layer.val().square().sum() * (1.0 + i as f64));
    Tensor::cat(terms.collect(), 0).sum()
}

/// What `run` allocates, in copies of the weights.
fn copies<T>(run: impl FnOnce() -> T) -> f64 {
    let region = Region::new(ALLOCATOR);
    let result = run();
    let bytes = region.change().bytes_allocated;
    drop(result);
    Layers::copies(PARAMETERS, bytes)
}

#[test]
fn a_step_fills_the_buffers_that_it_must() {
    let net = Layers::new(PARAMETERS);
    let forward = copies(|| loss(&net.valid()));
    let gradient = copies(|| loss(&net).backward());
    let passes = |gradients: f64, losses: f64| gradients * gradient + losses * forward;
    let searching = XsamConfig::new()
        .with_grid(vec![0.5, 1.5])
        .with_search(SearchSchedule::EverySteps(1));
    let xsam = || XsamConfig::new().with_alpha(1.3);
    let wsam = WsamConfig::new;
    let friendly = xsam().with_friendly(Friendly::default());
    let lookbehind = |k| LookbehindSamConfig::new().with_ascent_steps(k);
    let methods: [(MethodSpec, f64); 16] = [
        (SgdOnlyConfig::new().into(), passes(1.0, 0.0)),
        // The ascent point.
        (SamConfig::new().into(), 1.0 + passes(2.0, 0.0)),
        // The scaled direction, and the ascent point.
        (AsamConfig::new().into(), 2.0 + passes(2.0, 0.0)),
        // The ascent point. The direction is made in the gradient's place.
        (xsam().into(), 1.0 + passes(2.0, 0.0)),
        // And each candidate.
        (searching.into(), 3.0 + passes(2.0, 2.0)),
        // The ascent point goes on, and the displacement is added up, in its own place.
        (xsam().with_ascent_steps(3).into(), 1.0 + passes(4.0, 0.0)),
        // The average, the direction without it, and the ascent point.
        (FriendlySamConfig::new().into(), 3.0 + passes(2.0, 0.0)),
        (friendly.into(), 3.0 + passes(2.0, 0.0)),
        // The ascent point. What is taken away or added goes into the gradient's place.
        (GsamConfig::new().into(), 1.0 + passes(2.0, 0.0)),
        (wsam().with_decoupled(false).into(), 1.0 + passes(2.0, 0.0)),
        (wsam().into(), 1.0 + passes(2.0, 0.0)),
        // The ascent point, and the sum, which begins as a copy.
        (MsamConfig::new().into(), 2.0 + passes(4.0, 0.0)),
        // The ascent point, the fast weights.
        (lookbehind(2).into(), 2.0 + passes(3.0, 0.0)),
        (lookbehind(3).into(), 2.0 + passes(4.0, 0.0)),
        // The second step of these is one between, made in the gradient's place.
        (LookSamConfig::new().with_every(2).into(), passes(1.0, 0.0)),
        (
            LookXsamConfig::from(xsam()).with_every(2).into(),
            passes(1.0, 0.0),
        ),
    ];
    let bases = [
        FusedSgdConfig::new()
            .with_momentum(0.9)
            .with_weight_decay(1e-3)
            .init(),
        FusedAdamConfig::decoupled().init(),
    ];
    let mut wrong = Vec::new();
    for base in bases.map(Result::unwrap) {
        for (method, expected) in &methods {
            let mut optim = SharpnessAware::new(base.clone(), method).unwrap();
            // The first step makes the base optimizer's state.
            let model = Layers::new(PARAMETERS);
            let model = optim.step(0.01, model, loss).unwrap().model;
            let measured = copies(|| optim.step(0.01, model, loss).unwrap());
            let found = format!("{measured:.3} copies, expected {expected:.3}: {method:?}");
            println!("{found}");
            // A buffer for one of the four layers would be a quarter.
            if (measured - expected).abs() >= 0.2 {
                wrong.push(found);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
