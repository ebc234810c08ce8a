//! From what a spec says to what a run does: defaults filled in, ranges checked.

use super::{OptimizerName, ScheduleName, Spec, SpecError};
use crate::method;

const ABOVE_ZERO: &str = "finite and above 0";

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

impl Spec {
    /// The spec with all values that the run uses, and no others; checked.
    ///
    /// # Errors
    /// Names the first key whose value cannot be, and what could. Of data whose sizes are not known
    /// before they are loaded, what depends on them is checked then.
    pub fn resolved(mut self) -> Result<Self, SpecError> {
        let range = |key: &str, value: f64, ok: bool, range: &str| match ok {
            true => Ok(()),
            false => Err(SpecError::new(key, format!("{value} must be {range}"))),
        };
        self.data.check()?;
        self.data.resolve();
        self.model.width = self.model.width.or(self.model.name.default_width());
        if let Some(sizes) = self.data.sizes() {
            self.check_data(sizes)?;
        }

        self.method = method::resolved(&self.method)?;
        method::build(&self.method)?;

        let optimizer = &mut self.optimizer;
        range(
            "optimizer.lr",
            optimizer.lr,
            positive(optimizer.lr),
            ABOVE_ZERO,
        )?;
        let decay = optimizer.weight_decay;
        let ok = decay.is_finite() && decay >= 0.0;
        range("optimizer.weight_decay", decay, ok, "finite and at least 0")?;
        optimizer.momentum = match optimizer.name {
            OptimizerName::Sgd => Some(optimizer.momentum.unwrap_or(0.9)),
            OptimizerName::Adam | OptimizerName::AdamW => None,
        };
        if let Some(momentum) = optimizer.momentum {
            let ok = (0.0..1.0).contains(&momentum);
            range("optimizer.momentum", momentum, ok, "at least 0 and below 1")?;
        }
        if let Some(norm) = optimizer.clip_norm {
            range("optimizer.clip_norm", norm, positive(norm), ABOVE_ZERO)?;
        }

        let train = &self.train;
        for (key, value) in [
            ("train.epochs", train.epochs),
            ("train.batch_size", train.batch_size),
            ("train.checkpoint_every", train.checkpoint_every),
        ] {
            range(key, value as f64, value >= 1, "at least 1")?;
        }
        // TOML has no larger whole numbers, and the spec is written as TOML.
        for (key, seed) in [
            ("train.seed", Some(train.seed)),
            ("data.split_seed", self.data.split_seed),
        ] {
            if let Some(seed) = seed {
                let ok = i64::try_from(seed).is_ok();
                range(key, seed as f64, ok, "below 2^63")?;
            }
        }

        let schedule = &mut self.schedule;
        let (warmup, epochs) = (schedule.warmup, train.epochs);
        let below = format!("below train.epochs = {epochs}");
        range("schedule.warmup", warmup as f64, warmup < epochs, &below)?;
        let is_step = schedule.name == ScheduleName::Step;
        schedule.step_size = is_step.then(|| schedule.step_size.unwrap_or(epochs.div_ceil(3)));
        schedule.gamma = is_step.then(|| schedule.gamma.unwrap_or(0.1));
        if let (Some(step_size), Some(gamma)) = (schedule.step_size, schedule.gamma) {
            range(
                "schedule.step_size",
                step_size as f64,
                step_size >= 1,
                "at least 1",
            )?;
            range("schedule.gamma", gamma, positive(gamma), ABOVE_ZERO)?;
        }
        Ok(self)
    }
}
