//! From what a spec says to what a run does: defaults filled in, ranges checked.

use xsam_data::DatasetName;

use super::{OptimizerName, RhoScheduleName, ScheduleBy, ScheduleName, Spec, SpecError, TrainSpec};
use crate::method;

/// What is random in a step is drawn from a number that has 32 bits for the epoch.
const MOST_EPOCHS: usize = u32::MAX as usize;

/// More could never be of use: one prepares some 10^5 images of CIFAR a second.
const MOST_WORKERS: usize = 64;

const ABOVE_ZERO: &str = "finite and above 0";

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

impl Spec {
    /// The spec with the values of `[data]` and `[augmentation]` that a run uses, and no others; both
    /// checked.
    ///
    /// # Errors
    /// Names the first key of them whose value cannot be, and what could.
    pub fn data_resolved(mut self) -> Result<Self, SpecError> {
        self.data.check()?;
        self.data.resolve();
        self.augmentation.check()?;
        self.augmentation.resolve(self.data.name)?;
        if let Some(sizes) = self.data.sizes() {
            self.augmentation.check_size(sizes)?;
        }
        Ok(self)
    }

    /// What the spec comes to: all values that the run uses, and no others; checked. It is for use, and not for a file
    /// that is read as a spec: a default that depends on another field no longer follows it there.
    ///
    /// # Errors
    /// Names the first key whose value cannot be, and what could. Of data whose sizes are not known
    /// before they are loaded, what depends on them is checked then.
    pub fn resolved(mut self) -> Result<Self, SpecError> {
        self = self.data_resolved()?;
        self.model.resolve(self.data.name)?;
        self.translation.resolve(self.data.name)?;
        self.train.resolve(self.data.name)?;
        if let Some(sizes) = self.data.sizes() {
            self.check_data(sizes)?;
        }

        self.method = method::resolved(&self.method)?;
        method::build(&self.method)?;

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
            ("train.batch_tokens", train.batch_tokens.unwrap_or(1)),
            ("train.micro_batches", train.micro_batches),
            ("train.evaluate_every", train.evaluate_every),
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
        if let (Some(tokens), Some(longest)) = (train.batch_tokens, self.translation.max_length)
            && tokens < longest
        {
            let message = format!("{tokens} must be at least translation.max_length = {longest}");
            return Err(SpecError::new("train.batch_tokens", message));
        }
        if let Some(parts) = self.method.m_sharpness {
            SpecError::unless(parts >= 1, "method.m_sharpness", parts, "at least 1")?;
            if train.micro_batches > 1 {
                let message = "splits a batch, as method.m_sharpness does: leave out one of them";
                return Err(SpecError::new("train.micro_batches", message));
            }
        }
        let workers = train.workers.unwrap_or_default();
        SpecError::unless(
            workers <= MOST_WORKERS,
            "train.workers",
            workers,
            "at most 64",
        )?;
        let smoothing = train.label_smoothing.unwrap_or_default();
        let ok = (0.0..1.0).contains(&smoothing);
        SpecError::unless(
            ok,
            "train.label_smoothing",
            smoothing,
            "at least 0 and below 1",
        )?;
        // TOML has no larger whole numbers, and the spec is written as TOML.
        for (key, seed) in [
            ("train.seed", Some(train.seed)),
            ("data.split_seed", self.data.split_seed),
        ] {
            if let Some(seed) = seed {
                let ok = i64::try_from(seed).is_ok();
                SpecError::unless(ok, key, seed as f64, "below 2^63")?;
            }
        }

        let schedule = &mut self.schedule;
        let (warmup, epochs) = (schedule.warmup, train.epochs);
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

impl TrainSpec {
    /// Fills in what the kind of data decides, and refuses what it has no use for.
    fn resolve(&mut self, data: DatasetName) -> Result<(), SpecError> {
        let out = |key: &str, why: &str| {
            let message = format!("{data} is {why}: leave it out");
            Err(SpecError::new(format!("train.{key}"), message))
        };
        if !data.is_text() {
            self.batch_size.get_or_insert(125);
            self.label_smoothing.get_or_insert(0.0);
            self.workers.get_or_insert(1);
            return match self.batch_tokens {
                None => Ok(()),
                Some(_) => out("batch_tokens", "of images, which have none"),
            };
        }
        self.label_smoothing.get_or_insert(0.1);
        match (self.workers, self.batch_size, self.batch_tokens) {
            (Some(_), _, _) => out("workers", "text, which takes no time to prepare"),
            (None, Some(_), Some(_)) => {
                let message = "is one way to say how large a batch is, and batch_size is the other: \
                               leave out one of them";
                Err(SpecError::new("train.batch_tokens", message))
            }
            (None, None, None) => {
                self.batch_tokens = Some(4096);
                Ok(())
            }
            (None, _, _) => Ok(()),
        }
    }
}
