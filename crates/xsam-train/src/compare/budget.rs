//! Equal compute: as many passes for every method, whatever its steps cost.
//!
//! The unit is a forward-backward pass. A forward pass of a search is a third of one, since a backward pass
//! takes about twice the time of a forward pass.

use xsam_data::Dataset;

use crate::device::Place;
use crate::error::Error;
use crate::method;
use crate::spec::{CompareEntry, Spec};
use crate::task::{Classification, Task, Translation};

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
            let spec = candidate.run(0)?;
            if budget.steps == 0 {
                budget.steps = steps(&spec, data.clone())?;
            }
            let passes = budget.in_an_epoch(&spec) * spec.train.epochs as f64;
            budget.passes = budget.passes.max(passes);
        }
        Ok(budget)
    }

    /// The resolved spec with as many epochs as come nearest to the budget, and its schedule stretched to
    /// them.
    pub(super) fn stretched(&self, mut spec: Spec) -> Result<Spec, Error> {
        let before = spec.train.epochs;
        let epochs = (self.passes / self.in_an_epoch(&spec)).round() as usize;
        spec.train.epochs = epochs.max(before);
        let ratio = spec.train.epochs as f64 / before as f64;
        let schedule = &mut spec.schedule;
        schedule.warmup = times(schedule.warmup, ratio);
        schedule.step_size = schedule.step_size.map(|size| times(size, ratio));
        Ok(spec.resolved()?)
    }

    fn in_an_epoch(&self, spec: &Spec) -> f64 {
        let (gradients, searches) = method::passes(&spec.method, self.steps);
        passes(gradients, searches)
    }
}

/// Epochs times a ratio, to the nearest whole one.
fn times(epochs: usize, ratio: f64) -> usize {
    (epochs as f64 * ratio).round() as usize
}

/// Steps in an epoch of a run.
fn steps(spec: &Spec, data: Dataset) -> Result<usize, Error> {
    let place = Place::new(spec.train.device, spec.train.precision)?;
    Ok(match data {
        Dataset::Images(splits) => Classification::new(spec, splits, place)?.steps(),
        Dataset::Text(text) => Translation::new(spec, text, place)?.steps(),
    })
}
