//! What a run tells while it goes.

use std::path::Path;

use serde::Serialize;
use toml::Table;
use xsam::StepReport;

use crate::metrics::Metrics;
use crate::score::Score;
use crate::spec::About;
use crate::summary::RunSummary;
use crate::tally::Totals;

/// What a run tells while it goes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<'a> {
    /// A run starts, or goes on.
    Started {
        /// Where it is written.
        #[serde(skip)]
        directory: &'a Path,
        /// What its spec comes to.
        spec: &'a Table,
        /// What is told of it.
        about: &'a About,
        /// What its model is scored by.
        scores: &'a [Score],
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
        /// What was counted of the items of the batch, images or tokens, at the weights: what is known of it without a
        /// wait for the device.
        #[serde(skip)]
        totals: &'a Totals,
        /// What the optimizer measured in the step.
        #[serde(skip)]
        report: &'a StepReport,
    },
    /// An epoch is done.
    Epoch(&'a Metrics),
    /// The run has diverged, and goes on from a checkpoint or from its start.
    Restored {
        /// Why the run failed, in words.
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
