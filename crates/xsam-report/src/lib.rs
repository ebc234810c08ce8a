//! What people look at, made of the values that the laboratory has written: plots, and the page on a run or a comparison.
//!
//! Nothing here trains, and nothing knows a model or a task: what a score or a column is, the files say themselves.

#![deny(clippy::disallowed_methods)]

mod flatness;
mod landscape;
mod plot;
mod report;

pub use flatness::draw_flatness;
pub use landscape::draw_landscape;
pub use plot::Drawn;
pub use report::plots::draw_comparison;
pub use report::report;
