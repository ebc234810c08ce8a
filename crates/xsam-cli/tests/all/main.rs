//! The tests of this crate that share a process: one binary links much faster than one for each.
#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs)]

mod book;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod directories;
mod disk;
mod eval;
mod flatness;
mod kill;
mod output;
mod plan;
mod queue;
mod report;
mod shell;
mod sweep;
