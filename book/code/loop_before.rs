//! A training loop as one writes it with Burn, on digits: `loop_after` is the same, sharpness-aware.
//!
//! ```sh
//! cargo build --release --workspace --example loop_before && target/release/examples/loop_before
//! ```
#![allow(clippy::print_stdout)]

#[path = "../../crates/xsam/examples/digits/mod.rs"]
mod digits;

use std::error::Error;

use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Device;
use digits::{Net, epoch, whole};
use xsam_data::with_label_noise;

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let (train, _) = with_label_noise(&splits.train, 0.4, 1)?;
    let test = whole(&splits.test, &splits.normalization, &device)?;

    let mut model = Net::new(10, &device);
    let mut optim = AdamConfig::new().init();
    for i in 0..100 {
        for batch in epoch(&train, &splits.normalization, i, &device)? {
            let loss = model.loss(&batch);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(0.003, model, gradients);
        }
    }
    println!("test accuracy {:.1} %", 100.0 * model.accuracy(&test)?);
    Ok(())
}
