//! Plots of how flat a minimum is.

pub(crate) mod draw;

pub(crate) use draw::{DENSITY, DIRECTIONS};
