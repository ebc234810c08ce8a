//! How a run is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a run to stop after the step it is at, or the batch of an evaluation.
#[derive(Clone, Debug, Default)]
pub struct StopSignal {
    flag: Arc<AtomicBool>,
}

impl StopSignal {
    /// Asks.
    pub fn stop(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// What is set when it asks.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Whether it has been asked.
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }
}
