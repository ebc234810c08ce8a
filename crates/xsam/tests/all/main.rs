//! The tests of this crate that share a process: one binary links much faster than one for each.
#![allow(clippy::unwrap_used, missing_docs)]

mod accompanied;
mod bsam;
mod by_logits;
mod by_samples;
#[path = "../common/mod.rs"]
mod common;
mod corner_cases;
mod equalities;
mod failures;
mod hyper_parameters;
mod laws;
mod loss_scale;
mod micro_batches;
mod optim;
mod own_method;
mod passes;
mod ranks;
mod read_backs;
mod record;
mod schedules;
mod search;
mod statistics;
mod steps;
mod steps_family;
