//! A time that was measured several times.

use serde::{Deserialize, Serialize};

use crate::statistics::{mean, quartiles};

/// Half of normally distributed values are within so many standard deviations of their middle, to both sides
/// together.
const QUARTILES_APART: f64 = 1.349;

/// The standard error of the median of normally distributed values in that of their mean: the root of pi / 2.
const OF_MEDIAN: f64 = 1.2533;

/// What takes less is measured several times in a row for one measurement. On a machine that does other things, too, a
/// short time is either free of them or in the midst of them, and their median is one of the two.
const LEAST_S: f64 = 0.1;

/// The fewest measurements to which several in a row may reduce them.
const LEAST_COUNT: usize = 8;

/// Seconds that something takes: the median of several measurements and the quartiles around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Median of the repetitions, in seconds.
    pub median_s: f64,
    /// The lower quartile: a quarter of the measurements took no longer.
    pub low_s: f64,
    /// Upper quartile of the repetitions, in seconds.
    pub high_s: f64,
    /// How many measurements there are.
    pub count: usize,
    /// How often it was done for each measurement, which is the mean: more than once if it takes less than 0.1
    /// seconds.
    pub in_a_row: usize,
}

impl Timing {
    /// Of seconds in the order in which they were taken, each times `factor`; nothing of nothing.
    pub(super) fn of(seconds: &[f64], factor: f64) -> Option<Self> {
        let all = mean(seconds.iter().copied())? * factor;
        let enough = (LEAST_S / all).ceil() as usize;
        let in_a_row = enough.min(seconds.len() / LEAST_COUNT).max(1);
        let rows = seconds.chunks_exact(in_a_row);
        let count = rows.len();
        let [low, median, high] = quartiles(rows.filter_map(|row| mean(row.iter().copied())))?;
        Some(Self {
            median_s: factor * median,
            low_s: factor * low,
            high_s: factor * high,
            count,
            in_a_row,
        })
    }

    /// Standard error of the median, from the distance of the quartiles. A few measurements that something
    /// interrupted do not change it.
    pub(super) fn standard_error(&self) -> f64 {
        let deviation = (self.high_s - self.low_s) / QUARTILES_APART;
        OF_MEDIAN * deviation / (self.count.max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_timing_is_its_median_and_quartiles() {
        let timing = Timing::of(&[3.0, 1.0, 100.0, 2.0], 0.5).unwrap();
        let quartiles = (timing.low_s, timing.median_s, timing.high_s);
        assert_eq!(quartiles, (1.0, 1.25, 50.0));
        assert_eq!((timing.count, timing.in_a_row), (4, 1));
        assert!(Timing::of(&[], 1.0).is_none());
    }

    #[test]
    fn short_times_are_measured_in_rows() {
        // Every other one was interrupted.
        let seconds: Vec<f64> = (0..200)
            .map(|i| f64::from(1 + 8 * (i % 2)) / 1000.0)
            .collect();
        let timing = Timing::of(&seconds, 1.0).unwrap();
        assert_eq!((timing.count, timing.in_a_row), (10, 20));
        for value in [timing.low_s, timing.median_s, timing.high_s] {
            assert!((value - 0.005).abs() < 1e-12);
        }
        // There are as many measurements as can be, up to eight.
        let timing = Timing::of(&seconds[..17], 1.0).unwrap();
        assert_eq!((timing.count, timing.in_a_row), (8, 2));
        assert_eq!(Timing::of(&seconds[..7], 1.0).unwrap().count, 7);
        assert_eq!(Timing::of(&[0.0, 0.0], 1.0).unwrap().count, 2);
    }

    #[test]
    fn more_measurements_of_less_spread_are_surer() {
        let timing = |high_s, count| Timing {
            median_s: 1.0,
            low_s: 1.0,
            high_s,
            count,
            in_a_row: 1,
        };
        // 1.2533 * (1.1349 - 1) / 1.349 / 2.
        assert!((timing(1.1349, 4).standard_error() - 0.062665).abs() < 1e-9);
        assert!(timing(1.1349, 16).standard_error() < timing(1.1349, 4).standard_error());
        assert_eq!(timing(1.0, 3).standard_error(), 0.0);
    }
}
