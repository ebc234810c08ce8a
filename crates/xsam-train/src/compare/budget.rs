//! Equal compute: as many passes for every method, whatever its steps cost.
//!
//! The unit is a forward-backward pass. A forward pass of a search is a third of one, since a backward pass
//! takes about twice the time of a forward pass.

use xsam_data::Dataset;

use crate::device::Place;
use crate::error::Error;
use crate::method::Work;
use crate::spec::{CompareEntry, Spec};
use crate::task::{Task, Translation, classification};

/// What a forward pass is of a forward-backward pass.
const FORWARD: f64 = 1.0 / 3.0;

/// Forward-backward passes, with the forward passes of searches among them.
pub(crate) fn passes(gradients: f64, searches: f64) -> f64 {
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
    /// As many as the costliest candidate has in the epochs of its spec.
    pub(super) fn of(entries: &[CompareEntry], data: &Dataset) -> Result<Self, Error> {
        let mut budget = Self {
            passes: 0.0,
            steps: 0,
        };
        for candidate in entries.iter().flat_map(|entry| &entry.candidates) {
            let spec = candidate.run(0).resolved()?;
            if budget.steps == 0 {
                budget.steps = steps(&spec, data)?;
            }
            let passes = budget.of_epochs(&spec, spec.train.epochs);
            budget.passes = budget.passes.max(passes);
        }
        Ok(budget)
    }

    /// The spec with as many epochs as come nearest to the budget, and its schedule stretched to them.
    pub(super) fn stretched(&self, mut asked: Spec) -> Result<Spec, Error> {
        let spec = asked.clone().resolved()?;
        let before = spec.train.epochs;
        let in_an_epoch = self.of_epochs(&spec, before) / before as f64;
        let epochs = (self.passes / in_an_epoch).round() as usize;
        if epochs <= before {
            return Ok(asked);
        }
        asked.train.epochs = epochs;
        let ratio = epochs as f64 / before as f64;
        let schedule = &mut asked.schedule;
        schedule.warmup = times(schedule.warmup, ratio);
        // The default of these is a number of steps, and that of the next a share of the epochs.
        if let Some(steps) = spec.schedule.warmup_steps {
            schedule.warmup_steps = Some(times(steps, ratio));
        }
        schedule.step_size = schedule.step_size.map(|size| times(size, ratio));
        asked.clone().resolved()?;
        Ok(asked)
    }

    /// Passes of so many epochs.
    fn of_epochs(&self, spec: &Spec, epochs: usize) -> f64 {
        let work = Work::of(&spec.method, epochs, self.steps);
        passes(work.gradient_passes() as f64, work.search_passes() as f64)
    }
}

/// Epochs, or steps, times a ratio, to the nearest whole one.
fn times(count: usize, ratio: f64) -> usize {
    (count as f64 * ratio).round() as usize
}

/// Steps in an epoch of a run.
fn steps(spec: &Spec, data: &Dataset) -> Result<usize, Error> {
    Ok(match data {
        Dataset::Images(splits) => {
            let images = spec.data.subset.unwrap_or(splits.train.len());
            classification::steps(&spec.train, images)
        }
        // How many subwords a sentence has, and so which batch it is in, a tokenizer has to be trained for.
        Dataset::Text(text) => {
            let place = Place::new(spec.train.device, spec.train.precision)?;
            Translation::new(spec, text.clone(), place)?.steps()
        }
    })
}
