//! A closure that knows which pass it is in: the ascent on one batch and the descent on another, metrics counted once.
//!
//! ```sh
//! cargo build --release --workspace --example two_batches && target/release/examples/two_batches
//! ```
#![allow(clippy::print_stdout)]

mod digits;

use std::error::Error;

use burn::module::Module;
use burn::tensor::Device;
use digits::{Net, epoch, whole};
use xsam::optim::FusedSgdConfig;
use xsam::{PassPoint, SamConfig, SharpnessAware};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let test = whole(&splits.test, &splits.normalization, &device)?;

    let mut model = Net::new(10, &device);
    let base = FusedSgdConfig::new().with_momentum(0.9).init()?;
    let mut optim = SharpnessAware::new(base, SamConfig::new().with_rho(0.3))?;
    let (mut passes, mut counted) = (0, 0);
    for i in 0..10 {
        optim.start_epoch();
        for pair in epoch(&splits.train, &splits.normalization, i, &device)?.chunks_exact(2) {
            let loss = |m: &Net, point| {
                passes += 1;
                match point {
                    // Where the ascent begins, and what a loop would log.
                    PassPoint::Weights => {
                        counted += 1;
                        m.loss(&pair[0])
                    }
                    _ => m.loss(&pair[1]),
                }
            };
            model = optim.step_with_point(0.05, model, loss)?.model;
        }
    }
    println!("{} parameters, {} steps", model.num_params(), optim.steps());
    println!("{passes} passes, of which {counted} were counted");
    println!("test accuracy {:.1} %", 100.0 * model.accuracy(&test)?);
    Ok(())
}
