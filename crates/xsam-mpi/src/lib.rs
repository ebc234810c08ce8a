// The example of the README needs the feature.
#![cfg_attr(any(feature = "mpi", not(doctest)), doc = include_str!("../README.md"))]

mod launch;
#[cfg(feature = "mpi")]
mod watchdog;
#[cfg(feature = "mpi")]
mod world;

pub use launch::{Launch, launched};
#[cfg(feature = "mpi")]
pub use world::{Mpi, MpiRanks};
