//! Experiments with sharpness-aware training: the spec of a run, the training loop, its directory,
//! comparisons of methods over seeds, the trained model and its weights for PyTorch, the verification
//! of a build against reference cases, and the time of a step.
//!
//! ```no_run
//! use std::path::Path;
//! use xsam_train::{Existing, Run, Spec, StopSignal};
//!
//! let settings = ["method.rho=0.3".to_owned(), "train.epochs=20".to_owned()];
//! let (spec, _) = Spec::parse("", &settings)?;
//! let run = Run::prepare(spec, Path::new("runs/first"), Existing::Refuse)?;
//! let summary = run.train(&StopSignal::default(), &mut |_event| {})?;
//! println!("{:?}", summary.last);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(clippy::disallowed_methods)]

mod back_end;
mod bench;
mod changed_data;
mod checkpoint;
mod compare;
mod course;
mod csv_file;
mod curve;
mod device;
mod error;
mod evaluation;
mod event;
mod export;
mod files;
mod flatness;
mod imported;
mod json;
pub mod landscape;
mod lock;
mod log;
mod loss;
mod memory;
mod method;
mod metrics;
mod names;
mod numbers;
mod output;
mod passes;
mod plan;
mod plot;
mod process;
mod report;
mod run;
mod schedule;
mod spec;
mod start;
mod statistics;
mod stepping;
mod subject;
mod summary;
mod task;
mod trained;
#[allow(
    clippy::disallowed_methods,
    reason = "cases are read as they were written"
)]
mod verify;

pub use back_end::{check_device, hardware};
pub use bench::{
    BenchModel, BenchResult, BenchSpec, ImageBench, ProfileRow, TransformerBench, bench,
};
pub use compare::{
    CandidateSummary, Comparison, ComparisonSummary, Job, JobEvent, JobListener, MethodSummary,
    RunWarnings, TunedMethod, TuningMeasure, TuningSummary, Workers, serve,
};
pub use error::{BeforeFailure, Error};
pub use event::{Event, Listener, StopSignal};
pub use export::{Export, export};
pub use files::{Existing, Terms};
pub use flatness::{FlatnessEvent, FlatnessReport, FlatnessSpec, Layer, MemoryUse, flatness};
pub use json::{Exact, parse as parse_json};
pub use landscape::{Along, Landscape, LandscapeEvent, LandscapeReport, LandscapeSpec, landscape};
pub use metrics::Metrics;
pub use names::{Named, parse as parse_name};
pub use numbers::significant;
pub use plan::{
    Change, Cost, Counts, Elsewhere, Estimate, Measurement, MethodPlan, Plan, PlanSpec, Timing,
    measure, plan, serve_plan,
};
pub use report::report;
pub use run::Run;
pub use spec::{
    Adaptive, AugmentationSpec, BleuWords, Candidate, Compare, CompareEntry, DataSpec, DeviceName,
    MethodName, MethodSpec, ModelName, ModelSpec, NormName, OnDivergence, OptimizerName,
    OptimizerSpec, Precision, Preset, RhoScheduleName, ScheduleBy, ScheduleName, ScheduleSpec,
    Search, SearchKind, SharedName, Spec, SpecError, TrainSpec, TranslationSpec, Tune,
};
pub use statistics::{PairedTest, Spread, paired_t_test};
pub use subject::{Sample, Subject};
pub use summary::{RunSummary, Status, TrainingPairs};
pub use trained::{Trained, TrainedModel};
pub use verify::{Case, CaseOutcome, Verdict, verify};
pub use xsam::StepReport;
pub use xsam_kernels::Kernels;
