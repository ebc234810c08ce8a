//! The tests of this crate that share a process: one binary links much faster than one for each.
#![allow(clippy::unwrap_used, missing_docs)]

mod algorithms;
#[path = "../common/mod.rs"]
mod common;
mod operators;
mod sharpness;
