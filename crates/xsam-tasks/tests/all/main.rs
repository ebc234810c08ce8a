//! The tests of this crate that share a process: one binary links much faster than one for each.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

mod changed_data;
mod checkpoints;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod half;
mod methods;
mod plan;
mod ranks;
mod report;
mod run;
mod sharpness;
mod spec;
mod tensorboard;
mod trained;
mod translation;
mod verify;
