//! What XSAM finds on its way: alpha, psi, and the curves that it searches.
//!
//! ```sh
//! cargo build --release --workspace --example watch_alpha && target/release/examples/watch_alpha
//! ```
#![allow(clippy::print_stdout)]

mod digits;

use std::error::Error;

use burn::tensor::Device;
use digits::{Net, epoch, whole};
use xsam::optim::FusedSgdConfig;
use xsam::{SearchReport, SharpnessAware, XsamConfig};
use xsam_data::with_label_noise;

/// The curve as a bar for each position, from the lowest loss to the highest.
fn draw(search: &SearchReport) {
    const WIDTH: f64 = 50.0;
    let lowest = search.losses.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = search
        .losses
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    for (alpha, loss) in search.alphas.iter().zip(&search.losses) {
        let share = (loss - lowest) / (highest - lowest).max(f64::MIN_POSITIVE);
        let mark = match search.best() == Some(*alpha) {
            true => " <- alpha",
            false => "",
        };
        let bar = "#".repeat((share * WIDTH) as usize);
        println!("  {alpha:4.1} {loss:8.4} {bar}{mark}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let (train, _) = with_label_noise(&splits.train, 0.4, 0)?;
    let test = whole(&splits.test, &splits.normalization, &device)?;

    let mut model = Net::new(10, &device);
    let base = FusedSgdConfig::new().with_momentum(0.9).init()?;
    let mut optim = SharpnessAware::new(base, XsamConfig::new().with_rho(0.3))?;
    for i in 0..20 {
        optim.start_epoch();
        let (mut psi, mut steps) = (0.0, 0);
        for batch in epoch(&train, &splits.normalization, i, &device)? {
            let step = optim.step(0.05, model, |model: &Net| model.loss(&batch))?;
            model = step.model;
            let report = step.report;
            if let (Some(search), true) = (&report.search, [0, 19].contains(&i)) {
                println!(
                    "epoch {i}: loss {:.4} at the weights, at distance rho_max:",
                    report.loss
                );
                draw(search);
            }
            psi += report.psi.unwrap_or_default();
            steps += 1;
            if steps == 12 {
                let (alpha, psi) = (report.alpha.unwrap_or_default(), psi / 12.0);
                println!(
                    "epoch {i}: alpha {alpha:.1}, mean psi {:.1} degrees",
                    psi.to_degrees()
                );
            }
        }
    }
    println!("0 is the direction of the ascent, 1 that of the gradient there (SAM)");
    println!("test accuracy {:.1} %", 100.0 * model.accuracy(&test)?);
    Ok(())
}
