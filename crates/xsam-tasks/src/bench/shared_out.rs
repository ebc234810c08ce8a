//! What the ranks of a run say to each other, counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use xsam::Collective;
use xsam::collective::CollectiveError;

/// What a step costs besides because it is shared out over ranks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RankCost {
    /// How many they are; the batch is that of all of them together.
    pub ranks: usize,
    /// Seconds a step in calls to the others, waiting for the slowest of them included; the mean over the timed steps.
    pub seconds: f64,
    /// Number of calls in a step, on average.
    pub calls: f64,
    /// Bytes a step that each rank hands over to be summed or sent.
    pub bytes: f64,
}

/// Counts what goes through a collective.
#[derive(Debug)]
pub(super) struct Counted {
    ranks: Arc<dyn Collective>,
    so_far: Mutex<Sums>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    seconds: f64,
    calls: usize,
    bytes: usize,
}

impl Counted {
    pub(super) fn new(ranks: Arc<dyn Collective>) -> Self {
        Self {
            ranks,
            so_far: Mutex::default(),
        }
    }

    /// What there was in each of `steps` steps since this was asked last.
    pub(super) fn take(&self, steps: usize) -> RankCost {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let sums = std::mem::take(&mut *so_far);
        let steps = steps.max(1) as f64;
        RankCost {
            ranks: self.size(),
            seconds: sums.seconds / steps,
            calls: sums.calls as f64 / steps,
            bytes: sums.bytes as f64 / steps,
        }
    }

    fn count<T>(&self, bytes: usize, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let found = call();
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.seconds += start.elapsed().as_secs_f64();
        so_far.calls += 1;
        so_far.bytes += bytes;
        found
    }
}

impl Collective for Counted {
    fn rank(&self) -> usize {
        self.ranks.rank()
    }

    fn size(&self) -> usize {
        self.ranks.size()
    }

    fn sum_f32(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        self.count(size_of_val(values), || self.ranks.sum_f32(values))
    }

    fn sum_f64(&self, values: &mut [f64]) -> Result<(), CollectiveError> {
        self.count(size_of_val(values), || self.ranks.sum_f64(values))
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), CollectiveError> {
        self.count(bytes.len(), || self.ranks.broadcast(root, bytes))
    }

    fn abort(&self, reason: &str) {
        self.ranks.abort(reason);
    }
}
