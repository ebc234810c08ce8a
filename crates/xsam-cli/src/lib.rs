#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! [`program`] is a whole command line around the tasks that you define, with progress, signals, `--json` and exit codes:
//! 0 done, 1 failed, 2 wrong usage, 130 interrupted. [`Program`] takes specs that come with the program, and commands of
//! your own.
//!
//! Commands parse, call the laboratory, and print. Results go to standard output, progress and errors to standard error.

#![deny(clippy::disallowed_methods)]

mod columns;
mod commands;
mod context;
mod flags;
mod job_progress;
mod names;
pub mod print;
mod program;
mod progress;
mod ranks;
mod signals;
mod source;
mod table;

pub use clap;
pub use columns::aligned;
pub use context::{Outcome, Package};
pub use names::{Name, named};
pub use program::{Program, program};
pub use ranks::RankArguments;
pub use signals::stop_on_interrupt;
pub use xsam_lab::{Error, TaskError, Tasks};

/// A training step takes and frees the same large buffers again and again. The system's allocator
/// returns them to the system each time, and to touch fresh memory anew costs a fifth of a step.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
