//! Around any method: which steps are its own, and how rho is found.

mod budget;
mod measured;
mod policy;

pub use budget::LossBudget;
pub use measured::MeasuredRho;
pub use policy::AdaptivePolicy;

use super::{Context, Method, MethodState};
use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;
use measured::Follower;
use policy::Moments;

/// What stands around a method; none of it by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) from: Option<f64>,
    pub(crate) until: Option<f64>,
    pub(crate) every: Option<usize>,
    pub(crate) policy: Option<AdaptivePolicy>,
    pub(crate) loss_budget: Option<LossBudget>,
    pub(crate) measured: Option<MeasuredRho>,
}

impl Schedule {
    /// The method with this around it.
    pub(crate) fn around(self, method: Box<dyn Method>) -> Result<Box<dyn Method>, ConfigError> {
        if self == Self::default() {
            return Ok(method);
        }
        let share = |field, value: Option<f64>| {
            let ok = value.is_none_or(|value| (0.0..=1.0).contains(&value));
            let value = value.unwrap_or_default();
            ConfigError::unless(ok, field, value, "from 0 to 1, a share of the training")
        };
        share("from", self.from)?;
        share("until", self.until)?;
        check::at_least_one("every", self.every.unwrap_or(1))?;
        self.policy.map_or(Ok(()), AdaptivePolicy::check)?;
        self.loss_budget.map_or(Ok(()), LossBudget::check)?;
        self.measured.map_or(Ok(()), MeasuredRho::check)?;
        Ok(Box::new(Scheduled {
            method,
            acts: false,
            own_steps: 0,
            moments: self.policy.map(|_| Moments::default()),
            follower: self.measured.map(MeasuredRho::follower),
            schedule: self,
        }))
    }

    /// The steps, of so many, from which and before which the method acts.
    fn window(&self, steps: u64) -> (u64, u64) {
        let at = |share: f64| (share * steps as f64).round() as u64;
        let from = self.from.map_or(0, at);
        (from, self.until.map_or(steps, at).max(from))
    }

    /// In how many of so many steps the method acts, and in how many epochs there is such a step. With an adaptive policy it
    /// is what is to be expected.
    pub(crate) fn own(&self, epochs: usize, steps_per_epoch: usize) -> (usize, usize) {
        let steps = epochs.saturating_mul(steps_per_epoch);
        let (from, until) = self.window(steps as u64);
        let within = (until - from) as usize;
        let turns = within.div_ceil(self.every.unwrap_or(1).max(1));
        let own = match self.policy {
            None => turns,
            Some(policy) => {
                let at = |step: u64| step as f64 / steps.max(1) as f64;
                (turns as f64 * policy.expected(at(from), at(until))).round() as usize
            }
        };
        let per_epoch = steps_per_epoch.max(1);
        let first = from as usize / per_epoch;
        let epochs = (until as usize).div_ceil(per_epoch).saturating_sub(first);
        (own, epochs.min(own))
    }
}

/// A method with a schedule around it. In the steps that are not its own the base optimizer steps alone.
#[derive(Clone, Debug)]
struct Scheduled {
    method: Box<dyn Method>,
    schedule: Schedule,
    /// Whether this step is the method's own: all parts of a batch are alike.
    acts: bool,
    /// Steps that were its own.
    own_steps: u64,
    moments: Option<Moments>,
    follower: Option<Follower>,
}

impl Scheduled {
    /// Whether the step is the method's own.
    fn is_due(&mut self, start: &Evaluation, step: &Context<'_>) -> Result<bool, StepError> {
        let Schedule {
            from,
            until,
            every,
            policy,
            ..
        } = self.schedule;
        let number = step.number;
        // Without a share the length does not matter.
        let (first, end) = match (from, until) {
            (None, None) => (0, u64::MAX),
            (Some(_), _) => self.schedule.window(step.length_for("from")?),
            (None, Some(_)) => self.schedule.window(step.length_for("until")?),
        };
        let is_high = match (&mut self.moments, policy) {
            (Some(moments), Some(policy)) => {
                let share = share_made(step, "policy")?;
                // They follow all steps, also those in which nothing depends on them.
                let norm = start.norm.value()?;
                moments.take(policy, norm * norm, share)
            }
            _ => true,
        };
        let every = every.unwrap_or(1) as u64;
        let in_turn = (first..end).contains(&number) && (number - first).is_multiple_of(every);
        Ok(in_turn && is_high)
    }
}

/// The share of the training that was made before this step, for a hyper-parameter that depends on it.
fn share_made(step: &Context<'_>, field: &'static str) -> Result<f64, StepError> {
    Ok(step.number as f64 / step.length_for(field)?.max(1) as f64)
}

impl Method for Scheduled {
    fn name(&self) -> &'static str {
        self.method.name()
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        if step.part == 0 {
            self.acts = self.is_due(&start, step)?;
        }
        if !self.acts {
            return Ok(Update::new(start.gradient, Some(start.norm)));
        }
        let loss = start.loss.clone();
        let (number, rho_factor) = (step.number, step.rho_factor);
        if let Some(budget) = self.schedule.loss_budget {
            step.loss_budget = Some(budget.at(share_made(step, "loss_budget")?));
        }
        step.number = self.own_steps;
        step.rho_factor *= self.follower.as_ref().map_or(1.0, Follower::factor);
        let update = self.method.update(start, step)?;
        (step.number, step.rho_factor) = (number, rho_factor);
        if let Some(follower) = &mut self.follower {
            follower.take(loss, step.rise.clone(), step.parts);
        }
        if step.part + 1 == step.parts {
            self.own_steps += 1;
            if let Some(follower) = &mut self.follower {
                follower.follow();
            }
        }
        Ok(update)
    }

    fn needs_logits(&self) -> bool {
        self.method.needs_logits()
    }

    fn needs_samples(&self) -> bool {
        self.method.needs_samples()
    }

    fn start_epoch(&mut self) {
        self.method.start_epoch();
    }

    fn keeps_gradients(&self) -> bool {
        self.moments.is_some() || self.follower.is_some() || self.method.keeps_gradients()
    }

    fn state(&self) -> MethodState {
        let mut state = self.method.state();
        state = state.with_scalar("schedule.own_steps", self.own_steps);
        if let Some(moments) = &self.moments {
            state = moments.state(state);
        }
        match &self.follower {
            Some(follower) => follower.state(state),
            None => state,
        }
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        let own_steps = state.scalar("schedule.own_steps")?;
        let moments = self.moments.as_ref().map(|_| Moments::of_state(state));
        let moments = moments.transpose()?;
        let mut follower = self.follower.clone();
        if let Some(follower) = &mut follower {
            follower.load_state(state)?;
        }
        self.method.load_state(state)?;
        (self.own_steps, self.moments, self.follower) = (own_steps, moments, follower);
        Ok(())
    }
}
