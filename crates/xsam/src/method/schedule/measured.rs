//! Rho by the rise that ascents have had.

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::{ConfigError, RecordError};
use crate::method::state::MethodState;

/// Rho by measurement: it follows the rise of the loss on the way to the ascent point towards a share of the loss.
///
/// Every ascent measures its rise $`r = L(\theta_k) - L(\theta_0)`$ anyway. Along the ascent
/// $`r(\rho) = \rho |g| + \tfrac12 \rho^2 h + \ldots`$, so that $`d \ln r / d \ln \rho`$ is 1 where the gradient decides and 2
/// where the curvature $`h > 0`$ does. From one of the method's steps to the next
///
/// ```text
/// ln rho = ln rho + eta ln(share L(theta_0) / r),    eta = 0.1, the logarithm at most 1 in size
/// ```
///
/// takes between `eta` and `2 eta` of the distance, in logarithms, to the rho of that rise: it settles for any slope between,
/// and averages over some ten steps. Where the loss has fallen on the way, rho grows by as much as it may. Rho stays within
/// `least` and `most` times that of the method; XSAM's `rho_max` goes with it. A loss that is not above 0 has no share: rho
/// stays. Costs nothing; the factor is in the record. Not from a paper.
///
/// In a file `{ share = 0.2, least = 0.1, most = 10.0 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MeasuredRho {
    /// The rise that is aimed at, over the loss at the weights. Finite and above 0.
    pub share: f64,
    /// The least that rho may be, over that of the method; 0.1. Finite, above 0 and at most 1.
    #[serde(default = "least")]
    pub least: f64,
    /// The most; 10. Finite and at least 1.
    #[serde(default = "most")]
    pub most: f64,
}

fn least() -> f64 {
    0.1
}

fn most() -> f64 {
    10.0
}

/// `eta`.
const GAIN: f64 = 0.1;

/// The most that a step takes into account, as a logarithm: an outlier counts as a rise that is e times off.
const FURTHEST: f64 = 1.0;

impl MeasuredRho {
    /// Towards a rise of this share of the loss, with rho within a tenth and ten times that of the method.
    pub fn new(share: f64) -> Self {
        Self {
            share,
            least: least(),
            most: most(),
        }
    }

    /// Sets the bounds of rho, over that of the method.
    #[must_use]
    pub fn with_bounds(mut self, least: f64, most: f64) -> Self {
        (self.least, self.most) = (least, most);
        self
    }

    pub(super) fn check(self) -> Result<(), ConfigError> {
        check::positive("measured.share", self.share)?;
        let least = self.least > 0.0 && self.least <= 1.0;
        ConfigError::unless(least, "measured.least", self.least, "above 0 and at most 1")?;
        let most = self.most.is_finite() && self.most >= 1.0;
        ConfigError::unless(most, "measured.most", self.most, "finite and at least 1")
    }

    pub(super) fn follower(self) -> Follower {
        Follower {
            aim: self,
            log_factor: 0.0,
            off: 0.0,
        }
    }
}

/// What rho is by now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follower {
    aim: MeasuredRho,
    log_factor: f64,
    /// How far off the rises of this step's parts were, on average.
    off: f64,
}

impl Follower {
    /// Rho over that of the method.
    pub(super) fn factor(&self) -> f64 {
        self.log_factor.exp()
    }

    /// Takes in the rise from a loss, on one of so many parts of a batch. Without an ascent there is none.
    pub(super) fn take(&mut self, loss: f64, rise: Option<f64>, parts: usize) {
        let Some(rise) = rise.filter(|_| loss > 0.0) else {
            return;
        };
        let off = match rise > 0.0 {
            true => (self.aim.share * loss / rise).ln(),
            false => FURTHEST,
        };
        self.off += off.clamp(-FURTHEST, FURTHEST) / parts as f64;
    }

    /// Ends the step.
    pub(super) fn follow(&mut self) {
        let next = self.log_factor + GAIN * std::mem::take(&mut self.off);
        self.log_factor = next.clamp(self.aim.least.ln(), self.aim.most.ln());
    }

    pub(super) fn state(&self, state: MethodState) -> MethodState {
        state.with_scalar("schedule.log_factor", self.log_factor)
    }

    pub(super) fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.log_factor = state.scalar("schedule.log_factor")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rho after some steps, from 1, where the rise is `slope rho + curvature rho^2 / 2` and the loss 2.
    fn settled(aim: MeasuredRho, slope: f64, curvature: f64) -> f64 {
        let mut follower = aim.follower();
        for _ in 0..300 {
            let rho = follower.factor();
            follower.take(2.0, Some(slope * rho + 0.5 * curvature * rho * rho), 1);
            follower.follow();
        }
        follower.factor()
    }

    #[test]
    fn rho_settles_where_the_rise_is_as_wanted() {
        let aim = MeasuredRho::new(0.2);
        // 0.4 = 0.8 rho.
        assert!((settled(aim, 0.8, 0.0) - 0.5).abs() < 1e-6);
        // 0.4 = 0.1 rho^2.
        assert!((settled(aim, 0.0, 0.2) - 2.0).abs() < 1e-6);
        // No farther than it may, either way.
        assert!((settled(aim, 100.0, 0.0) - 0.1).abs() < 1e-9);
        assert!((settled(aim, 1e-4, 0.0) - 10.0).abs() < 1e-9);
        assert!((settled(aim, -1.0, 0.0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn without_an_ascent_or_a_loss_rho_stays() {
        let mut follower = MeasuredRho::new(0.2).follower();
        follower.take(1.0, None, 1);
        follower.take(0.0, Some(0.1), 1);
        follower.follow();
        assert_eq!(follower.factor(), 1.0);
    }
}
