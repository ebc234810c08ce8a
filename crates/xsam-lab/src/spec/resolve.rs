//! From what a spec says to what a run does: defaults filled in, ranges checked.

use xsam_flatness::Sharpness;

use super::{
    MethodSpec, OptimizerName, OptimizerSpec, RhoScheduleName, ScheduleBy, ScheduleName,
    ScheduleSpec, Spec, SpecError, TaskSpec, TrainSpec, method,
};
use crate::json;
use crate::method::build;

/// What is random in a step is drawn from a number that has 32 bits for the epoch.
const MOST_EPOCHS: usize = u32::MAX as usize;

/// A spec as it was asked for, and what it comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Experiment<S> {
    /// What is written down.
    pub(crate) asked: Spec<S>,
    pub(crate) spec: Spec<S>,
}

impl<S: TaskSpec> Experiment<S> {
    pub(crate) fn new(asked: Spec<S>) -> Result<Self, SpecError> {
        let spec = asked.clone().resolved()?;
        Ok(Self { asked, spec })
    }

    /// The same from another seed, one that [can be](check_seed).
    pub(crate) fn with_seed(&self, seed: u64) -> Self {
        let mut other = self.clone();
        other.asked.train.seed = seed;
        other.spec.train.seed = seed;
        other
    }
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
        build(&self.method)?;
        let needs_more = self.method.needs_logits()
            || self.method.needs_samples()
            || self.method.ascends_on_the_batch_before();
        if needs_more && self.train.m_sharpness.is_some() {
            let message = format!(
                "gives each part of a batch an ascent of its own, which `{}` cannot have: leave out one of them",
                self.method.name()
            );
            return Err(SpecError::new("train.m_sharpness", message));
        }
        self.method = self.method.resolved();
        self.asked = method::fields_in(&json::table(&self.method)?, &self.method);
        self.optimizer.resolve(&self.method)?;
        self.train.resolve()?;
        self.schedule.resolve(self.train.epochs)?;
        Ok(self)
    }
}

impl OptimizerSpec {
    fn resolve(&mut self, method: &MethodSpec) -> Result<(), SpecError> {
        if method.has_own_momentum() {
            self.momentum.get_or_insert(0.0);
            self.check_plain(method.name())?;
        }
        positive("optimizer.lr", self.lr)?;
        let decay = self.weight_decay;
        let ok = decay.is_finite() && decay >= 0.0;
        SpecError::unless(ok, "optimizer.weight_decay", decay, "finite and at least 0")?;
        let has_momentum = self.name == OptimizerName::Sgd;
        self.momentum = has_momentum.then(|| self.momentum.unwrap_or(0.9));
        if let Some(momentum) = self.momentum {
            let ok = (0.0..1.0).contains(&momentum);
            SpecError::unless(ok, "optimizer.momentum", momentum, "at least 0 and below 1")?;
        }
        self.clip_norm
            .map_or(Ok(()), |norm| positive("optimizer.clip_norm", norm))
    }

    /// Refuses what a method has of its own.
    fn check_plain(&self, method: &str) -> Result<(), SpecError> {
        let (field, value) = if self.name != OptimizerName::Sgd {
            ("name", self.name.to_string())
        } else if self.momentum.is_some_and(|momentum| momentum != 0.0) {
            ("momentum", self.momentum.unwrap_or_default().to_string())
        } else if self.weight_decay != 0.0 {
            ("weight_decay", self.weight_decay.to_string())
        } else {
            return Ok(());
        };
        let message = format!(
            "is {value}, and `{method}` has a scale, a momentum and a decay of its own: set optimizer.name = \"sgd\", \
             optimizer.momentum = 0 and optimizer.weight_decay = 0. A comparison has one optimizer for all its methods: \
             compare `{method}` in one of its own"
        );
        Err(SpecError::new(format!("optimizer.{field}"), message))
    }
}

