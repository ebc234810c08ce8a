//! What a task is made of.

use std::path::Path;

use burn::tensor::Tensor;
use burn::tensor::kind::Autodiff;

use crate::minibatches::Minibatches;
use crate::place::Place;
use crate::rows::Rows;
use crate::shared::Shared;
use crate::spec::Spec;

/// What a task is made of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Setup<'a, S> {
    /// What the spec of the run comes to. The task's own sections are in its field `task`.
    pub spec: &'a Spec<S>,
    /// Where and in which number format its tensors are.
    pub place: &'a Place,
    /// The directory of a run whose weights are to be used, if what it has [kept](crate::Task::keep) counts, and not what
    /// the data would make.
    pub run: Option<&'a Path>,
    /// Data that were loaded before, by runs of the same comparison.
    pub shared: &'a Shared,
}

impl<'a, S> Setup<'a, S> {
    pub(crate) fn new(spec: &'a Spec<S>, place: &'a Place, shared: &'a Shared) -> Self {
        Self {
            spec,
            place,
            run: None,
            shared,
        }
    }

    /// With what a run has kept.
    pub(crate) fn of_run(self, run: Option<&'a Path>) -> Self {
        Self { run, ..self }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.spec.train.seed
    }

    /// `items` items of training data in batches of `train.batch_size`, in an order that the seed and the epoch decide.
    pub fn minibatches(&self, items: usize) -> Minibatches {
        let size = self.spec.train.batch_size.unwrap_or(items);
        Minibatches::new(items, size, self.seed())
    }

    /// A table that is held whole on the device: the first `train` rows of it, in [`minibatches`](Self::minibatches), then
    /// `validation` rows, and the others for the test.
    pub fn rows<const D: usize, K: Autodiff>(
        &self,
        table: Tensor<D, K>,
        train: usize,
        validation: usize,
    ) -> Rows<D, K> {
        Rows::new(table, [train, validation], self.minibatches(train))
    }
}
