//! Batches, and the order of training data that are all at hand.

use std::sync::{Arc, Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::task_error::TaskError;

/// The batches of an epoch or of a part of the data, made one after another.
pub type Batches<'a, B> = Box<dyn Iterator<Item = Result<B, TaskError>> + 'a>;

/// Items of training data in batches: each once an epoch, in an order that the seed and the epoch decide.
#[derive(Debug)]
pub struct Minibatches {
    items: usize,
    size: usize,
    seed: u64,
    /// The epoch of which the order was asked for last.
    latest: Mutex<Option<(usize, Arc<[usize]>)>>,
}

impl Minibatches {
    /// `items` items in batches of `size`, of which the last one of an epoch may have fewer.
    pub fn new(items: usize, size: usize, seed: u64) -> Self {
        Self {
            items,
            size: size.max(1),
            seed,
            latest: Mutex::new(None),
        }
    }

    /// Batches in an epoch.
    pub fn steps(&self) -> usize {
        self.items.div_ceil(self.size)
    }

    /// Which items are in the batch of a step of an epoch, both counted from 0; none if the epoch has no such step.
    pub fn of(&self, epoch: usize, step: usize) -> Vec<usize> {
        let order = self.order(epoch);
        order.chunks(self.size).nth(step).unwrap_or(&[]).to_vec()
    }

    fn order(&self, epoch: usize) -> Arc<[usize]> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match latest.as_ref() {
            Some((known, order)) if *known == epoch => order.clone(),
            _ => {
                let order: Arc<[usize]> = shuffled(self.items, self.seed, epoch as u64).into();
                *latest = Some((epoch, order.clone()));
                order
            }
        }
    }
}

/// The numbers below `items` in an order that `seed` and `stream` decide, as for the split of a table into parts. It is
/// the same in every version of this crate.
pub fn shuffled(items: usize, seed: u64, stream: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    let mut order: Vec<usize> = (0..items).collect();
    for i in (1..items).rev() {
        // The high half of a product is as good as uniform: one in 2^64 / items draws is off.
        let product = u128::from(random.next_u64()) * (i as u128 + 1);
        order.swap(i, (product >> 64) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_comes_once_an_epoch() {
        let batches = Minibatches::new(7, 3, 5);
        assert_eq!(batches.steps(), 3);
        let epoch =
            |epoch| -> Vec<usize> { (0..3).flat_map(|step| batches.of(epoch, step)).collect() };
        let mut first = epoch(0);
        assert_eq!(first, shuffled(7, 5, 0));
        assert_ne!(first, epoch(1));
        assert_ne!(first, shuffled(7, 6, 0));
        assert_eq!(epoch(0), first);
        assert_eq!(batches.of(0, 2).len(), 1);
        assert!(batches.of(0, 3).is_empty());
        first.sort_unstable();
        assert_eq!(first, [0, 1, 2, 3, 4, 5, 6]);
    }
}
