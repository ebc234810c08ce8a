//! Ranks over MPI: a [`Collective`](https://docs.rs/xsam) of the processes that `mpirun` or `srun` has started.
//!
//! The feature `mpi` has them, and links the MPI library of the system: Open MPI or MPICH with its headers
//! (`libopenmpi-dev` of Debian), found by `pkg-config` or `mpicc`; `MPICC=mpicc.openmpi` chooses one of several.
//! Without it there is only [`launched`], which needs no MPI.
//!
//! ```no_run
//! # #[cfg(feature = "mpi")] {
//! use std::time::Duration;
//! use xsam::optim::FusedSgdConfig;
//! use xsam::{AscentOver, SharpnessAware, XsamConfig};
//!
//! let mpi = xsam_mpi::Mpi::start(Duration::from_secs(60), |reason| eprintln!("{reason}"))?;
//! let optim = SharpnessAware::new(FusedSgdConfig::new().init()?, XsamConfig::new())?;
//! let optim = optim.with_collective(mpi.ranks(), AscentOver::All)?;
//! # let _ = optim;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod launch;
#[cfg(feature = "mpi")]
mod watchdog;
#[cfg(feature = "mpi")]
mod world;

pub use launch::{Launch, launched};
#[cfg(feature = "mpi")]
pub use world::{Mpi, MpiRanks};
