//! What a step costs: ResNet-18 of width 16 on a batch of 64 images of 32x32 pixels.
//!
//! First the methods in turn, round by round, so that a machine whose speed drifts treats all alike:
//! the medians, and the median of the ratios to SGD. Then each by itself, by divan.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use divan::Bencher;
use xsam::method::MethodConfig;
use xsam::optim::FusedSgdConfig;
use xsam::{
    AsamConfig, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig, LookbehindSamConfig,
    MsamConfig, SamConfig, SearchSchedule, SgdOnlyConfig, SharpnessAware, WsamConfig, XsamConfig,
};
use xsam_lab::statistics::median;
use xsam_models::{ClassifierName, ImageClassifier, Model, ModelConfig, reference};

const BATCH: usize = 64;
const CLASSES: usize = 10;
const ROUNDS: usize = 15;

/// A method in the middle of training.
struct Trainee {
    optim: SharpnessAware,
    model: Option<Model>,
    images: Tensor<4>,
    targets: Tensor<2, Int>,
}

impl Trainee {
    fn new(config: &dyn MethodConfig) -> Self {
        let device = Device::flex().autodiff();
        let sgd = FusedSgdConfig::new()
            .with_momentum(0.9)
            .with_weight_decay(1e-3);
        let model = ModelConfig::new(ClassifierName::Resnet18, 3, 32, CLASSES).with_width(16);
        let images = TensorData::new(
            reference::images(1, BATCH * 3 * 32 * 32),
            [BATCH, 3, 32, 32],
        );
        let targets = TensorData::new(reference::targets(1, BATCH, CLASSES), [BATCH, 1]);
        let mut trainee = Self {
            optim: SharpnessAware::from_method(sgd.init().unwrap(), config.build().unwrap()),
            model: Some(model.init(1, &device).unwrap()),
            images: Tensor::from_data(images, &device),
            targets: Tensor::from_data(targets, &device),
        };
        trainee.step();
        trainee
    }

    fn step(&mut self) {
        let model = self.model.take().unwrap();
        let step = self.optim.step(1e-3, model, |m: &Model| {
            let log_probabilities = log_softmax(m.forward(self.images.clone()), 1);
            log_probabilities
                .gather(1, self.targets.clone())
                .mean()
                .neg()
        });
        self.model = Some(step.unwrap().model);
    }

    fn seconds(&mut self) -> f64 {
        let start = Instant::now();
        self.step();
        start.elapsed().as_secs_f64()
    }
}

/// XSAM without a search, and with one in every step.
fn xsam() -> XsamConfig {
    XsamConfig::new().with_alpha(1.3)
}

fn searching() -> XsamConfig {
    let every_step = SearchSchedule::EverySteps(1);
    XsamConfig::new().with_search(every_step)
}

/// The coarse grid and its parabola, in every step.
fn refining() -> XsamConfig {
    searching().with_parabola(true)
}

/// Every which step of a method that looks back is a whole one: after the first, none that is timed.
const NEVER: usize = usize::MAX;

fn methods() -> Vec<(&'static str, Box<dyn MethodConfig>)> {
    vec![
        ("sgd", Box::new(SgdOnlyConfig::new())),
        ("sam", Box::new(SamConfig::new())),
        ("asam", Box::new(AsamConfig::new())),
        ("gsam", Box::new(GsamConfig::new())),
        ("wsam", Box::new(WsamConfig::new())),
        ("friendly-sam", Box::new(FriendlySamConfig::new())),
        (
            "msam, k 2",
            Box::new(MsamConfig::new().with_ascent_steps(2)),
        ),
        ("lookbehind-sam, k 2", Box::new(LookbehindSamConfig::new())),
        (
            "looksam, between",
            Box::new(LookSamConfig::new().with_every(NEVER)),
        ),
        (
            "look-xsam, between",
            Box::new(LookXsamConfig::from(xsam()).with_every(NEVER)),
        ),
        ("xsam", Box::new(xsam())),
        ("xsam, parabola", Box::new(refining())),
        ("xsam, searching", Box::new(searching())),
    ]
}

fn main() {
    let methods = methods();
    let trainees = methods.iter();
    let mut trainees: Vec<_> = trainees
        .map(|(_, config)| Trainee::new(&**config))
        .collect();
    let mut round = || -> Vec<f64> { trainees.iter_mut().map(Trainee::seconds).collect() };
    let rounds: Vec<Vec<f64>> = (0..ROUNDS).map(|_| round()).collect();
    drop(trainees);
    println!("method               s/step  times sgd   (medians of {ROUNDS} rounds)");
    for (i, (name, _)) in methods.iter().enumerate() {
        let seconds = median(rounds.iter().map(|round| round[i])).unwrap();
        let ratio = median(rounds.iter().map(|round| round[i] / round[0])).unwrap();
        println!("{name:19}  {seconds:6.3}  {ratio:9.2}");
    }
    divan::main();
}

#[divan::bench(args = ["sgd", "sam", "xsam"], sample_count = 15, sample_size = 1)]
fn step(bencher: Bencher<'_, '_>, name: &str) {
    let mut methods = methods().into_iter();
    let (_, config) = methods.find(|(known, _)| *known == name).unwrap();
    let mut trainee = Trainee::new(&*config);
    bencher.bench_local(|| trainee.step());
}
