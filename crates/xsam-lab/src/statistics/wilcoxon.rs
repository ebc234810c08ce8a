//! Wilcoxon's signed-rank test: paired, by ranks, where a spread is not normal.

use statrs::distribution::{ContinuousCDF, Normal};

use super::ROUNDING;

/// Up to so many pairs the distribution of the rank sum is exact.
const EXACT: usize = 50;

/// Up to so many if some differences are tied or zero.
const EXACT_WITH_TIES: usize = 13;

/// Probability of a rank sum at least so far from the middle, to either side, if differences of either sign are equally
/// likely. `first[i]` and `second[i]` are of the same seed; pairs without a difference are left out.
///
/// Exact for few pairs, and by the normal approximation with a correction for ties for more, as in `scipy`.
/// The smallest p value of n pairs is 2^(1 - n): five seeds cannot come below 0.0625.
///
/// Nothing of lists of different lengths, of values that are not finite, and if no pair differs.
pub fn wilcoxon(first: &[f64], second: &[f64]) -> Option<f64> {
    let pairs = first.len();
    let all = || first.iter().chain(second);
    if second.len() != pairs || !all().all(|value| value.is_finite()) {
        return None;
    }
    // What is equal but for rounding is zero, or tied.
    let least = ROUNDING * all().fold(0.0, |size: f64, value| size.max(value.abs()));
    let differences = first.iter().zip(second).map(|(a, b)| b - a);
    let mut differences: Vec<f64> = differences.filter(|d| d.abs() > least).collect();
    if differences.is_empty() {
        return None;
    }
    differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let tied = differences.chunk_by(|a, b| b.abs() - a.abs() <= least);
    // Twice their ranks are whole numbers, which a sum over signs is counted in.
    let (mut ranks, mut positive, mut below, mut ties) = (Vec::new(), 0, 0, 0.0);
    for group in tied {
        let size = group.len();
        let twice = 2 * below + size + 1;
        ranks.resize(ranks.len() + size, twice);
        positive += twice * group.iter().filter(|d| **d > 0.0).count();
        ties += (size * size * size - size) as f64;
        below += size;
    }
    let is_plain = ties == 0.0 && below == pairs;
    match pairs <= EXACT_WITH_TIES || is_plain && pairs <= EXACT {
        true => Some(exact(&ranks, positive)),
        false => approximate(below as f64, positive as f64 / 2.0, ties),
    }
}

/// Counts the choices of signs by twice their rank sum.
fn exact(ranks: &[usize], positive: usize) -> f64 {
    let mut ways = vec![0.0; ranks.iter().sum::<usize>() + 1];
    ways[0] = 1.0;
    let mut reached = 0;
    for &rank in ranks {
        for sum in (0..=reached).rev() {
            ways[sum + rank] += ways[sum];
        }
        reached += rank;
    }
    let all: f64 = ways.iter().sum();
    let [below, above] = [&ways[..=positive], &ways[positive..]].map(|w| w.iter().sum::<f64>());
    (2.0 * below.min(above) / all).min(1.0)
}

fn approximate(n: f64, positive: f64, ties: f64) -> Option<f64> {
    let away = positive - n * (n + 1.0) / 4.0;
    let deviation = ((n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0).sqrt();
    let normal = Normal::new(0.0, 1.0).ok()?;
    Some((2.0 * normal.sf(away.abs() / deviation)).min(1.0))
}
