//! How well a model does.

use crate::stop::StopSignal;
use crate::tally::{Tally, Totals};
use crate::task_error::TaskError;

/// What is counted over all batches, read when the last one is done; nothing if `stop` asks for an end before that.
pub fn evaluate<B>(
    batches: impl Iterator<Item = B>,
    stop: &StopSignal,
    tally: impl Fn(B) -> Result<Tally, TaskError>,
) -> Result<Option<Totals>, TaskError> {
    let mut all = Tally::default();
    for batch in batches {
        if stop.is_set() {
            return Ok(None);
        }
        all.add(&tally(batch)?)?;
    }
    Ok(Some(all.read()?))
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
            Ok(Tally::new(2, batch as f64).with("accuracy", 1.0))
        };
        let all = evaluate(1..3, &stop, tally).unwrap().unwrap();
        assert_eq!(&all, Tally::new(4, 3.0).with("accuracy", 2.0).known());
        assert!(evaluate(1..9, &stop, tally).unwrap().is_none());
        assert_eq!(seen.get(), 4);
    }
}
