//! A paired t test of two methods over the same seeds, with an interval.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{ROUNDING, Spread};

/// Below this p value a difference is told as one; above it may be chance.
pub const SIGNIFICANT: f64 = 0.05;

/// The share of intervals that have the true difference in them.
pub const CONFIDENCE: f64 = 1.0 - SIGNIFICANT;

/// A paired t-test of two methods over the same seeds: is the mean of their differences zero?
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedTest {
    /// Mean of the differences, the second method's value minus the first one's.
    pub difference: f64,
    /// That mean in units of its standard error.
    pub t: f64,
    /// Degrees of freedom: pairs - 1.
    pub freedom: f64,
    /// Where the true mean of the differences is, with a probability of [`CONFIDENCE`].
    #[serde(default)]
    pub interval: [f64; 2],
    /// Probability of a `t` at least so far from zero, to either side, if the true mean of the differences
    /// is zero and they are normally distributed.
    pub p: f64,
}

/// The values of two methods from the seeds that both have, each value with its seed, in the order of the second.
pub fn paired(
    first: impl Iterator<Item = (u64, f64)>,
    second: impl Iterator<Item = (u64, f64)>,
) -> (Vec<f64>, Vec<f64>) {
    let first: Vec<(u64, f64)> = first.collect();
    let pair = |(seed, value): (u64, f64)| {
        let (_, same) = first.iter().find(|(of, _)| *of == seed)?;
        Some((*same, value))
    };
    second.filter_map(pair).unzip()
}

/// Tests whether `second` differs from `first`; `first[i]` and `second[i]` are of the same seed.
///
/// Nothing where the test has no answer: of fewer than two pairs, of lists of different lengths, of values
/// that are not finite, and if all differences are the same, so that nothing is known of their deviation.
pub fn paired_t_test(first: &[f64], second: &[f64]) -> Option<PairedTest> {
    let pairs = first.len();
    if pairs < 2 || second.len() != pairs {
        return None;
    }
    let differences = first.iter().zip(second).map(|(a, b)| b - a);
    let Spread { mean, deviation } = Spread::of(differences)?;
    let values = first.iter().chain(second);
    let size = values.fold(0.0, |size: f64, value| size.max(value.abs()));
    if !deviation.is_finite() || deviation <= ROUNDING * size {
        return None;
    }
    let error = deviation / (pairs as f64).sqrt();
    let t = mean / error;
    let freedom = (pairs - 1) as f64;
    let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
    let reach = distribution.inverse_cdf(0.5 + CONFIDENCE / 2.0) * error;
    Some(PairedTest {
        difference: mean,
        t,
        freedom,
        interval: [mean - reach, mean + reach],
        p: 2.0 * distribution.sf(t.abs()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value}, not {expected}");
    }

    #[test]
    fn paired_tests_with_closed_forms() {
        // One degree of freedom: p = 1 - 2 / pi * atan t. Differences 1 and 3: t = 2.
        let test = paired_t_test(&[1.0, 1.0], &[2.0, 4.0]).unwrap();
        assert_near(test.difference, 2.0);
        assert_near(test.t, 2.0);
        assert_near(test.freedom, 1.0);
        assert_near(test.p, 1.0 - 2.0 / std::f64::consts::PI * 2f64.atan());
        // Two degrees: p = 1 - t / sqrt(2 + t^2). Differences 1, 2 and 3: t = 2 sqrt 3.
        let test = paired_t_test(&[5.0, 7.0, 1.0], &[6.0, 9.0, 4.0]).unwrap();
        assert_near(test.t, 12f64.sqrt());
        assert_near(test.p, 1.0 - (12.0f64 / 14.0).sqrt());
        // The other way round only the sign changes.
        let back = paired_t_test(&[6.0, 9.0, 4.0], &[5.0, 7.0, 1.0]).unwrap();
        assert_near(back.difference, -test.difference);
        assert_near(back.t, -test.t);
        assert_near(back.p, test.p);
        // No difference on average is no evidence at all.
        assert_near(paired_t_test(&[1.0, 2.0], &[2.0, 1.0]).unwrap().p, 1.0);
    }

    /// Hours of sleep gained with two drugs (Student 1908): t = 4.0621, p = 0.002833 with 9 degrees of freedom.
    #[test]
    fn the_paired_test_of_student_s_own_data() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let test = paired_t_test(&first, &second).unwrap();
        assert_near(test.difference, 1.58);
        assert!((test.t - 4.0621).abs() < 5e-5, "{}", test.t);
        assert!((test.p - 0.002_833).abs() < 5e-7, "{}", test.p);
    }

    #[test]
    fn where_the_paired_test_has_no_answer() {
        assert_eq!(paired_t_test(&[], &[]), None);
        assert_eq!(paired_t_test(&[1.0], &[2.0]), None);
        assert_eq!(paired_t_test(&[1.0, 2.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(paired_t_test(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(paired_t_test(&[1.0, f64::INFINITY], &[1.0, 2.0]), None);
        // The same difference twice, but for its rounding.
        assert_eq!(paired_t_test(&[0.9, 0.7], &[1.0, 0.8]), None);
        assert_eq!(paired_t_test(&[0.5, 0.5], &[0.5, 0.5]), None);
    }
}
