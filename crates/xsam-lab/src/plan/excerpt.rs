//! Epochs that are cut short, while a log takes the time: the first batches of each, and evaluations of samples. A run
//! does all that it does without.

use std::cell::RefCell;
use std::time::Duration;

use burn::tensor::Tensor;

use super::log::Log;
use crate::curvature::{Probe, Reading};
use crate::score::{Measured, Scores};
use crate::stop::StopSignal;
use crate::task::{Batches, Task};
use crate::task_error::TaskError;
use crate::watch::Watch;

impl<T: Task> Watch<T> for RefCell<Log> {
    fn batches<'a>(
        &'a self,
        task: &'a T,
        epoch: usize,
        first: usize,
    ) -> Result<Box<dyn Batches<T::Batch> + 'a>, TaskError> {
        self.borrow_mut().begin_epoch();
        Ok(Box::new(First {
            batches: task.batches(epoch, first)?,
            task,
            log: self,
        }))
    }

    fn loss(
        &self,
        task: &T,
        model: &T::Model,
        batch: &T::Batch,
        noise: u64,
    ) -> (Tensor<1>, T::Output) {
        let passes = &mut self.borrow_mut().passes;
        passes.of(|| task.loss(model, batch, Some(noise)))
    }

    fn evaluate(
        &self,
        task: &T,
        model: &T::Model,
        _epochs: usize,
        _stop: &StopSignal,
    ) -> Result<Option<Scores>, TaskError> {
        let mut log = self.borrow_mut();
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
        let mut log = self.borrow_mut();
        if log.begin_sharpness() {
            let seconds = probe.seconds(task, model)?;
            log.end_sharpness(seconds);
        }
        Ok(Some(Reading::default()))
    }
}

/// The batches of an epoch until its steps are enough.
struct First<'a, T: Task> {
    batches: Box<dyn Batches<T::Batch> + 'a>,
    task: &'a T,
    log: &'a RefCell<Log>,
}

impl<T: Task> Iterator for First<'_, T> {
    type Item = Result<T::Batch, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.log.borrow().epoch_is_enough() {
            return None;
        }
        let batch = self.batches.next()?;
        if let Ok(batch) = &batch {
            self.log.borrow_mut().receive(self.task.size(batch));
        }
        Some(batch)
    }
}

impl<T: Task> Batches<T::Batch> for First<'_, T> {
    fn waited(&self) -> Duration {
        self.batches.waited()
    }
}
