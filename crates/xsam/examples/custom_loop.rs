//! A loop that makes its passes itself: the step in phases, for loops that cannot hand over a closure.
//!
//! ```sh
//! cargo build --release --workspace --example custom_loop && target/release/examples/custom_loop
//! ```
#![allow(clippy::print_stdout)]

mod digits;

use std::error::Error;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use digits::{Batch, Net, epoch, whole};
use xsam::optim::SgdConfig;
use xsam::{Phase, SharpnessAware, XsamConfig};

/// A pass of the loop's own. Logging, mixed precision or a profiler would go here.
fn pass(model: &Net, batch: &Batch, passes: &mut usize) -> (Tensor<1>, GradientsParams) {
    *passes += 1;
    let loss = model.loss(batch);
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    (loss, gradients)
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let test = whole(&splits.test, &splits.normalization, &device)?;

    let mut model = Net::new(10, &device);
    let base = SgdConfig::new().with_momentum(0.9).init()?;
    let mut optim = SharpnessAware::new(base, XsamConfig::new().with_rho(0.3))?;
    let (mut passes, mut searched) = (0, 0);
    for i in 0..10 {
        optim.start_epoch();
        for batch in epoch(&splits.train, &splits.normalization, i, &device)? {
            let (loss, gradients) = pass(&model, &batch, &mut passes);
            let mut phase = optim.ascend(0.05, model, loss, gradients)?;
            model = loop {
                phase = match phase {
                    // A forward-backward pass is wanted, at a point of higher loss.
                    Phase::Ascended(ascended) => {
                        let (loss, gradients) = pass(ascended.model(), &batch, &mut passes);
                        ascended.answer(loss, gradients)?
                    }
                    // A forward pass is wanted, at a point that the search for alpha tries.
                    Phase::Candidate(candidate) => {
                        searched += 1;
                        let loss = candidate.model().loss(&batch);
                        candidate.answer(loss)?
                    }
                    // Nothing is wanted any more: the base optimizer's step.
                    Phase::Ready(descent) => break optim.descend(descent)?.model,
                }
            };
        }
    }
    println!("{} parameters, {} steps", model.num_params(), optim.steps());
    println!("{passes} forward-backward passes: two a step");
    println!("{searched} forward passes: 21 an epoch");
    println!("test accuracy {:.1} %", 100.0 * model.accuracy(&test)?);
    Ok(())
}
