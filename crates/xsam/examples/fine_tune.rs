//! Fine-tuning a model that comes from elsewhere: weights from a safetensors file with PyTorch's names and shapes, which
//! `xsam-weights` reads, the convolutions frozen, a new head trained sharpness-aware.
//!
//! So that nothing need be downloaded, the example trains and writes the file itself first: on the digits 0 to 4. It is then
//! tuned for all ten, with 100 images.
//!
//! ```sh
//! cargo build --release --workspace --example fine_tune && target/release/examples/fine_tune
//! ```
#![allow(clippy::print_stdout)]

mod digits;

use std::error::Error;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use digits::{Net, epoch, whole};
use xsam::optim::FusedSgdConfig;
use xsam::{SharpnessAware, XsamConfig};
use xsam_data::{Images, Normalization, subset};
use xsam_weights::{load_weights, read_weights, write_weights};

/// Trains `model` on `images`.
fn train(
    mut model: Net,
    images: &Images,
    normalization: &Normalization,
    epochs: usize,
    device: &Device,
) -> Result<Net, Box<dyn Error>> {
    let base = FusedSgdConfig::new().with_momentum(0.9).init()?;
    let mut optim = SharpnessAware::new(base, XsamConfig::new().with_rho(0.1))?;
    for i in 0..epochs {
        optim.start_epoch();
        for batch in epoch(images, normalization, i, device)? {
            let step = optim.step(0.05, model, |model: &Net| model.loss(&batch))?;
            model = step.model;
        }
    }
    Ok(model)
}

fn sum(parameter: &Param<Tensor<4>>) -> Result<f64, Box<dyn Error>> {
    Ok(parameter.val().sum().try_into_scalar::<f64>()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let normalization = &splits.normalization;
    let test = whole(&splits.test, normalization, &device)?;

    // Elsewhere, long ago.
    let labels = splits.train.labels();
    let low: Vec<_> = (0..labels.len()).filter(|i| labels[*i] < 5).collect();
    let half = splits.train.select(&low)?;
    let trained = train(Net::new(5, &device), &half, normalization, 10, &device)?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("digits-0-to-4.safetensors");
    write_weights(&trained, &path)?;

    // Here: the weights of the file, and in place of the head of five a new one for ten classes.
    let loaded = load_weights(Net::new(5, &device), &read_weights(&path)?)?;
    let model = Net {
        conv1: loaded.conv1.freeze(),
        conv2: loaded.conv2.freeze(),
        head: Net::new(10, &device).head,
        pool: loaded.pool,
    };
    let before = (sum(&model.conv2.weight)?, model.accuracy(&test)?);

    let few = subset(&splits.train, 100)?;
    let model = train(model, &few, normalization, 100, &device)?;
    println!("{} images, all ten digits, 100 epochs", few.len());
    println!(
        "sum of the frozen weights {:.4}, before {:.4}",
        sum(&model.conv2.weight)?,
        before.0
    );
    println!(
        "test accuracy {:.1} %, before {:.1} %",
        100.0 * model.accuracy(&test)?,
        100.0 * before.1
    );
    Ok(())
}
