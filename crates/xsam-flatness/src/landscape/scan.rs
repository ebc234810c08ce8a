//! The losses at many points.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use rayon::ThreadPoolBuilder;
use xsam::method::{Objective, ParamVector};
use xsam::{ConfigError, StepError};

use crate::error::FlatnessError;

/// Bytes of stack for the thread of a worker: what a main thread usually has.
const STACK: usize = 8 << 20;

/// `points` numbers from `from` to `to`, both included, evenly apart; of one point, `from`.
pub fn evenly(from: f64, to: f64, points: usize) -> Vec<f64> {
    let steps = (points.max(2) - 1) as f64;
    // Shares of both ends, so that those are met, and the middle of a range about zero too.
    let at = |share: f64| from * (1.0 - share) + to * share;
    (0..points).map(|i| at(i as f64 / steps)).collect()
}

/// Takes the loss at each of `points`, the coordinates of which are factors of `directions`, and tells `found` its
/// number and the loss, which need not be finite. Points are told in the order in which they are done. Returns whether
/// all are done: `found` may ask for an end.
///
/// Each worker has a thread of its own and computes on that alone, which takes less time in all than to share the
/// work of each pass; the losses are the same for any number of workers. A single worker computes on the threads of the
/// caller. Workers that drop at random must be one, since Burn's random numbers are those of the whole process.
///
/// Cost: a forward pass a point. Memory: that of a forward pass and a copy of the weights for each worker.
///
/// # Errors
/// If there is no worker, a point has not a coordinate for each direction, threads cannot be started, or a loss cannot
/// be taken.
pub fn scan<O: Objective + Send>(
    workers: &mut [O],
    directions: &[ParamVector],
    points: &[Vec<f64>],
    mut found: impl FnMut(usize, f64) -> ControlFlow<()>,
) -> Result<bool, FlatnessError> {
    if let Some(odd) = points.iter().find(|point| point.len() != directions.len()) {
        let range = "points with a coordinate for each direction";
        return Err(ConfigError::new("points", format!("{odd:?}"), range).into());
    }
    if let [one] = workers {
        for (i, point) in points.iter().enumerate() {
            if found(i, loss(one, directions, point)?).is_break() {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if workers.is_empty() {
        return Err(ConfigError::new("workers", 0, "at least one").into());
    }
    let pools = workers.iter().map(|_| {
        let pool = ThreadPoolBuilder::new().num_threads(1).stack_size(STACK);
        pool.build()
            .map_err(|error| FlatnessError::Loss(StepError::Device(error.to_string())))
    });
    let pools: Vec<_> = pools.collect::<Result<_, _>>()?;

    let next = AtomicUsize::new(0);
    let (send, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for (worker, pool) in workers.iter_mut().zip(&pools) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                pool.install(|| {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(point) = points.get(i) else { break };
                        let loss = loss(worker, directions, point);
                        // Nobody listens any more after an end or an error.
                        if send.send((i, loss)).is_err() {
                            break;
                        }
                    }
                });
            });
        }
        drop(send);
        // An early return drops the receiver, which ends the workers.
        let results = results;
        for (i, loss) in results.iter() {
            if found(i, loss?).is_break() {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

fn loss<O: Objective>(
    objective: &mut O,
    directions: &[ParamVector],
    point: &[f64],
) -> Result<f64, FlatnessError> {
    let point = point.iter().map(|&coordinate| coordinate.into());
    let offset = point.zip(directions).collect();
    let losses = objective.losses(&[offset])?;
    Ok(losses.into_iter().sum())
}
