//! A net of one's own by Burn's convolutions and by those of `xsam-kernels`, over the same weights: the same loss, in less time.
//!
//! ```sh
//! cargo build --release --workspace --example own_convolutions && target/release/examples/own_convolutions
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Instant;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor};
use xsam_kernels::conv2d;

/// Steps that are timed, each way in turn.
const STEPS: usize = 15;

#[derive(Module, Debug)]
struct Net {
    convolutions: Vec<Conv2d>,
    head: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        let layer = |from, to| {
            let config = Conv2dConfig::new([from, to], [3, 3]).with_bias(false);
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            config.with_padding(padding).init(device)
        };
        Self {
            convolutions: vec![layer(1, 32), layer(32, 64), layer(64, 64)],
            head: LinearConfig::new(64, 10).init(device),
        }
    }

    fn forward(
        &self,
        images: Tensor<4>,
        convolve: fn(&Conv2d, Tensor<4>) -> Tensor<4>,
    ) -> Tensor<2> {
        let through = |x, layer| relu(convolve(layer, x));
        let x = self.convolutions.iter().fold(images, through);
        self.head.forward(x.mean_dim(3).mean_dim(2).flatten(1, 3))
    }
}

/// As Burn has it.
fn burns(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    layer.forward(x)
}

/// What takes its place.
fn ours(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    conv2d(x, layer.weight.val(), options)
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let images = Tensor::<4>::random([32, 1, 28, 28], Distribution::Default, &device);
    let start = Net::new(&device);

    let mut losses = [0.0; 2];
    let mut seconds = [Vec::new(), Vec::new()];
    let mut both = [burns, ours].map(|way| (way, start.clone(), SgdConfig::new().init()));
    for _ in 0..STEPS {
        for (i, (way, model, optim)) in both.iter_mut().enumerate() {
            let begin = Instant::now();
            let loss = model.forward(images.clone(), *way).square().mean();
            let gradients = GradientsParams::from_grads(loss.backward(), model);
            *model = optim.step(0.01, model.clone(), gradients);
            losses[i] = loss.try_into_scalar::<f64>()?;
            seconds[i].push(begin.elapsed().as_secs_f64());
        }
    }

    let [burns, ours] = seconds.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "the loss after {STEPS} steps: {:.6} and {:.6}",
        losses[0], losses[1]
    );
    println!("a step by Burn's convolutions: {burns:.3} s, by those of xsam-kernels: {ours:.3} s");
    println!("{:.1} times as fast", burns / ours);
    Ok(())
}
