//! Ranks: processes that train one model together, each on a share of the batch.
//!
//! [`Collective`] is all that the optimizer knows of them. The crate `xsam-mpi` has it over MPI; [`ThreadRanks`] are
//! threads of one process, for tests.

mod means;
mod ranks;
mod statistics;
mod threads;

pub use crate::error::CollectiveError;
pub(crate) use ranks::Ranks;
pub use statistics::mean_statistics;
pub use threads::ThreadRanks;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

/// Ranks that train one model together.
///
/// All ranks make the same calls in the same order, with as many values each. A call returns when all have made it, and
/// all get the same bits.
pub trait Collective: Debug + Send + Sync {
    /// Which of them this is, from 0.
    fn rank(&self) -> usize;

    /// How many they are.
    fn size(&self) -> usize;

    /// Makes each element its sum over the ranks.
    ///
    /// # Errors
    /// If a rank is gone.
    fn sum_f32(&self, values: &mut [f32]) -> Result<(), CollectiveError>;

    /// Makes each element its sum over the ranks.
    ///
    /// # Errors
    /// If a rank is gone.
    fn sum_f64(&self, values: &mut [f64]) -> Result<(), CollectiveError>;

    /// Gives all ranks the bytes of rank `root`.
    ///
    /// # Errors
    /// If a rank is gone.
    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), CollectiveError>;

    /// Ends all ranks, for the reason given: for an error that only this one has, where the others would wait for it.
    fn abort(&self, reason: &str);
}

/// Whose gradient a rank ascends along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AscentOver {
    /// The mean over all ranks. Losses and gradients are means over the ranks in every pass: it is one step on the
    /// batches of all ranks together, as [`step_accumulated`](crate::SharpnessAware::step_accumulated) is on its parts.
    ///
    /// Every pass sums the gradient over the ranks once.
    #[default]
    All,
    /// The rank's own: m-sharpness, as [`step_m_sharpness`](crate::SharpnessAware::step_m_sharpness) does on its parts. The base
    /// optimizer gets the mean of what the method makes of each.
    ///
    /// A step sums one gradient over the ranks, whatever its number of passes. Losses of a search are means over the
    /// ranks, each in its own plane, so that alpha is the same on all; it waits for a step in which every rank has an
    /// arc.
    Rank,
}
