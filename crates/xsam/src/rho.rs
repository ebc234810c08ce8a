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
    /// rho goes with the learning rate from a least to its full value, on a straight line, as in GSAM
    /// (arXiv 2203.08065, section 4).
    LinearInLr {
        /// The learning rate at which rho has its full value.
        full_at: f64,
        /// The learning rate at which rho has its least value; below it rho stays there.
        least_at: f64,
        /// The least value of rho over the full one, from 0 to 1.
        least: f64,
    },
}

impl RhoSchedule {
    pub(crate) fn check(self) -> Result<(), ConfigError> {
        match self {
            Self::Constant => Ok(()),
            Self::ProportionalToLr { full_at } => check::positive("full_at", full_at),
            Self::LinearInLr {
                full_at,
                least_at,
                least,
            } => {
                check::positive("full_at", full_at)?;
                let (ok, range) = (
                    (0.0..full_at).contains(&least_at),
                    "at least 0 and below full_at",
                );
                ConfigError::unless(ok, "least_at", least_at, range)?;
                ConfigError::unless((0.0..=1.0).contains(&least), "least", least, "from 0 to 1")
            }
        }
    }

    /// The factor of rho at learning rate `lr`.
    pub(crate) fn factor(self, lr: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::ProportionalToLr { full_at } => lr / full_at,
            Self::LinearInLr {
                full_at,
                least_at,
                least,
            } => {
                let way = ((lr - least_at) / (full_at - least_at)).max(0.0);
                least + (1.0 - least) * way
            }
        }
    }
}
