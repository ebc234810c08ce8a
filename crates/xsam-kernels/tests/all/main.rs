//! The tests of this crate that share a process: one binary links much faster than one for each.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod attention;
mod batch_norm;
mod batch_norm_ranks;
#[path = "../common/mod.rs"]
mod common;
mod conv;
mod cross_entropy;
mod dropout;
mod embedding;
mod feature_stack;
mod feed_forward;
mod half;
mod kinks;
mod layer_norm;
mod linear;
mod pool;
mod rounding;
mod softmax;
mod update;
mod vector;
