//! What is counted for the scores of a model.

use std::collections::BTreeMap;

use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::scalars::count;
use crate::score::{Average, Measured, Score};

/// What is counted of the items of a batch, images or tokens, or of several batches.
///
/// Counts may still be on the device: each is read when [`read`](Self::read) asks for it, so that a step need not wait
/// for its own.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// What is known of them.
    known: Totals,
    pub(crate) waiting: Waiting,
}

impl Tally {
    /// Of so many items, whose losses add up to `loss`.
    pub fn new(items: usize, loss: f64) -> Self {
        Self::from(Totals {
            items,
            loss,
            ..Totals::default()
        })
    }

    /// With the sum of a score over the items.
    #[must_use]
    pub fn with(mut self, score: &str, sum: f64) -> Self {
        self.known.sums.insert(score.to_owned(), sum);
        self
    }

    /// With the number of items, `[1]`, that count for a score. On a processor it is read at once; on other devices when
    /// the tally is.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn counted(mut self, score: &str, items: Tensor<1, Int>) -> Result<Self, Error> {
        if items.device() == Device::flex() {
            return Ok(self.with(score, count(items)? as f64));
        }
        self.waiting.counts.insert(score.to_owned(), items);
        self.waiting.items = self.known.items;
        Ok(self)
    }

    /// With losses of this mean.
    #[must_use]
    pub fn with_mean_loss(mut self, mean: f64) -> Self {
        self.known.loss = mean * self.known.items as f64;
        self
    }

    /// What is known without a wait for the device.
    pub fn known(&self) -> &Totals {
        &self.known
    }

    /// Adds what was counted of other items.
    ///
    /// # Errors
    /// As [`read`](Self::read): now and then it is time to.
    pub fn add(&mut self, other: &Self) -> Result<(), Error> {
        self.known.add(&other.known);
        self.waiting.add(&other.waiting, &mut self.known)
    }

    /// All of it. On a device one read-back a score.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(mut self) -> Result<Totals, Error> {
        self.waiting.read_into(&mut self.known)?;
        Ok(self.known)
    }
}

impl From<Totals> for Tally {
    fn from(known: Totals) -> Self {
        Self {
            known,
            waiting: Waiting::default(),
        }
    }
}

/// Counts on the device, by the names of scores.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    counts: BTreeMap<String, Tensor<1, Int>>,
    /// Of how many items they are; devices count in 32 bits.
    items: usize,
}

impl Waiting {
    /// Adds others. Before they become too many, those of `known`'s items that wait are read.
    pub(crate) fn add(&mut self, other: &Self, known: &mut Totals) -> Result<(), Error> {
        if self.items.saturating_add(other.items) > i32::MAX as usize {
            self.read_into(known)?;
        }
        self.items += other.items;
        for (score, items) in &other.counts {
            let sum = match self.counts.remove(score) {
                Some(sum) => sum + items.clone(),
                None => items.clone(),
            };
            self.counts.insert(score.clone(), sum);
        }
        Ok(())
    }

    /// Reads them.
    pub(crate) fn read_into(&mut self, known: &mut Totals) -> Result<(), Error> {
        for (score, items) in std::mem::take(self).counts {
            let items = count(items)? as f64;
            *known.sums.entry(score).or_default() += items;
        }
        Ok(())
    }
}

/// What was counted, as numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Number of items that were scored.
    pub items: usize,
    /// The sum of their losses.
    pub loss: f64,
    /// Sums over the items, by the names of scores.
    sums: BTreeMap<String, f64>,
}

impl Totals {
    /// The value of a score, if it was counted.
    pub fn value(&self, score: &Score) -> Option<f64> {
        let mean = self.sum(&score.name)? / self.items.max(1) as f64;
        Some(match score.average {
            Average::Mean => mean,
            Average::RootMean => mean.sqrt(),
            Average::ExpMean => mean.exp(),
        })
    }

    /// The sum of a score over the items, if it was counted.
    pub(crate) fn sum(&self, score: &str) -> Option<f64> {
        self.sums.get(score).copied()
    }

    /// Adds what was counted of other items.
    pub fn add(&mut self, other: &Self) {
        // What a checkpoint says of it need not be true.
        self.items = self.items.saturating_add(other.items);
        self.loss += other.loss;
        for (score, sum) in &other.sums {
            *self.sums.entry(score.clone()).or_default() += sum;
        }
    }

    /// It as numbers, with those of `scores` that were counted.
    pub(crate) fn numbers(&self, scores: &[Score]) -> Vec<f64> {
        let mut numbers = vec![self.items as f64, self.loss];
        for score in scores {
            let sum = self.sum(&score.name);
            numbers.extend([f64::from(sum.is_some()), sum.unwrap_or_default()]);
        }
        numbers
    }

    /// What [`numbers`](Self::numbers) of several come to when they are added up.
    pub(crate) fn of_numbers(numbers: &[f64], scores: &[Score]) -> Self {
        let [items, loss, sums @ ..] = numbers else {
            return Self::default();
        };
        let (sums, _) = sums.as_chunks();
        let counted = scores
            .iter()
            .zip(sums)
            .filter(|(_, [counted, _])| *counted > 0.0);
        Self {
            items: *items as usize,
            loss: *loss,
            sums: counted
                .map(|(score, [_, sum])| (score.name.to_string(), *sum))
                .collect(),
        }
    }

    /// What that comes to: mean loss, and those of the scores that were counted.
    pub fn measured(&self, scores: &[Score]) -> Measured {
        let values = scores.iter().filter_map(|score| {
            let value = self.value(score)?;
            Some((score.name.to_string(), value))
        });
        Measured {
            loss: self.loss / self.items.max(1) as f64,
            values: values.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// As if `right` items out of `items` were counted on a device.
    fn waits(items: usize, right: i64) -> Tally {
        let right = Tensor::from_data([right], &Device::flex());
        let mut tally = Tally::new(items, 1.0);
        tally.waiting = Waiting {
            counts: [("accuracy".to_owned(), right)].into(),
            items,
        };
        tally
    }

    #[test]
    fn what_waits_on_the_device_comes_to_what_is_known_at_once() {
        let mut waiting = waits(5, 3);
        waiting.add(&waits(2, 1)).unwrap();
        waiting.add(&Tally::new(1, 0.5)).unwrap();
        assert_eq!(
            (waiting.known.items, waiting.known.sum("accuracy")),
            (8, None)
        );
        let right = Tensor::from_data([4], &Device::flex());
        let known = Tally::new(8, 2.5).counted("accuracy", right).unwrap();
        assert_eq!(known.known.sum("accuracy"), Some(4.0));
        assert_eq!(waiting.read().unwrap(), known.read().unwrap());
    }

    #[test]
    fn counts_are_read_before_they_are_too_large_for_a_device() {
        let many = i32::MAX as usize;
        let mut tally = waits(many - 1, many as i64 - 1);
        tally.add(&waits(1, 1)).unwrap();
        assert_eq!(tally.known.sum("accuracy"), None);
        tally.add(&waits(2, 2)).unwrap();
        assert_eq!(tally.known.sum("accuracy"), Some(many as f64));
        assert_eq!(
            tally.read().unwrap().sum("accuracy"),
            Some(many as f64 + 2.0)
        );
    }
}
