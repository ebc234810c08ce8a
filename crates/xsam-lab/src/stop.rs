//! How a run is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;
use crate::ranks::Ranks;

/// Asks a run to stop after the step it is at, or the batch of an evaluation.
///
/// A run on several ranks stops on all of them, whichever was asked. [`ranks`](Self::ranks) are those that a piece of work is
/// shared out over.
#[derive(Clone, Debug, Default)]
pub struct StopSignal {
    flag: Arc<AtomicBool>,
    ranks: Ranks,
}

impl StopSignal {
    /// Asks the work to stop at the next step.
    pub fn stop(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// What is set when it asks.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Whether this process has been asked.
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// The ranks that the work is shared out over.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// The same signal, to work that is shared out over `ranks`.
    pub(crate) fn on(&self, ranks: &Ranks) -> Self {
        Self {
            flag: self.flag.clone(),
            ranks: ranks.clone(),
        }
    }

    /// Whether any rank has been asked. All of them must ask this.
    pub(crate) fn is_set_on_any(&self) -> Result<bool, Error> {
        self.ranks.any(self.is_set())
    }
}
