//! Batches from encoded pairs.

use std::iter::Skip;
use std::time::{Duration, Instant};
use std::vec;

use xsam_lab::{Batches, TaskError};

use super::Translation;
use super::pairs::{Pairs, tensors};

/// Batches that are put together when they are asked for: that takes a thousandth of a step.
pub(super) struct Gathering<'a> {
    pub(super) task: &'a Translation,
    pub(super) order: Skip<vec::IntoIter<Vec<usize>>>,
    pub(super) waited: Duration,
}

impl Iterator for Gathering<'_> {
    type Item = Result<Pairs, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = Instant::now();
        let batch = self.task.train.padded(&self.order.next()?);
        let batch = batch.map(|batch| tensors(batch, &self.task.place));
        self.waited += start.elapsed();
        Some(batch.map_err(TaskError::from))
    }
}

impl Batches<Pairs> for Gathering<'_> {
    fn waited(&self) -> Duration {
        self.waited
    }
}
