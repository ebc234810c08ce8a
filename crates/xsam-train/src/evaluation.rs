//! How well a model does.

use burn::tensor::{Int, Tensor};

use crate::error::Error;
use crate::event::StopSignal;

/// How well a model does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
    /// Of translations, if they were scored.
    pub(crate) bleu: Option<f64>,
}

/// What is counted of the items of a batch, images or tokens, or of several batches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Sum of their losses.
    pub(crate) loss: f64,
    pub(crate) right: i64,
    pub(crate) of: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.right += other.right;
        self.of += other.of;
    }

    pub(crate) fn score(self) -> Score {
        let of = self.of.max(1) as f64;
        Score {
            loss: self.loss / of,
            accuracy: self.right as f64 / of,
            bleu: None,
        }
    }
}

/// The score over all batches; nothing if `stop` asks for an end before the last of them.
pub(crate) fn evaluate<B>(
    batches: impl Iterator<Item = B>,
    stop: &StopSignal,
    tally: impl Fn(B) -> Result<Tally, Error>,
) -> Result<Option<Score>, Error> {
    let mut all = Tally::default();
    for batch in batches {
        if stop.is_set() {
            return Ok(None);
        }
        all.add(tally(batch)?);
    }
    Ok(Some(all.score()))
}

/// Reads a whole number.
pub(crate) fn count(tensor: Tensor<1, Int>) -> Result<i64, Error> {
    let count = tensor.try_into_scalar::<i64>();
    count.map_err(|error| Error::Device(error.to_string()))
}

/// Reads a number.
pub(crate) fn scalar(tensor: Tensor<1>) -> Result<f64, Error> {
    let data = tensor.try_into_data();
    let data = data.map_err(|error| Error::Device(error.to_string()))?;
    Ok(data.iter::<f64>().sum())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_evaluation_ends_within_a_batch_when_it_is_asked_to() {
        let stop = StopSignal::default();
        let seen = Cell::new(0);
        let tally = |batch: usize| {
            seen.set(batch);
            if batch == 4 {
                stop.stop();
            }
            Ok(Tally {
                loss: batch as f64,
                right: 1,
                of: 2,
            })
        };
        let score = evaluate(1..3, &stop, tally).unwrap().unwrap();
        assert_eq!((score.loss, score.accuracy), (0.75, 0.5));
        assert!(evaluate(1..9, &stop, tally).unwrap().is_none());
        assert_eq!(seen.get(), 4);
    }
}
