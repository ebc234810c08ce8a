//! Mean, median, deviation, and whether two methods differ.

mod holm;
mod paired;
mod power;
mod wilcoxon;

use serde::{Deserialize, Serialize};

pub use holm::holm;
pub use paired::{CONFIDENCE, PairedTest, SIGNIFICANT, paired, paired_t_test};
pub use power::{POWER, power, seeds_needed};
pub use wilcoxon::wilcoxon;

/// Values that differ by less than this share of their size differ by rounding alone.
const ROUNDING: f64 = 1e-12;

/// The mean; nothing of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The median, the mean of the two in the middle of an even number; nothing of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    quartiles(values).map(|[_, median, _]| median)
}

/// Lower quartile, median and upper quartile; the outer two are values themselves. Nothing of nothing.
pub(crate) fn quartiles(values: impl IntoIterator<Item = f64>) -> Option<[f64; 3]> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let [low, middle, high] = [1, 2, 3].map(|quarter| quarter * values.len() / 4);
    let median = match values.len() % 2 {
        0 => values.get(middle)?.midpoint(values[middle - 1]),
        _ => values[middle],
    };
    Some([values[low], median, values[high]])
}

/// Mean and standard deviation over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Arithmetic mean of the values.
    pub mean: f64,
    /// The sample standard deviation (divisor n - 1); 0 for a single run.
    pub deviation: f64,
}

impl Spread {
    /// Of values; nothing of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let mean = mean(values.iter().copied())?;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let freedom = values.len().saturating_sub(1).max(1) as f64;
        Some(Self {
            mean,
            deviation: (squares / freedom).sqrt(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_by_hand() {
        let values = [1.0, 2.0, 6.0, 3.0];
        assert_eq!(mean(values), Some(3.0));
        assert_eq!(median(values), Some(2.5));
        assert_eq!(median([4.0, 1.0, 9.0]), Some(4.0));
        assert_eq!(quartiles(values), Some([2.0, 2.5, 6.0]));
        let spread = Spread::of(values).map(|s| (s.mean, s.deviation));
        assert_eq!(spread, Some((3.0, (14.0f64 / 3.0).sqrt())));
        assert_eq!(Spread::of([5.0]).map(|s| s.deviation), Some(0.0));
        assert_eq!(quartiles([4.0, 1.0, 3.0, 2.0, 5.0]), Some([2.0, 3.0, 4.0]));
        assert_eq!(quartiles([7.0]), Some([7.0; 3]));
        assert!(quartiles([]).is_none());
        assert!(mean([]).is_none() && median([]).is_none() && Spread::of([]).is_none());
    }
}
