//! Rho by the rise that ascents have had.

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::{ConfigError, RecordError};
use crate::method::state::MethodState;
use crate::number::Number;

/// Rho by measurement: it follows the rise of the loss on the way to the ascent point towards a given rise, or towards a
/// share of the loss.
///
/// Every ascent measures its rise $`r = L(\theta_k) - L(\theta_0)`$ anyway. Along the ascent
/// $`r(\rho) = \rho |g| + \tfrac12 \rho^2 h + \ldots`$, so that $`d \ln r / d \ln \rho`$ is 1 where the gradient decides and 2
/// where the curvature $`h > 0`$ does. From one of the method's steps to the next
///
/// ```text
/// ln rho = ln rho + eta ln(aim / r),    aim = rise, or share L(theta_0),    eta = 0.1, the logarithm at most 1 in size
/// ```
///
/// takes between `eta` and `2 eta` of the distance, in logarithms, to the rho of that rise: it settles for any exponent
/// between, and averages over some ten steps. Where the loss has fallen on the way, rho grows by as much as it may. Rho stays
/// within `least` and `most` times that of the method; XSAM's `rho_max` goes with it. A loss that is not above 0 has no share:
/// rho stays. Costs nothing; the factor is in the record. Not from a paper.
///
/// A given rise is a [`LossBudget`](super::LossBudget) that is measured: that one trusts the gradient, which is small where
/// a training begins. A share falls with the loss, and rho with it: a model that has begun to learn wrong labels by heart is
/// let go on.
///
/// In a file `{ rise = 0.2 }` or `{ share = 0.2 }`, with `least = 0.1, most = 10.0` if not given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MeasuredRho {
    /// The rise that is aimed at. Finite and above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rise: Option<f64>,
    /// In its place, the rise over the loss at the weights. Finite and above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
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
    /// Towards this rise of the loss, with rho within a tenth and ten times that of the method.
    pub fn of_rise(rise: f64) -> Self {
        Self {
            rise: Some(rise),
            share: None,
            least: least(),
            most: most(),
        }
    }

    /// Towards a rise of this share of the loss, with rho within a tenth and ten times that of the method.
    pub fn of_share(share: f64) -> Self {
        Self {
            rise: None,
            share: Some(share),
            ..Self::of_rise(share)
        }
    }

    /// Sets the bounds of rho, over that of the method.
    #[must_use]
    pub fn with_bounds(mut self, least: f64, most: f64) -> Self {
        (self.least, self.most) = (least, most);
        self
    }

    pub(super) fn check(self) -> Result<(), ConfigError> {
        match (self.rise, self.share) {
            (Some(rise), None) => check::positive("measured.rise", rise)?,
            (None, Some(share)) => check::positive("measured.share", share)?,
            (rise, _) => {
                let found = rise.map_or("nothing to aim at", |_| "rise and share");
                let range = "one of `rise` and `share`";
                return ConfigError::unless(false, "measured", found, range);
            }
        }
        check::share("measured.least", self.least)?;
        let most = self.most.is_finite() && self.most >= 1.0;
        ConfigError::unless(most, "measured.most", self.most, "finite and at least 1")
    }

    pub(super) fn follower(self) -> Follower {
        Follower {
            aim: self,
            log_factor: 0.0,
            last: Vec::new(),
            now: Vec::new(),
        }
    }
}

/// What rho is by now.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    aim: MeasuredRho,
    /// Before the last step.
    log_factor: f64,
    /// Of the parts of the last step, whose numbers are read when it has ended, and of the one that is being made.
    last: Vec<Part>,
    now: Vec<Part>,
}

/// The rise from a loss on one of so many parts of a batch.
#[derive(Clone, Debug)]
struct Part {
    loss: Number,
    rise: Number,
    parts: usize,
}

impl Follower {
    /// Rho over that of the method.
    pub(super) fn factor(&self) -> f64 {
        self.log_factor().exp()
    }

