#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//!
//! [`Task`] is what you implement; [`Run`] trains one, [`compare::Comparison`] several. Which model and which data, this
//! crate does not know.

#![deny(clippy::disallowed_methods)]

mod back_end;
mod changed_data;
mod checkpoint;
mod collapsed;
pub mod columns;
pub mod compare;
mod course;
pub mod csv_file;
mod curvature;
mod error;
pub mod evaluate;
mod evaluation;
mod event;
pub mod export;
pub mod files;
mod fingerprint;
pub mod flatness;
pub mod format;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod json;
pub mod landscape;
pub mod layout;
mod lock;
mod log;
mod memory;
pub mod method;
mod metrics;
mod minibatches;
pub mod numbers;
mod output;
mod passes;
mod place;
pub mod plan;
mod process;
mod ranks;
mod rows;
mod run;
mod scalars;
mod schedule;
mod score;
mod setup;
mod shared;
pub mod spec;
mod start;
pub mod statistics;
mod stepping;
mod stop;
mod subject;
mod summary;
mod tally;
pub mod task;
mod task_error;
mod tasks;
#[cfg(test)]
mod toy;
mod trained;
mod watch;

/// What commands of one's own, such as benchmarks, may need besides.
pub mod tools {
    pub use crate::memory::peak_mb;
    pub use crate::passes::{Parts, PassTimes};
    pub use crate::schedule::cosine;
}

pub use back_end::{describe, hardware};
pub use error::Error;
pub use event::{Event, Listener};
pub use fingerprint::Fingerprint;
pub use lock::await_report;
pub use log::SEARCH_COLUMNS;
pub use metrics::Metrics;
pub use minibatches::{Batches, Minibatches, shuffled};
pub use place::{Place, check_device};
pub use ranks::Ranks;
pub use rows::Rows;
pub use run::Run;
pub use scalars::{count, scalar};
pub use score::{Average, Better, Measured, Part, Score, Scores, Text, compared, of_epochs};
pub use setup::Setup;
pub use shared::Shared;
pub use stop::StopSignal;
pub use subject::{Sample, Subject};
pub use summary::{RunSummary, Status};
pub use tally::{Tally, Totals};
pub use task::{LossByLogits, LossBySamples, SampleSizes, Task, split};
pub use task_error::TaskError;
pub use tasks::{Tasks, Visitor};
pub use trained::Trained;
pub use xsam::StepReport;
pub use xsam_kernels::Kernels;
