//! Sharpness-aware steps where the gradient is large.

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::{ConfigError, RecordError};
use crate::method::state::MethodState;

/// The policy of AE-SAM (Jiang et al., ICLR 2023, arXiv 2304.14647, section 3): a step is the method's own where the squared
/// norm of the gradient is high, measured by its own moving mean and variance.
///
/// ```text
/// mu = delta mu + (1 - delta) |g|^2,    sigma^2 = delta sigma^2 + (1 - delta) (|g|^2 - mu)^2
/// the step is the method's own if |g|^2 >= mu + c_t sigma,   c_t on a straight line from `first` to `last`
/// ```
///
/// The first step is. Mean and variance follow every step, and are in the record. Were the squared norms normally
/// distributed, half of the steps would be the method's own by the defaults: few at the beginning, most at the end.
///
/// In a file `"adaptive"`, or a table with other values: `{ first = 1.0, last = -1.0, delta = 0.9 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
#[non_exhaustive]
pub struct AdaptivePolicy {
    /// `c_t` in the first step of the training, the paper's `lambda_2`; 1. Finite.
    pub first: f64,
    /// `c_t` at its end, `lambda_1`; -1. Finite.
    pub last: f64,
    /// How much of mean and variance is kept from step to step; 0.9. At least 0 and below 1.
    pub delta: f64,
}

impl Default for AdaptivePolicy {
    fn default() -> Self {
        Self {
            first: 1.0,
            last: -1.0,
            delta: 0.9,
        }
    }
}

impl AdaptivePolicy {
    /// A policy with the values of the paper.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the threshold at the beginning and at the end of the training, in standard deviations.
    #[must_use]
    pub fn with_threshold(mut self, first: f64, last: f64) -> Self {
        (self.first, self.last) = (first, last);
        self
    }

    pub(super) fn check(self) -> Result<(), ConfigError> {
        check::finite("policy.first", self.first)?;
        check::finite("policy.last", self.last)?;
        check::below_one("policy.delta", self.delta)
    }

    /// The threshold after a share of the training.
    fn threshold(self, share: f64) -> f64 {
        self.first + share.min(1.0) * (self.last - self.first)
    }

    /// The share of steps between two shares of the training that are the method's own, if squared norms are normally
    /// distributed.
    pub(super) fn expected(self, from: f64, until: f64) -> f64 {
        let [a, b] = [from, until].map(|share| self.threshold(share));
        let above = |c: f64| 0.5 * libm::erfc(c * std::f64::consts::FRAC_1_SQRT_2);
        if (b - a).abs() < 1e-9 {
            return above(a);
        }
        // The integral of the share above c is c times it less the density.
        let density = |c: f64| (-0.5 * c * c).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let integral = |c: f64| c * above(c) - density(c);
        (integral(b) - integral(a)) / (b - a)
    }
}

/// As it stands in a file.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "must be \"adaptive\" or { first = 1.0, last = -1.0, delta = 0.9 }"
)]
enum Written {
    Word(Adaptive),
    Table(Fields),
}

impl From<Written> for AdaptivePolicy {
    fn from(written: Written) -> Self {
        match written {
            Written::Word(Adaptive::Adaptive) => Self::default(),
            Written::Table(Fields { first, last, delta }) => Self { first, last, delta },
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Adaptive {
    Adaptive,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    first: f64,
    last: f64,
    delta: f64,
}

impl Default for Fields {
    fn default() -> Self {
        let AdaptivePolicy { first, last, delta } = AdaptivePolicy::default();
        Self { first, last, delta }
    }
}

/// Moving mean and variance of the squared norm.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    /// None before the first step.
    found: Option<(f64, f64)>,
}

impl Moments {
    /// Takes in the squared norm of a step after a share of the training, and says whether it is high.
    pub(super) fn take(&mut self, policy: AdaptivePolicy, square: f64, share: f64) -> bool {
        let keep = policy.delta;
        let (mean, variance) = match self.found {
            None => (square, 0.0),
            Some((mean, variance)) => {
                let mean = keep * mean + (1.0 - keep) * square;
                let apart = square - mean;
                (mean, keep * variance + (1.0 - keep) * apart * apart)
            }
        };
        self.found = Some((mean, variance));
        square >= mean + policy.threshold(share) * variance.sqrt()
    }

    pub(super) fn state(&self, state: MethodState) -> MethodState {
        match self.found {
            None => state,
            Some((mean, variance)) => state
                .with_scalar("schedule.mean", mean)
                .with_scalar("schedule.variance", variance),
        }
    }

    pub(super) fn of_state(state: &MethodState) -> Result<Self, RecordError> {
        if !state.scalars.contains_key("schedule.mean") {
            return Ok(Self::default());
        }
        let (mean, variance) = (
            state.scalar("schedule.mean")?,
            state.scalar("schedule.variance")?,
        );
        Ok(Self {
            found: Some((mean, variance)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_squared_norm_is_high_by_mean_and_deviation() {
        let policy = AdaptivePolicy::new().with_threshold(1.0, 1.0);
        let mut moments = Moments::default();
        assert!(moments.take(policy, 4.0, 0.0));
        // Mean 0.9 4 + 0.1 6 = 4.2, variance 0.1 1.8^2 = 0.324, deviation 0.569: 6 is above 4.769.
        assert!(moments.take(policy, 6.0, 0.0));
        // Mean 0.9 4.2 + 0.1 4.8 = 4.26, variance 0.9 0.324 + 0.1 0.54^2 = 0.32076, deviation 0.566: 4.8 is below 4.826.
        assert!(!moments.take(policy, 4.8, 0.0));
        let Some((mean, variance)) = moments.found else {
            panic!("there is a mean");
        };
        assert!((mean - 4.26).abs() < 1e-12 && (variance - 0.32076).abs() < 1e-12);
        // With a threshold below the mean it is not.
        let low = AdaptivePolicy::new().with_threshold(1.0, -1.0);
        assert!(moments.clone().take(low, 4.2, 1.0));
        assert!(!moments.take(low, 4.2, 0.0));
    }

    #[test]
    fn the_expected_share_is_that_above_the_threshold() {
        let policy = AdaptivePolicy::new();
        assert!((policy.expected(0.0, 1.0) - 0.5).abs() < 1e-12);
        // 1 - Phi(1) = 0.158655, and between it and one half on the way.
        let constant = policy.with_threshold(1.0, 1.0);
        assert!((constant.expected(0.0, 1.0) - 0.158_655_253_931_457).abs() < 1e-12);
        // The mean of 1 - Phi(c) over c from 0 to 1: 1 - (Phi(1) + phi(1) - phi(0)).
        assert!((policy.expected(0.0, 0.5) - 0.315_626_809_813_747).abs() < 1e-9);
    }
}
