//! Tests of the models as a user sees them. One binary, since linking Burn is the slow part.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod config;
mod gradients;
mod half;
mod initial;
mod state;
mod transformer;
mod weights;