impl TrainSpec {
    fn resolve(&mut self) -> Result<(), SpecError> {
        SpecError::within("train.epochs", self.epochs, 1..=MOST_EPOCHS)?;
        for (key, value) in [
            ("train.batch_size", self.batch_size),
            ("train.micro_batches", Some(self.micro_batches)),
            ("train.evaluate_every", Some(self.evaluate_every)),
            ("train.measure_every", self.measure_every),
            ("train.checkpoint_every", Some(self.checkpoint_every)),
            ("train.checkpoint_steps", self.checkpoint_steps),
            ("train.keep_checkpoints", Some(self.keep_checkpoints)),
            ("train.log_every", Some(self.log_every)),
            ("train.m_sharpness", self.m_sharpness),
        ] {
            at_least_1(key, value.unwrap_or(1))?;
        }
        if self.m_sharpness.is_some() && self.micro_batches > 1 {
            let message = "splits a batch, as train.m_sharpness does: leave out one of them";
            return Err(SpecError::new("train.micro_batches", message));
        }
        if self.m_sharpness.is_some() && self.sync_batch_norm {
            let message = "takes all ranks through the same passes, and with train.m_sharpness each makes its own: leave out \
                           one of them";
            return Err(SpecError::new("train.sync_batch_norm", message));
        }
        if self.precision.is_half() && self.measure_every.is_some() {
            let message = "differences of gradients have no digits in half precision: leave it out, and measure checkpoints by \
                           `flatness`, which computes in f32";
            return Err(SpecError::new("train.measure_every", message));
        }
        check_seed("train.seed", self.seed)?;
        let rho = self.measure_rho.unwrap_or(Sharpness::default().rho);
        positive("train.measure_rho", rho)?;
        self.measure_rho = self.measure_every.map(|_| rho);
        Ok(())
    }
}

impl ScheduleSpec {
    fn resolve(&mut self, epochs: usize) -> Result<(), SpecError> {
        let warmup = self.warmup;
        let below = format!("below train.epochs = {epochs}");
        SpecError::unless(warmup < epochs, "schedule.warmup", warmup, &below)?;
        let goes_by_steps = self.name == ScheduleName::InverseSqrt;
        if goes_by_steps && warmup > 0 {
            let message = "inverse-sqrt warms up by steps: leave it out, or set warmup_steps";
            return Err(SpecError::new("schedule.warmup", message));
        }
        if goes_by_steps && self.by == Some(ScheduleBy::Epoch) {
            let message = "inverse-sqrt goes by steps: leave it out";
            return Err(SpecError::new("schedule.by", message));
        }
        self.by.get_or_insert(match goes_by_steps {
            true => ScheduleBy::Step,
            false => ScheduleBy::Epoch,
        });
        self.warmup_steps = goes_by_steps.then(|| self.warmup_steps.unwrap_or(4000));
        at_least_1("schedule.warmup_steps", self.warmup_steps.unwrap_or(1))?;

        let is_linear = self.rho == RhoScheduleName::Linear;
        self.rho_least = is_linear.then(|| self.rho_least.unwrap_or(0.5));
        if let Some(least) = self.rho_least {
            let ok = (0.0..=1.0).contains(&least);
            SpecError::unless(ok, "schedule.rho_least", least, "from 0 to 1")?;
        }
        let is_step = self.name == ScheduleName::Step;
        self.step_size = is_step.then(|| self.step_size.unwrap_or(epochs.div_ceil(3)));
        self.gamma = is_step.then(|| self.gamma.unwrap_or(0.1));
        at_least_1("schedule.step_size", self.step_size.unwrap_or(1))?;
        positive("schedule.gamma", self.gamma.unwrap_or(1.0))
    }
}

fn positive(key: &str, value: f64) -> Result<(), SpecError> {
    let ok = value.is_finite() && value > 0.0;
    SpecError::unless(ok, key, value, "finite and above 0")
}

fn at_least_1(key: &str, value: usize) -> Result<(), SpecError> {
    SpecError::unless(value >= 1, key, value, "at least 1")
}

/// Refuses a seed that TOML, as which the spec is written, has no number for.
///
/// # Errors
/// If it is 2^63 or more.
pub fn check_seed(key: &str, seed: u64) -> Result<(), SpecError> {
    let ok = i64::try_from(seed).is_ok();
    SpecError::unless(ok, key, seed as f64, "below 2^63")
}
