//! A method of one's own: the mean of the gradients uphill and downhill from the weights.
//!
//! With `e = rho g / |g|` it hands on `(grad L(w + e) + grad L(w - e)) / 2`: the gradient of a loss that is smoothed
//! along the gradient. Any method is such a file: a config that is checked, and an update that asks its objective for
//! gradients. The optimizer does the rest: passes, running statistics, clipping, records.
//!
//! ```sh
//! cargo build --release --workspace --example own_method && target/release/examples/own_method
//! ```
#![allow(clippy::print_stdout)]

mod digits;

use std::error::Error;

use burn::tensor::Device;
use digits::{Net, epoch, whole};
use xsam::method::{Context, Evaluation, Method, MethodConfig, MethodState, Number, Update};
use xsam::optim::FusedSgdConfig;
use xsam::{ConfigError, RecordError, SharpnessAware, StepError};

struct BothWaysConfig {
    rho: f64,
}

impl MethodConfig for BothWaysConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        let ok = self.rho.is_finite() && self.rho > 0.0;
        ConfigError::unless(ok, "rho", self.rho, "finite and above 0")?;
        Ok(Box::new(BothWays {
            rho: self.rho,
            bent: Number::default(),
        }))
    }
}

#[derive(Clone, Debug)]
struct BothWays {
    rho: f64,
    /// Mean difference of the gradients uphill and downhill, as a share of the gradient: how bent the loss is.
    bent: Number,
}

impl Method for BothWays {
    fn name(&self) -> &'static str {
        "both-ways"
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        if !start.norm.exceeds(0.0) {
            return Ok(Update::new(start.gradient, Some(start.norm)));
        }
        let rho = self.rho * step.rho_factor;
        step.report.rho = rho.into();
        let length = rho / &start.norm;
        step.objective.advance(length.clone(), &start.gradient);
        let uphill = step.objective.evaluate()?;
        step.objective.reset();
        step.objective.advance(-length, &start.gradient);
        let downhill = step.objective.evaluate()?;

        step.report.ascent_loss = Some(uphill.loss);
        step.report.ascent_grad_norm = Some(uphill.norm);
        let difference = uphill
            .gradient
            .clone()
            .combine(1.0, &downhill.gradient, -1.0);
        let share = step.readings.norm(&difference)? / start.norm;
        self.bent = 0.9 * &self.bent + 0.1 * share;
        let mean = uphill.gradient.combine(0.5, &downhill.gradient, 0.5);
        Ok(Update::new(mean, None))
    }

    fn state(&self) -> MethodState {
        MethodState::default().with_number("bent", &self.bent)
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.bent = state.scalar::<f64>("bent")?.into();
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let test = whole(&splits.test, &splits.normalization, &device)?;

    let mut model = Net::new(10, &device);
    let base = FusedSgdConfig::new().with_momentum(0.9).init()?;
    let mut optim = SharpnessAware::new(base, BothWaysConfig { rho: 0.1 })?;
    for i in 0..10 {
        let (mut loss, mut uphill, mut passes) = (0.0, 0.0, 0);
        let batches = epoch(&splits.train, &splits.normalization, i, &device)?;
        for batch in &batches {
            let step = optim.step(0.05, model, |model: &Net| model.loss(batch))?;
            model = step.model;
            loss += step.report.loss;
            uphill += step.report.ascent_loss.unwrap_or_default();
            passes += step.report.passes.gradients;
        }
        let n = batches.len() as f64;
        println!(
            "epoch {i}: loss {:.4}, uphill {:.4}, {passes} passes",
            loss / n,
            uphill / n
        );
    }
    println!("the record is of `{}`", optim.to_record()?.method());
    println!("test accuracy {:.1} %", 100.0 * model.accuracy(&test)?);
    Ok(())
}
