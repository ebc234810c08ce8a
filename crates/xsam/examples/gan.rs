//! A GAN: the generator's loss goes through the critic, which has batch norm, and the critic's running statistics move
//! once a step all the same, since it is handed in together with the generator.
//!
//! The data are points on a circle; the generator makes them from noise.
//!
//! ```sh
//! cargo build --release --workspace --example gan && target/release/examples/gan
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::f64::consts::TAU;

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{leaky_relu, softplus};
use burn::tensor::{Device, Distribution, Tensor};
use xsam::optim::FusedAdamConfig;
use xsam::{Accompanied, SharpnessAware, XsamConfig};

const BATCH: usize = 128;
const NOISE: usize = 4;
const RADIUS: f64 = 2.0;

/// The generator, and with batch norm the critic.
#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: Option<BatchNorm>,
    second: Linear,
    last: Linear,
}

impl Net {
    fn new([inputs, hidden, outputs]: [usize; 3], norm: bool, device: &Device) -> Self {
        Self {
            first: LinearConfig::new(inputs, hidden).init(device),
            norm: norm.then(|| BatchNormConfig::new(hidden).init(device)),
            second: LinearConfig::new(hidden, hidden).init(device),
            last: LinearConfig::new(hidden, outputs).init(device),
        }
    }

    /// Points, `[batch, 2]`, from noise; or how real points look, `[batch, 1]`, as logits.
    fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        let x = self.first.forward(inputs);
        let x = match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let x = leaky_relu(self.second.forward(leaky_relu(x, 0.2)), 0.2);
        self.last.forward(x)
    }

    /// The running means of its batch norm.
    fn statistics(&self) -> Result<Vec<f64>, Box<dyn Error>> {
        let norm = self.valid().norm.ok_or("it has no statistics")?;
        let mean = norm.running_mean.value().try_into_data()?;
        Ok(mean.iter::<f64>().collect())
    }
}

fn noise(device: &Device) -> Tensor<2> {
    Tensor::random([BATCH, NOISE], Distribution::Normal(0.0, 1.0), device)
}

fn circle(device: &Device) -> Tensor<2> {
    let angles = Tensor::<2>::random([BATCH, 1], Distribution::Uniform(0.0, TAU), device);
    Tensor::cat(vec![angles.clone().cos(), angles.sin()], 1) * RADIUS
}

/// Mean of the distances from the origin, and how far they are from the circle's.
fn distances(points: Tensor<2>) -> Result<(f64, f64), Box<dyn Error>> {
    let radii = points.square().sum_dim(1).sqrt();
    let off = (radii.clone() - RADIUS).abs().mean();
    Ok((
        radii.mean().try_into_scalar::<f64>()?,
        off.try_into_scalar::<f64>()?,
    ))
}

/// What a single forward pass over `points` makes of the critic's statistics.
fn after_one_pass(critic: &Net, points: Tensor<2>) -> Result<Vec<f64>, Box<dyn Error>> {
    // A copy that shares nothing: a clone would share its statistics.
    let copy = critic.valid().train();
    copy.forward(points);
    copy.statistics()
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let mut generator = Net::new([NOISE, 32, 2], false, &device);
    let mut critic = Net::new([2, 64, 1], true, &device);
    let method = || XsamConfig::new().with_rho(0.02);
    let adam = || FusedAdamConfig::new().with_betas(0.5, 0.9).init();
    let mut generators = SharpnessAware::new(adam()?, method())?;
    let mut critics = SharpnessAware::new(adam()?, method())?;
    let (mut passes, mut moved_once) = (0, 0);

    for epoch in 1..=10 {
        generators.start_epoch();
        critics.start_epoch();
        for _ in 0..100 {
            // All that is random is drawn before the step: its passes are over the same batch.
            let real = circle(&device);
            let made = generator.valid().forward(noise(&device).inner());
            let made = Tensor::from_inner(made);
            let step = critics.step(1e-3, critic, |critic: &Net| {
                let (real, made) = (critic.forward(real.clone()), critic.forward(made.clone()));
                softplus(-real, 1.0).mean() + softplus(made, 1.0).mean()
            })?;
            critic = step.model;

            let noise = noise(&device);
            let points = generator.valid().forward(noise.clone().inner());
            let expected = after_one_pass(&critic, Tensor::from_inner(points))?;
            let both = Accompanied::new(generator, critic);
            let step = generators.step(1e-3, both, |both: &Accompanied<Net, Net>| {
                let made = both.model().forward(noise.clone());
                softplus(-both.companion().forward(made), 1.0).mean()
            })?;
            (generator, critic) = step.model.into_parts();
            passes += step.report.passes.gradients + step.report.passes.losses;
            moved_once += usize::from(critic.statistics()? == expected);
        }
        let (radius, off) = distances(generator.valid().forward(noise(&device).inner()))?;
        println!("epoch {epoch:2}: mean radius {radius:.2}, off the circle by {off:.2}");
    }
    let steps = generators.steps();
    println!("{steps} steps of the generator, {passes} passes through the critic");
    println!("its statistics moved exactly once in {moved_once} of the steps");
    Ok(())
}
