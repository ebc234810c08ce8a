//! Data that are one tensor.

use burn::tensor::kind::Autodiff;
use burn::tensor::{Float, Int, Tensor, TensorData};

use crate::minibatches::{Batches, Minibatches};
use crate::score::Part;

/// Rows in a batch when a model is evaluated. The result does not depend on it.
const EVALUATED: usize = 256;

/// A table of data that is held whole on the device of a run, a row along the first dimension for each item. A batch is
/// some rows of it; [`Setup::rows`](crate::Setup::rows) makes one.
#[derive(Debug)]
pub struct Rows<const D: usize, K: Autodiff = Float> {
    /// In the order of [`Part::ALL`], without autodiff.
    parts: [Tensor<D, K>; 3],
    batches: Minibatches,
}

impl<const D: usize, K: Autodiff> Rows<D, K> {
    /// Of so many rows to train and to validate on; the rest is for the test.
    pub(crate) fn new(
        table: Tensor<D, K>,
        [train, validation]: [usize; 2],
        batches: Minibatches,
    ) -> Self {
        let (table, all) = (table.inner(), train + validation);
        let parts = [0..train, train..all, all..table.dims()[0]];
        Self {
            parts: parts.map(|rows| table.clone().slice(rows)),
            batches,
        }
    }

    /// Batches in an epoch.
    pub fn steps(&self) -> usize {
        self.batches.steps()
    }

    /// The training rows of a step of an epoch, with autodiff.
    pub fn batch(&self, epoch: usize, step: usize) -> Tensor<D, K> {
        let [train, ..] = &self.parts;
        let chosen = TensorData::from(self.batches.of(epoch, step).as_slice());
        let chosen = Tensor::<1, Int>::from_data(chosen, &train.device());
        train.clone().select(0, chosen).autodiff()
    }

    /// All rows of a part, in batches without autodiff.
    pub fn held_out(&self, part: Part) -> Batches<'_, Tensor<D, K>> {
        let rows = &self.parts[part as usize];
        let count = rows.dims()[0];
        let firsts = (0..count).step_by(EVALUATED);
        Box::new(firsts.map(move |first| {
            let last = count.min(first + EVALUATED);
            Ok(rows.clone().slice(first..last))
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::tensor::Device;

    use super::*;

    #[test]
    fn every_row_is_of_one_part() {
        let device = Device::flex();
        let table = Tensor::<1, Int>::arange(0..300, &device).unsqueeze_dim::<2>(1);
        let rows = Rows::new(table, [7, 4], Minibatches::new(7, 3, 0));
        let numbers = |rows: Tensor<2, Int>| -> Vec<i64> { rows.into_data().iter().collect() };
        let steps = (0..rows.steps()).map(|step| rows.batch(1, step));
        let mut all: Vec<i64> = steps
            .inspect(|batch| assert!(batch.is_autodiff()))
            .flat_map(numbers)
            .collect();
        assert_eq!(all.len(), 7);
        for part in [Part::Validation, Part::Test] {
            let batches = rows.held_out(part).map(Result::unwrap);
            all.extend(batches.flat_map(numbers));
        }
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<i64>>());
        assert_eq!(rows.held_out(Part::Test).count(), 2);
        assert_eq!(rows.held_out(Part::Train).count(), 1);
    }
}
