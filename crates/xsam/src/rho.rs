//! How rho changes over training.

use crate::check;
use crate::error::ConfigError;

/// Schedule of rho. XSAM's search distance rho_max follows it by the same factor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum RhoSchedule {
    /// rho stays what it is.
    #[default]
    Constant,
    /// rho is proportional to the learning rate of the step, as in GSAM (arXiv 2203.08065) where the
    /// least rho and the least learning rate are 0.
    ProportionalToLr {
        /// The learning rate at which rho has its full value.
        full_at: f64,
    },
}

impl RhoSchedule {
    pub(crate) fn check(self) -> Result<(), ConfigError> {
        match self {
            Self::Constant => Ok(()),
            Self::ProportionalToLr { full_at } => check::positive("full_at", full_at),
        }
    }

    /// The factor of rho at learning rate `lr`.
    pub(crate) fn factor(self, lr: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::ProportionalToLr { full_at } => lr / full_at,
        }
    }
}
