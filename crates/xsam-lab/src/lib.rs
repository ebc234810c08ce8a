//! The laboratory: any Burn model trained, compared, planned and measured.
//!
//! A [`Task`] says what is learned: the model, its batches, its loss, and how well it does. All else is here: the spec of
//! a run, its course from checkpoint to checkpoint, its directory, comparisons of methods over seeds with tests of
//! significance and tuned hyper-parameters, what runs will cost, how flat a minimum is, and the loss around it. Which model
//! and which data, this crate does not know.
//!
//! The program of a task is made by `xsam-cli`; `xsam-report` draws what is measured here; `xsam-tasks` has tasks of its own.

#![deny(clippy::disallowed_methods)]

mod back_end;
mod changed_data;
mod checkpoint;
mod columns;
mod compare;
mod course;
pub mod csv_file;
mod curvature;
mod error;
mod evaluate;
mod evaluation;
mod event;
mod export;
pub mod files;
mod fingerprint;
pub mod flatness;
mod format;
mod imported;
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
mod plan;
mod process;
mod rows;
mod run;
mod schedule;
mod score;
mod setup;
mod shared;
pub mod spec;
mod start;
mod statistics;
mod stepping;
mod stop;
mod subject;
mod summary;
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
    pub use crate::plan::MOST_TIMED;
    pub use crate::schedule::cosine;
}

pub use back_end::{describe, hardware};
pub use columns::{Column, OverSeeds, columns};
pub use compare::{
    CandidateSummary, Comparison, ComparisonSummary, Job, JobEvent, JobListener, MethodSummary,
    RunWarnings, TunedMethod, TuningSummary, Workers, passes, serve,
};
pub use error::{BeforeFailure, Error};
pub use evaluate::{EvaluationReport, ScoresByPart, evaluate_trained};
pub use evaluation::{count, evaluate, scalar};
pub use event::{Event, Listener};
pub use export::{Export, export};
pub use files::{Existing, Terms};
pub use fingerprint::Fingerprint;
pub use flatness::{FlatnessEvent, FlatnessReport, FlatnessSpec, flatness};
pub use format::{Format, check_release};
pub use json::Exact;
pub use landscape::{Along, Landscape, LandscapeEvent, LandscapeReport, LandscapeSpec, landscape};
pub use lock::await_report;
pub use log::SEARCH_COLUMNS;
pub use metrics::Metrics;
pub use minibatches::{Minibatches, shuffled};
pub use place::{Place, check_device};
pub use plan::{
    Change, Cost, Counts, Elsewhere, Estimate, Measurement, MethodPlan, Plan, PlanSpec, Timing,
    measure, plan, serve_plan,
};
pub use rows::{HeldOut, Rows};
pub use run::Run;
pub use score::{Average, Better, Measured, Part, Score, Scores, Tally, Text, compared, of_epochs};
pub use setup::Setup;
pub use shared::Shared;
pub use spec::{Compare, CompareEntry, MethodSpec, Preset, Spec, SpecError};
pub use statistics::{PairedTest, Spread, mean, median, paired, paired_t_test};
pub use stop::StopSignal;
pub use subject::{Sample, Subject};
pub use summary::{RunSummary, Status};
pub use task::{Batches, Facts, SampleSizes, Task, split};
pub use task_error::TaskError;
pub use tasks::{Tasks, Visitor};
pub use trained::Trained;
pub use xsam::StepReport;
pub use xsam_kernels::Kernels;
