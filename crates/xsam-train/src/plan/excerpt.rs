//! A task whose epochs are cut short, and that takes the time.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use burn::tensor::Tensor;

use super::log::Log;
use crate::error::Error;
use crate::evaluation::Score;
use crate::event::StopSignal;
use crate::task::{Batches, Hits, SampleSizes, Scores, Task};
use crate::trained::TrainedModel;

/// The first batches of each epoch of a task, and evaluations of samples. A run on it does all that a run on the
/// task does, and the log has the times.
pub(super) struct Excerpt<'a, T> {
    task: T,
    log: &'a RefCell<Log>,
}

impl<'a, T> Excerpt<'a, T> {
    pub(super) fn new(task: T, log: &'a RefCell<Log>) -> Self {
        Self { task, log }
    }
}

impl<T: Task> Task for Excerpt<'_, T> {
    type Model = T::Model;
    type Batch = T::Batch;
    type Output = T::Output;

    fn unpack(trained: TrainedModel) -> Option<T::Model> {
        T::unpack(trained)
    }

    fn model(&self) -> Result<T::Model, Error> {
        self.task.model()
    }

    fn steps(&self) -> usize {
        self.task.steps()
    }

    fn batches(&self, epoch: usize, first: usize) -> Result<impl Batches<T::Batch>, Error> {
        self.log.borrow_mut().begin_epoch();
        Ok(First {
            batches: self.task.batches(epoch, first)?,
            excerpt: self,
        })
    }

    fn loss(&self, model: &T::Model, batch: &T::Batch, seed: u64) -> (Tensor<1>, T::Output) {
        let mut log = self.log.borrow_mut();
        log.passes().of(|| self.task.loss(model, batch, seed))
    }

    fn parts(&self, batch: T::Batch, count: usize) -> Result<Vec<(T::Batch, f64)>, Error> {
        self.task.parts(batch, count)
    }

    fn hits(&self, batch: &T::Batch, output: T::Output) -> Result<Hits, Error> {
        self.task.hits(batch, output)
    }

    fn changed_labels(&self) -> usize {
        self.task.changed_labels()
    }

    fn keep(&self, directory: &Path, goes_on: bool) -> Result<(), Error> {
        self.task.keep(directory, goes_on)
    }

    fn sample(&self, sizes: SampleSizes, seed: u64) -> Result<Vec<(T::Batch, usize)>, Error> {
        self.task.sample(sizes, seed)
    }

    fn plain_loss(&self, model: &T::Model, batch: &T::Batch, masks: Option<u64>) -> Tensor<1> {
        self.task.plain_loss(model, batch, masks)
    }

    fn scores(
        &self,
        model: &T::Model,
        _epochs: usize,
        _stop: &StopSignal,
    ) -> Result<Option<Scores>, Error> {
        let mut log = self.log.borrow_mut();
        log.begin_evaluation();
        let (score, share) = self.task.sampled_score(model)?;
        log.end_evaluation(share);
        if log.is_to_translate() {
            let share = self.task.sampled_translation(model)?;
            log.end_translation(share);
        }
        // All alike, so that no epoch but the first is the best one, which has a checkpoint of its own.
        let score = Score {
            accuracy: 0.0,
            ..score
        };
        Ok(Some(Scores {
            validation: score,
            test: score,
            files: Vec::new(),
            warnings: Vec::new(),
        }))
    }

    fn size(&self, batch: &T::Batch) -> usize {
        self.task.size(batch)
    }

    fn epoch_size(&self) -> Result<usize, Error> {
        self.task.epoch_size()
    }

    fn sampled_score(&self, model: &T::Model) -> Result<(Score, f64), Error> {
        self.task.sampled_score(model)
    }

    fn sampled_translation(&self, model: &T::Model) -> Result<Option<f64>, Error> {
        self.task.sampled_translation(model)
    }
}

/// The batches of an epoch until its steps are enough.
struct First<'a, 'b, T, B> {
    batches: B,
    excerpt: &'a Excerpt<'b, T>,
}

impl<T: Task, B: Batches<T::Batch>> Iterator for First<'_, '_, T, B> {
    type Item = Result<T::Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let log = self.excerpt.log;
        if log.borrow().epoch_is_enough() {
            return None;
        }
        let batch = self.batches.next()?;
        if let Ok(batch) = &batch {
            log.borrow_mut().receive(self.excerpt.size(batch));
        }
        Some(batch)
    }
}

impl<T: Task, B: Batches<T::Batch>> Batches<T::Batch> for First<'_, '_, T, B> {
    fn waited(&self) -> Duration {
        self.batches.waited()
    }
}