    fn log_factor(&self) -> f64 {
        let off: f64 = self.last.iter().map(|part| self.off(part)).sum();
        let next = self.log_factor + GAIN * off;
        next.clamp(self.aim.least.ln(), self.aim.most.ln())
    }

    /// A part's share of how far off the rises of a step were, on average.
    fn off(&self, part: &Part) -> f64 {
        let (Some(loss), Some(rise)) = (part.loss.known(), part.rise.known()) else {
            return 0.0;
        };
        let share = self.aim.share.map(|share| share * loss);
        let Some(aim) = self.aim.rise.or(share).filter(|aim| *aim > 0.0) else {
            return 0.0;
        };
        let off = match rise > 0.0 {
            true => (aim / rise).ln(),
            false => FURTHEST,
        };
        off.clamp(-FURTHEST, FURTHEST) / part.parts as f64
    }

    /// Takes in the rise from a loss, on one of so many parts of a batch. Without an ascent there is none.
    pub(super) fn take(&mut self, loss: Number, rise: Option<Number>, parts: usize) {
        if self.now.is_empty() {
            self.log_factor = self.log_factor();
            self.last.clear();
        }
        self.now.extend(rise.map(|rise| Part { loss, rise, parts }));
    }

    /// The step has all its parts.
    pub(super) fn follow(&mut self) {
        self.last = std::mem::take(&mut self.now);
    }

    pub(super) fn state(&self, state: MethodState) -> MethodState {
        state.with_scalar("schedule.log_factor", self.log_factor())
    }

    pub(super) fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.log_factor = state.scalar("schedule.log_factor")?;
        self.last.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rho after some steps, from 1, where the rise is `gradient rho + curvature rho^2 / 2` and the loss 2.
    fn settled(aim: MeasuredRho, gradient: f64, curvature: f64) -> f64 {
        let mut follower = aim.follower();
        for _ in 0..300 {
            let rho = follower.factor();
            let rise = gradient * rho + 0.5 * curvature * rho * rho;
            follower.take(2.0.into(), Some(rise.into()), 1);
            follower.follow();
        }
        follower.factor()
    }

    #[test]
    fn rho_settles_where_the_rise_is_as_wanted() {
        let aim = MeasuredRho::of_share(0.2);
        // 0.4 = 0.8 rho.
        assert!((settled(aim, 0.8, 0.0) - 0.5).abs() < 1e-6);
        let given = MeasuredRho::of_rise(0.4);
        assert!((settled(given, 0.8, 0.0) - 0.5).abs() < 1e-6);
        // 0.4 = 0.1 rho^2.
        assert!((settled(aim, 0.0, 0.2) - 2.0).abs() < 1e-6);
        // No farther than it may, either way.
        assert!((settled(aim, 100.0, 0.0) - 0.1).abs() < 1e-9);
        assert!((settled(aim, 1e-4, 0.0) - 10.0).abs() < 1e-9);
        assert!((settled(aim, -1.0, 0.0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn without_an_ascent_or_a_loss_rho_stays() {
        let mut follower = MeasuredRho::of_share(0.2).follower();
        follower.take(1.0.into(), None, 1);
        follower.take(0.0.into(), Some(0.1.into()), 1);
        follower.follow();
        assert_eq!(follower.factor(), 1.0);
    }

    #[test]
    fn it_aims_at_one_thing() {
        let both = MeasuredRho {
            share: Some(0.2),
            ..MeasuredRho::of_rise(0.2)
        };
        let neither = MeasuredRho {
            rise: None,
            ..MeasuredRho::of_rise(0.2)
        };
        for (aim, found) in [(both, "rise and share"), (neither, "nothing to aim at")] {
            let error = aim.check().err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(
                error.contains("measured") && error.contains(found),
                "{error}"
            );
        }
        assert!(MeasuredRho::of_rise(0.0).check().is_err());
    }
}
