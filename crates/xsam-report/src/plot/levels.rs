//! The levels at which a function on a plane changes its colour.

use plotters::prelude::{ColorMap, RGBColor, ViridisRGB};

const LEVELS: usize = 12;

/// Above this ratio of the whole range to that of the lower half of the values, levels that are evenly apart would
/// leave the lower half one colour.
const STEEP: f64 = 5.0;

/// How much of the range is below the first of the levels that are spaced by ratios.
const FIRST: f64 = 1e-3;

/// The levels for these finite values, ascending, each within their range. None if all values are the same.
pub(super) fn levels(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let range = high - low;
    if range <= 0.0 || !range.is_finite() {
        return Vec::new();
    }
    let half = sorted[sorted.len() / 2] - low;
    let mut levels: Vec<f64> = if range > STEEP * half {
        let ratio = FIRST.powf(-1.0 / LEVELS as f64);
        let at = |i: usize| above(low, range * FIRST * ratio.powi(i as i32));
        (0..LEVELS).map(at).collect()
    } else {
        let step = nice(range / LEVELS as f64);
        let first = (low / step).ceil();
        (0..2 * LEVELS + 2)
            .map(|i| (first + i as f64) * step)
            .collect()
    };
    levels.retain(|level| *level > low && *level < high);
    levels.dedup();
    levels
}

/// 1, 2 or 5 times a power of ten, nearest to `step` from below.
pub(crate) fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [5.0, 2.0].into_iter().find(|f| f * power <= step);
    factor.unwrap_or(1.0) * power
}

/// So far above the lowest value, in a number with as few digits as leave two of the distance.
fn above(low: f64, distance: f64) -> f64 {
    let power = 10f64.powf(distance.log10().floor() - 1.0);
    ((low + distance) / power).round() * power
}

/// The colour between level `band - 1` and level `band` of `count` levels: dark below and light above, also in grey.
pub(super) fn colour(band: usize, count: usize) -> RGBColor {
    ViridisRGB.get_color(band as f64 / count.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64]) -> Vec<f64> {
        let levels = levels(values);
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!(
            levels.windows(2).all(|pair| pair[0] < pair[1]),
            "{levels:?}"
        );
        assert!(levels.iter().all(|l| *l > low && *l < high), "{levels:?}");
        levels
    }

    #[test]
    fn levels_are_round_and_evenly_apart() {
        let values: Vec<f64> = (0..=100).map(|i| 0.3 + f64::from(i) / 100.0).collect();
        let found = check(&values);
        assert!((8..=24).contains(&found.len()), "{found:?}");
        let step = found[1] - found[0];
        assert!((step - 0.05).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn a_bowl_is_divided_down_to_its_ground() {
        let values: Vec<f64> = (-50..=50).map(|i| 0.1 + f64::from(i).powi(4)).collect();
        let found = check(&values);
        let below = |share: f64| found.iter().filter(|l| **l < share * 6.25e6).count();
        assert!(
            below(0.01) >= 3 && found.len() - below(0.1) >= 3,
            "{found:?}"
        );
    }

    #[test]
    fn ground_far_from_zero_hides_no_level() {
        let values: Vec<f64> = (-50..=50)
            .map(|i| 700.0 + f64::from(i).powi(4) / 6.25e6)
            .collect();
        assert_eq!(check(&values).len(), LEVELS);
    }

    #[test]
    fn what_has_no_range_has_no_levels() {
        assert!(levels(&[]).is_empty());
        assert!(levels(&[2.0, 2.0]).is_empty());
        check(&[-1.0, 0.0, 1.0]);
        check(&[1.0, 1.0 + 1e-12]);
    }
}
