//! The least that there is: a plane through four points, `2 x + 3 y - 1`.
//!
//! ```sh
//! cargo build --release --workspace --example minimal && target/release/examples/minimal
//! ```
#![allow(clippy::print_stdout)]

use burn::nn::{Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use xsam::{SharpnessAware, XsamConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let mut model = LinearConfig::new(2, 1).init(&device);
    let points = Tensor::<2>::from_floats([[0., 0.], [0., 1.], [1., 0.], [1., 1.]], &device);
    let heights = Tensor::<2>::from_floats([[-1.], [2.], [1.], [4.]], &device);

    let method = XsamConfig::new().with_rho(0.01);
    let mut optim = SharpnessAware::new(SgdConfig::new().init(), method)?;
    for epoch in 1..=500 {
        optim.start_epoch();
        let step = optim.step(0.2, model, |model: &Linear| {
            (model.forward(points.clone()) - heights.clone())
                .square()
                .mean()
        })?;
        model = step.model;
        if epoch % 100 == 0 {
            println!("epoch {epoch}: loss {:.5}", step.report.loss);
        }
    }
    println!("2 and 3 are {:.2}", model.weight.val().into_data());
    Ok(())
}
