//! The loop of `loop_before`, sharpness-aware.
//!
//! ```sh
//! cargo build --release --workspace --example loop_after && target/release/examples/loop_after
//! ```
#![allow(clippy::print_stdout)]

#[path = "../../crates/xsam/examples/digits/mod.rs"]
mod digits;

use std::error::Error;

use burn::optim::AdamConfig;
use burn::tensor::Device;
use digits::{Net, epoch, whole};
use xsam::{SharpnessAware, XsamConfig};
use xsam_data::with_label_noise;

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let (train, _) = with_label_noise(&splits.train, 0.4, 1)?;
    let test = whole(&splits.test, &splits.normalization, &device)?;

    let mut model = Net::new(10, &device);
    let method = XsamConfig::new().with_rho(0.3);
    let mut optim = SharpnessAware::new(AdamConfig::new().init(), method)?;
    for i in 0..100 {
        optim.start_epoch();
        for batch in epoch(&train, &splits.normalization, i, &device)? {
            let step = optim.step(0.003, model, |model: &Net| model.loss(&batch))?;
            model = step.model;
        }
    }
    println!("test accuracy {:.1} %", 100.0 * model.accuracy(&test)?);
    Ok(())
}
