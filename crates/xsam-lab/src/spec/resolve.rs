//! From what a spec says to what a run does: defaults filled in, ranges checked.

use xsam_flatness::Sharpness;

use super::{OptimizerName, RhoScheduleName, ScheduleBy, ScheduleName, Spec, SpecError, TaskSpec};
use crate::method;

/// What is random in a step is drawn from a number that has 32 bits for the epoch.
const MOST_EPOCHS: usize = u32::MAX as usize;

const ABOVE_ZERO: &str = "finite and above 0";

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

impl<S: TaskSpec> Spec<S> {
    /// What the spec comes to: all values that the run uses, and no others; checked. It is for use, and not for a file
    /// that is read as a spec: a default that depends on another field no longer follows it there.
    ///
    /// # Errors
    /// Names the first key whose value cannot be, and what could.
    pub fn resolved(mut self) -> Result<Self, SpecError> {
        self.task.resolve(&mut self.train)?;
        // Without an ascent there is none that parts could have of their own.
        let ascends = self.method.rho().is_some();
        self.train.m_sharpness = self.train.m_sharpness.filter(|_| ascends);
        method::build(&self.method)?;
        self.method = self.method.resolved();

        let optimizer = &mut self.optimizer;
        SpecError::unless(
            positive(optimizer.lr),
            "optimizer.lr",
            optimizer.lr,
            ABOVE_ZERO,
        )?;
        let decay = optimizer.weight_decay;
        let ok = decay.is_finite() && decay >= 0.0;
        SpecError::unless(ok, "optimizer.weight_decay", decay, "finite and at least 0")?;
        optimizer.momentum = match optimizer.name {
            OptimizerName::Sgd => Some(optimizer.momentum.unwrap_or(0.9)),
            OptimizerName::Adam | OptimizerName::AdamW => None,
        };
        if let Some(momentum) = optimizer.momentum {
            let ok = (0.0..1.0).contains(&momentum);
            SpecError::unless(ok, "optimizer.momentum", momentum, "at least 0 and below 1")?;
        }
        if let Some(norm) = optimizer.clip_norm {
            SpecError::unless(positive(norm), "optimizer.clip_norm", norm, ABOVE_ZERO)?;
        }

        let train = &self.train;
        SpecError::within("train.epochs", train.epochs, 1..=MOST_EPOCHS)?;
        for (key, value) in [
            ("train.batch_size", train.batch_size.unwrap_or(1)),
            ("train.micro_batches", train.micro_batches),
            ("train.evaluate_every", train.evaluate_every),
            ("train.measure_every", train.measure_every.unwrap_or(1)),
            ("train.checkpoint_every", train.checkpoint_every),
            (
                "train.checkpoint_steps",
                train.checkpoint_steps.unwrap_or(1),
            ),
            ("train.keep_checkpoints", train.keep_checkpoints),
            ("train.log_every", train.log_every),
        ] {
            SpecError::unless(value >= 1, key, value, "at least 1")?;
        }
        if let Some(parts) = train.m_sharpness {
            SpecError::unless(parts >= 1, "train.m_sharpness", parts, "at least 1")?;
            if train.micro_batches > 1 {
                let message = "splits a batch, as train.m_sharpness does: leave out one of them";
                return Err(SpecError::new("train.micro_batches", message));
            }
        }
        check_seed("train.seed", train.seed)?;
        if let Some(rho) = train.measure_rho {
            SpecError::unless(positive(rho), "train.measure_rho", rho, ABOVE_ZERO)?;
        }
        let rho = train.measure_rho.unwrap_or(Sharpness::default().rho);
        self.train.measure_rho = train.measure_every.map(|_| rho);

        let schedule = &mut self.schedule;
        let (warmup, epochs) = (schedule.warmup, self.train.epochs);
        let below = format!("below train.epochs = {epochs}");
        SpecError::unless(warmup < epochs, "schedule.warmup", warmup, &below)?;
        let is_inverse_sqrt = schedule.name == ScheduleName::InverseSqrt;
        if is_inverse_sqrt && warmup > 0 {
            let message = "inverse-sqrt warms up by steps: leave it out, or set warmup_steps";
            return Err(SpecError::new("schedule.warmup", message));
        }
        let by = if is_inverse_sqrt {
            ScheduleBy::Step
        } else {
            ScheduleBy::Epoch
        };
        if is_inverse_sqrt && schedule.by == Some(ScheduleBy::Epoch) {
            let message = "inverse-sqrt goes by steps: leave it out";
            return Err(SpecError::new("schedule.by", message));
        }
        schedule.by.get_or_insert(by);
        schedule.warmup_steps = is_inverse_sqrt.then(|| schedule.warmup_steps.unwrap_or(4000));
        if let Some(steps) = schedule.warmup_steps {
            SpecError::unless(steps >= 1, "schedule.warmup_steps", steps, "at least 1")?;
        }
        let is_linear = schedule.rho == RhoScheduleName::Linear;
        schedule.rho_least = is_linear.then(|| schedule.rho_least.unwrap_or(0.5));
        if let Some(least) = schedule.rho_least {
            let ok = (0.0..=1.0).contains(&least);
            SpecError::unless(ok, "schedule.rho_least", least, "from 0 to 1")?;
        }
        let is_step = schedule.name == ScheduleName::Step;
        schedule.step_size = is_step.then(|| schedule.step_size.unwrap_or(epochs.div_ceil(3)));
        schedule.gamma = is_step.then(|| schedule.gamma.unwrap_or(0.1));
        if let (Some(step_size), Some(gamma)) = (schedule.step_size, schedule.gamma) {
            SpecError::unless(
                step_size >= 1,
                "schedule.step_size",
                step_size,
                "at least 1",
            )?;
            SpecError::unless(positive(gamma), "schedule.gamma", gamma, ABOVE_ZERO)?;
        }
        Ok(self)
    }
}

/// Refuses a seed that TOML, as which the spec is written, has no number for.
///
/// # Errors
/// If it is 2^63 or more.
pub fn check_seed(key: &str, seed: u64) -> Result<(), SpecError> {
    let ok = i64::try_from(seed).is_ok();
    SpecError::unless(ok, key, seed as f64, "below 2^63")
}
