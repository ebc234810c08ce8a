//! The names of what is in the directory of a run or a comparison.

/// The outcome of a run: every directory of one has it.
pub const RUN: &str = "run.json";
/// The outcome of a comparison: every directory of one has it.
pub const COMPARISON: &str = "compare.json";
/// The spec, as it was asked for. What it came to is in the outcome.
pub const SPEC: &str = "spec.toml";
/// The epochs of a run.
pub const METRICS: &str = "metrics.csv";
/// The searched curves of a run: a row for each position on the arc that was tried.
pub const SEARCH: &str = "search.csv";
/// Folder of the checkpoints of a run.
pub const CHECKPOINTS: &str = "checkpoint";
/// How flat the minimum of a run is.
pub const FLATNESS: &str = "flatness.json";
/// Folder of the landscapes of a run.
pub const LANDSCAPES: &str = "landscape";
/// Folder, in that of a comparison, of the runs that hyper-parameters are chosen by.
pub const TUNE: &str = "tune";
/// The page on a run or a comparison.
pub const REPORT: &str = "report.html";
