#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod flatness;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod landscape;
mod plot;
mod report;

pub use flatness::draw_flatness;
pub use landscape::draw_landscape;
pub use plot::Drawn;
pub use report::plots::draw_comparison;
pub use report::report;
