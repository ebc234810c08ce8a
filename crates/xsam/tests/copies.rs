//! Full-size copies of the weights that are alive at the peak of a step, as the docs of each method
//! count them. In a process of its own: the allocator counts for all threads.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use peak_alloc::PeakAlloc;
use xsam::method::{Method, MethodConfig};
use xsam::optim::FusedSgdConfig;
use xsam::{
    AsamConfig, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MsamConfig, SamConfig, SearchSchedule, SgdOnlyConfig, SharpnessAware,
    WsamConfig, XsamConfig,
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Sixteen parameters, so that what an operation needs for the one it is at counts for little.
const PARAMETERS: usize = 16;
const ELEMENTS: usize = 1 << 17;

#[derive(Module, Debug)]
struct Net {
    layers: Vec<Param<Tensor<1>>>,
}

impl Net {
    /// Small, and curved: gradients differ from place to place.
    fn loss(&self) -> Tensor<1> {
        let slices = self
            .layers
            .iter()
            .map(|layer| layer.val().narrow(0, 0, 8).square().sum());
        let rest = self.layers.iter().map(|layer| layer.val().sum() * 1e-3);
        Tensor::cat(slices.chain(rest).collect(), 0).sum()
    }
}

/// The most memory that two steps take above what there is before them, in copies of the weights. (Of a method that
/// ascends in every second step one of them does.)
fn copies(method: Box<dyn Method>) -> f64 {
    let device = Device::flex().autodiff();
    let layer = |i: usize| {
        let values = (0..ELEMENTS).map(|j| ((i * 7919 + j * 31) % 101) as f32 / 50.0 - 1.0);
        let data = TensorData::new(values.collect::<Vec<f32>>(), [ELEMENTS]);
        Param::from_tensor(Tensor::from_data(data, &device))
    };
    let model = Net {
        layers: (0..PARAMETERS).map(layer).collect(),
    };
    let mut optim = SharpnessAware::from_method(
        FusedSgdConfig::new().with_momentum(0.9).init().unwrap(),
        method,
    );
    let model = optim.step(0.1, model, Net::loss).unwrap().model;
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let step = optim.step(0.1, model, Net::loss).unwrap();
    let step = optim.step(0.1, step.model, Net::loss).unwrap();
    let peak = ALLOCATOR.peak_usage() - before;
    drop(step);
    peak as f64 / (PARAMETERS * ELEMENTS * size_of::<f32>()) as f64
}

#[test]
fn each_method_holds_the_copies_that_it_says() {
    // What an operation holds for the parameter that it is at.
    let slack = 4.0 / PARAMETERS as f64;
    let (sam, xsam) = (SamConfig::new, XsamConfig::new);
    let every_step = SearchSchedule::EverySteps(1);
    let friendly = xsam().with_friendly(Friendly::default());
    let look = |k| {
        let xsam = xsam().with_alpha(1.3).with_ascent_steps(k);
        LookXsamConfig::from(xsam).with_every(2)
    };
    let lookbehind = |k| LookbehindSamConfig::new().with_ascent_steps(k).build();
    let wsam = WsamConfig::new;
    // With the copies of the method's state, which are there between steps as well.
    let methods = [
        ("sgd", SgdOnlyConfig::new().build(), 1.0, 0.0),
        ("sam", sam().build(), 2.0, 0.0),
        ("sam, 3 steps", sam().with_ascent_steps(3).build(), 2.0, 0.0),
        ("asam", AsamConfig::new().build(), 2.0, 0.0),
        ("xsam, fixed", xsam().with_alpha(1.3).build(), 3.0, 0.0),
        ("xsam", xsam().with_search(every_step).build(), 3.0, 0.0),
        (
            "xsam, 3 steps",
            xsam().with_ascent_steps(3).build(),
            3.0,
            0.0,
        ),
        ("xsam, friendly", friendly.build(), 5.0, 1.0),
        ("gsam", GsamConfig::new().build(), 3.0, 0.0),
        (
            "wsam, coupled",
            wsam().with_decoupled(false).build(),
            3.0,
            0.0,
        ),
        ("wsam, decoupled", wsam().build(), 3.0, 0.0),
        (
            "looksam",
            LookSamConfig::new().with_every(2).build(),
            4.0,
            1.0,
        ),
        ("friendly-sam", FriendlySamConfig::new().build(), 4.0, 1.0),
        ("msam", MsamConfig::new().build(), 3.0, 0.0),
        ("lookbehind-sam, 2 steps", lookbehind(2), 3.0, 0.0),
        ("lookbehind-sam, 4 steps", lookbehind(4), 5.0, 0.0),
        ("look-xsam", look(1).build(), 4.0, 1.0),
        ("look-xsam, 3 steps", look(3).build(), 5.0, 1.0),
    ];
    let mut wrong = Vec::new();
    for (name, method, documented, state) in methods {
        let measured = copies(method.unwrap()) + state;
        println!("{name}: {measured:.2} copies, documented {documented}");
        if (measured - documented).abs() >= slack {
            wrong.push(format!("{name}: {measured:.2} copies, not {documented}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
