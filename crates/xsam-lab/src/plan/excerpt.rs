//! Epochs that are cut short, while somebody takes the time.

use std::cell::RefCell;
use std::iter;

use burn::tensor::Tensor;

use super::log::Log;
use crate::curvature::{Probe, Reading};
use crate::score::{Measured, Scores};
use crate::stop::StopSignal;
use crate::task::{Batches, Task};
use crate::task_error::TaskError;
use crate::watch::Watch;

/// The first batches of each epoch of a task, and evaluations of samples. A run does all that it does without, and the log
/// has the times.
pub(super) struct Excerpt<'a> {
    log: &'a RefCell<Log>,
}

impl<'a> Excerpt<'a> {
    pub(super) fn new(log: &'a RefCell<Log>) -> Self {
        Self { log }
    }
}

impl<T: Task> Watch<T> for Excerpt<'_> {
    fn batches<'a>(
        &'a self,
        task: &'a T,
        epoch: usize,
        first: usize,
    ) -> Result<Batches<'a, T::Batch>, TaskError> {
        self.log.borrow_mut().begin_epoch();
        let mut batches = task.batches(epoch, first)?;
        // Until its steps are enough.
        Ok(Box::new(iter::from_fn(move || {
            if self.log.borrow().epoch_is_enough() {
                return None;
            }
            let batch = batches.next()?;
            if let Ok(batch) = &batch {
                self.log.borrow_mut().receive(task.size(batch));
            }
            Some(batch)
        })))
    }

    fn loss(
        &self,
        task: &T,
        model: &T::Model,
        batch: &T::Batch,
        noise: u64,
    ) -> (Tensor<1>, T::Output) {
        let mut log = self.log.borrow_mut();
        log.passes().of(|| task.loss(model, batch, Some(noise)))
    }

    fn evaluate(
        &self,
        task: &T,
        model: &T::Model,
        _epochs: usize,
        _stop: &StopSignal,
    ) -> Result<Option<Scores>, TaskError> {
        let mut log = self.log.borrow_mut();
        log.begin_evaluation();
        let (_, share) = task.sampled_score(model)?;
        log.end_evaluation(share);
        if log.has_further() {
            let share = task.sampled_further(model)?;
            log.end_further(share);
        }
        // All alike, so that no epoch but the first is the best one, which has a checkpoint of its own.
        let values = T::scores().into_iter().filter(|score| !score.costly);
        let alike = Measured {
            loss: 0.0,
            values: values.map(|score| (score.name.into_owned(), 0.0)).collect(),
        };
        Ok(Some(Scores::new(alike.clone(), alike)))
    }

    fn sharpness(
        &self,
        task: &T,
        model: &T::Model,
        probe: &Probe,
        _stop: &StopSignal,
    ) -> Result<Option<Reading>, TaskError> {
        let mut log = self.log.borrow_mut();
        if log.begin_sharpness() {
            let seconds = probe.seconds(task, model)?;
            log.end_sharpness(seconds);
        }
        Ok(Some(Reading::default()))
    }
}
