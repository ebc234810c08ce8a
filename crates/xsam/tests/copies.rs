//! Full-size copies of the weights that are alive at the peak of a step, as the docs of each method count them, and memory
//! over many steps. In a process of its own: the allocator counts for all threads.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/layers.rs"]
mod layers;

use std::sync::{Mutex, PoisonError};

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use layers::Layers;
use peak_alloc::PeakAlloc;
use xsam::method::MethodSpec;
use xsam::optim::FusedSgdConfig;
use xsam::{
    AsamConfig, BsamConfig, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MsamConfig, SamConfig, SearchSchedule, SgdOnlyConfig, SharpnessAware,
    WsamConfig, XsamConfig,
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Held while memory is measured.
static MEASURED: Mutex<()> = Mutex::new(());

/// So many that what an operation needs for the parameter that it is at counts for little.
const PARAMETERS: usize = 16;

/// Small, and curved: gradients differ from place to place.
fn loss(net: &Layers) -> Tensor<1> {
    let layers = || net.layers.iter().map(|layer| layer.val());
    let slices = layers().map(|layer| layer.narrow(0, 0, 8).square().sum());
    let rest = layers().map(|layer| layer.sum() * 1e-3);
    Tensor::cat(slices.chain(rest).collect(), 0).sum()
}

/// The most memory that two steps take above what there is before them, in copies of the weights. (Of a method that
/// ascends in every second step one of them does.)
fn copies(method: &MethodSpec) -> f64 {
    let base = FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
    let mut optim = SharpnessAware::new(base, method).unwrap();
    let model = Layers::new(PARAMETERS);
    let model = optim.step(0.1, model, loss).unwrap().model;
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let step = optim.step(0.1, model, loss).unwrap();
    let step = optim.step(0.1, step.model, loss).unwrap();
    let peak = ALLOCATOR.peak_usage() - before;
    drop(step);
    Layers::copies(PARAMETERS, peak)
}

#[test]
fn each_method_holds_the_copies_that_it_says() {
    let _alone = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    // What an operation holds for the parameter that it is at.
    let slack = 4.0 / PARAMETERS as f64;
    let (sam, xsam, wsam) = (SamConfig::new, XsamConfig::new, WsamConfig::new);
    let every_step = SearchSchedule::EverySteps(1);
    let look = |k| {
        let xsam = xsam().with_alpha(1.3).with_ascent_steps(k);
        LookXsamConfig::from(xsam).with_every(2)
    };
    let lookbehind = |k| LookbehindSamConfig::new().with_ascent_steps(k);
    // With the copies of the method's state, which are there between steps as well.
    let methods: [(MethodSpec, f64, f64); 19] = [
        (SgdOnlyConfig::new().into(), 1.0, 0.0),
        (sam().into(), 2.0, 0.0),
        (sam().with_ascent_steps(3).into(), 2.0, 0.0),
        (AsamConfig::new().into(), 2.0, 0.0),
        (xsam().with_alpha(1.3).into(), 3.0, 0.0),
        (xsam().with_search(every_step).into(), 3.0, 0.0),
        (xsam().with_ascent_steps(3).into(), 3.0, 0.0),
        (xsam().with_friendly(Friendly::default()).into(), 5.0, 1.0),
        (GsamConfig::new().into(), 3.0, 0.0),
        (wsam().with_decoupled(false).into(), 3.0, 0.0),
        (wsam().into(), 3.0, 0.0),
        (LookSamConfig::new().with_every(2).into(), 4.0, 1.0),
        (FriendlySamConfig::new().into(), 4.0, 1.0),
        (MsamConfig::new().into(), 3.0, 0.0),
        (lookbehind(2).into(), 3.0, 0.0),
        (lookbehind(4).into(), 5.0, 0.0),
        (look(1).into(), 4.0, 1.0),
        (look(3).into(), 5.0, 1.0),
        (BsamConfig::new().into(), 5.0, 2.0),
    ];
    let mut wrong = Vec::new();
    for (method, documented, state) in methods {
        let measured = copies(&method) + state;
        let found = format!("{measured:.2} copies, documented {documented}: {method:?}");
        println!("{found}");
        if (measured - documented).abs() >= slack {
            wrong.push(found);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Over ten thousand steps of the methods that keep most, and a thousand of every other.
#[test]
fn memory_does_not_grow_by_a_byte_a_step() {
    let _alone = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    const LONG: [&str; 3] = ["xsam", "look-xsam", "friendly-sam"];
    for name in MethodSpec::NAMES {
        let method = MethodSpec::named(name).unwrap();
        let steps = if LONG.contains(name) { 10_000 } else { 1000 };
        let base = FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
        let mut optim = SharpnessAware::new(base, &method).unwrap();
        let device = Device::flex().autodiff();
        let ones = |rows| Param::from_tensor(Tensor::<2>::ones([rows, 8], &device));
        let mut model = vec![ones(4), ones(2)];
        let mut step = |number: usize| {
            if number.is_multiple_of(100) {
                optim.start_epoch();
            }
            let logits = |model: &Vec<Param<Tensor<2>>>, (): &()| {
                let rows = model.iter().map(|layer| layer.val());
                Tensor::cat(rows.collect(), 0)
            };
            if optim.needs_samples() {
                let losses = |model: &Vec<Param<Tensor<2>>>, rows: &usize| {
                    let squares = logits(model, &()).square().mean_dim(1);
                    squares.squeeze_dim::<1>(1).narrow(0, 0, *rows)
                };
                let chosen = |_: &usize, some: &[usize]| some.len();
                let step = optim.step_by_samples(1e-3, model.clone(), &[6], losses, chosen);
                model = step.unwrap().model;
                return;
            }
            let loss = |logits: Tensor<2>, (): &()| logits.square().mean();
            let step = optim.step_by_logits(1e-3, model.clone(), &[()], logits, loss);
            model = step.unwrap().model;
        };
        // What is set up once is there by then.
        let warm = steps / 5;
        (0..warm).for_each(&mut step);
        let before = ALLOCATOR.current_usage();
        (warm..steps).for_each(&mut step);
        let grown = ALLOCATOR.current_usage().saturating_sub(before);
        println!("{name}: {grown} bytes in {} steps", steps - warm);
        assert!(grown < steps - warm, "{name}: {grown} bytes");
    }
}
