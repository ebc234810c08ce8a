//! Equal compute: as many passes for every method, whatever its steps cost.
//!
//! The unit is a forward-backward pass. A forward pass of a search is a third of one, since a backward pass
//! takes about twice the time of a forward pass.

use crate::error::Error;
use crate::spec::{Experiment, Spec, TaskSpec};

/// What a forward pass is of a forward-backward pass.
const FORWARD: f64 = 1.0 / 3.0;

/// Forward-backward passes, with the forward passes of searches among them.
pub fn passes(gradients: f64, searches: f64) -> f64 {
    gradients + FORWARD * searches
}

/// The passes that every run may have.
#[derive(Debug)]
pub(super) struct Budget {
    passes: f64,
    /// Steps in an epoch, which are those of all methods.
    steps: usize,
}

impl Budget {
    /// As many as the costliest of these has, in the epochs of its spec. All have so many `steps` in an epoch.
    pub(super) fn of<S: TaskSpec>(specs: &[Spec<S>], steps: usize) -> Self {
        let mut budget = Self { passes: 0.0, steps };
        let passes = specs
            .iter()
            .map(|spec| budget.of_epochs(spec, spec.train.epochs));
        budget.passes = passes.fold(0.0, f64::max);
        budget
    }

    /// The experiment with as many epochs as come nearest to the budget, and its schedule stretched to them.
    pub(super) fn stretched<S: TaskSpec>(
        &self,
        experiment: Experiment<S>,
    ) -> Result<Experiment<S>, Error> {
        let before = experiment.spec.train.epochs;
        let in_an_epoch = self.of_epochs(&experiment.spec, before) / before as f64;
        let epochs = (self.passes / in_an_epoch).round() as usize;
        if epochs <= before {
            return Ok(experiment);
        }
        let Experiment { mut asked, spec } = experiment;
        asked.train.epochs = epochs;
        let ratio = epochs as f64 / before as f64;
        let schedule = &mut asked.schedule;
        schedule.warmup = times(schedule.warmup, ratio);
        // The default of these is a number of steps, and that of the next a share of the epochs.
        if let Some(steps) = spec.schedule.warmup_steps {
            schedule.warmup_steps = Some(times(steps, ratio));
        }
        schedule.step_size = schedule.step_size.map(|size| times(size, ratio));
        Ok(Experiment::new(asked)?)
    }

    /// Passes of so many epochs.
    fn of_epochs<S>(&self, spec: &Spec<S>, epochs: usize) -> f64 {
        let work = spec.method.work(epochs, self.steps);
        passes(work.gradient_passes() as f64, work.search_passes() as f64)
    }
}

/// Epochs, or steps, times a ratio, to the nearest whole one.
fn times(count: usize, ratio: f64) -> usize {
    (count as f64 * ratio).round() as usize
}
