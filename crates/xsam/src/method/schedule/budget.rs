//! Rho in units of the loss.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::ConfigError;

/// The loss budget of LE-SAM (Wang et al., ICML 2026, arXiv 2605.10183): an ascent raises the loss by `sigma`, to first order,
/// and not by whatever a fixed rho comes to.
///
/// ```text
/// rho_t = min(sigma_t / |g_0|, rho)
/// ```
///
/// `rho` is the ceiling; `|g_0|` is the norm by which the direction of the first ascent step is divided, so that the rise is
/// meant of a scaled, masked or friendly ascent, too. XSAM's `rho_max` is shortened in proportion. `sigma_t` is `sigma` up to
/// the last share of the training, over which it falls to 0 by half a cosine: in the last steps the base optimizer is alone.
///
/// In a file a number, or a table: `{ sigma = 0.1, last = 0.1 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
#[non_exhaustive]
pub struct LossBudget {
    /// By how much an ascent raises the loss, in its own units. Finite and above 0.
    pub sigma: f64,
    /// The share of the training at its end over which `sigma` falls to 0; 0.1. From 0 to 1.
    pub last: f64,
}

/// The share of the training over which the budget falls.
const LAST: f64 = 0.1;

impl LossBudget {
    /// A budget that falls to 0 over the last tenth of the training.
    pub fn new(sigma: f64) -> Self {
        Self { sigma, last: LAST }
    }

    /// Sets the share of the training over which it falls to 0.
    #[must_use]
    pub fn with_last(mut self, last: f64) -> Self {
        self.last = last;
        self
    }

    pub(super) fn check(self) -> Result<(), ConfigError> {
        check::positive("loss_budget.sigma", self.sigma)?;
        let ok = (0.0..=1.0).contains(&self.last);
        ConfigError::unless(ok, "loss_budget.last", self.last, "from 0 to 1")
    }

    /// The budget after a share of the training.
    pub(super) fn at(self, share: f64) -> f64 {
        let left = (1.0 - share).max(0.0);
        if left >= self.last {
            return self.sigma;
        }
        let fallen = 1.0 - left / self.last;
        self.sigma * (1.0 + (PI * fallen).cos()) / 2.0
    }
}

/// As it stands in a file.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "must be a number or { sigma = 0.1, last = 0.1 }"
)]
enum Written {
    Number(f64),
    Table(Fields),
}

impl From<Written> for LossBudget {
    fn from(written: Written) -> Self {
        match written {
            Written::Number(sigma) => Self::new(sigma),
            Written::Table(Fields { sigma, last }) => Self { sigma, last },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    sigma: f64,
    #[serde(default = "last")]
    last: f64,
}

fn last() -> f64 {
    LAST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_falls_by_a_cosine_at_the_end() {
        let budget = LossBudget::new(0.4).with_last(0.5);
        for (share, expected) in [(0.0, 0.4), (0.5, 0.4), (0.75, 0.2), (1.0, 0.0), (1.5, 0.0)] {
            assert!((budget.at(share) - expected).abs() < 1e-12, "{share}");
        }
        assert_eq!(budget.with_last(0.0).at(1.0), 0.4);
    }
}
