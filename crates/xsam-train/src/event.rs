//! What a run tells while it goes, and how it is asked to stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use xsam::StepReport;

use crate::metrics::Metrics;
use crate::spec::Spec;
use crate::summary::RunSummary;

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

/// What a run tells while it goes.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A run starts, or goes on.
    Started {
        /// Where it is written.
        directory: &'a Path,
        /// What it does.
        spec: &'a Spec,
        /// Epochs that were done before.
        done: usize,
        /// Steps that were done of the next one.
        step: usize,
        /// Steps in an epoch.
        steps: usize,
    },
    /// A step is done.
    Step {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step in it, counted from 1.
        step: usize,
        /// Images in the batch, or tokens.
        items: usize,
        /// How many of them were right.
        right: i64,
        /// What was measured.
        report: &'a StepReport,
    },
    /// An epoch is done.
    Epoch(&'a Metrics),
    /// The run has diverged, and goes on from a checkpoint or from its start.
    Restored {
        /// What went wrong.
        reason: &'a str,
        /// Epochs that are done there.
        epoch: usize,
        /// Steps that are done there of the next one.
        step: usize,
        /// What the learning rate is multiplied by from here on.
        lr_factor: f64,
    },
    /// Something that a person should know, in a sentence. Each is told once, and is in the run's
    /// [`warnings`](RunSummary::warnings).
    Warning(&'a str),
    /// The run has ended.
    Ended(&'a RunSummary),
}

/// Listens to a run.
pub type Listener<'a> = dyn FnMut(Event<'_>) + 'a;
