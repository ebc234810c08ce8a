//! How many seeds it takes to tell a difference.

use statrs::distribution::{Chi, Continuous, ContinuousCDF, Normal, StudentsT};

use super::SIGNIFICANT;

/// The probability with which a difference is to be told.
pub const POWER: f64 = 0.8;

/// More seeds than this nobody runs.
const MOST: usize = 1_000_000;

/// Pieces of Simpson's rule. Half as many give the same ten digits.
const PIECES: usize = 2000;

/// Standard deviations of the estimated spread that the integral reaches to either side.
const REACH: f64 = 12.0;

/// The probability that a two-sided paired t test over so many `pairs`, at the level [`SIGNIFICANT`], tells a difference of
/// `effect` standard deviations of the differences. Nothing of fewer than two pairs, or if `effect` is not finite.
pub fn power(effect: f64, pairs: usize) -> Option<f64> {
    if pairs < 2 || !effect.is_finite() {
        return None;
    }
    let freedom = (pairs - 1) as f64;
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
    let critical = t.inverse_cdf(1.0 - SIGNIFICANT / 2.0);
    let (normal, spread) = (
        Normal::new(0.0, 1.0).ok()?,
        Chi::new(pairs as u64 - 1).ok()?,
    );
    let shift = effect * (pairs as f64).sqrt();
    // t is (z + shift) / s, with z normal and s the spread that is estimated, in units of the true one.
    let found = |s: f64| normal.cdf(shift - critical * s) + normal.cdf(-critical * s - shift);
    let density = |s: f64| freedom.sqrt() * spread.pdf(s * freedom.sqrt());
    let reach = REACH / (2.0 * freedom).sqrt();
    let (from, to) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let step = (to - from) / PIECES as f64;
    let weighed = (0..=PIECES).map(|i| {
        let weight = match i {
            0 | PIECES => 1.0,
            i if i % 2 == 1 => 4.0,
            _ => 2.0,
        };
        // At zero itself the density has no value, but a limit.
        let s = (from + i as f64 * step).max(f64::EPSILON);
        weight * found(s) * density(s)
    });
    Some((weighed.sum::<f64>() * step / 3.0).clamp(0.0, 1.0))
}

/// The fewest seeds with which a paired t test tells a `difference` with a probability of [`POWER`], if differences deviate
/// by `deviation` from their mean. Nothing if no number of seeds does.
pub fn seeds_needed(difference: f64, deviation: f64) -> Option<usize> {
    let effect = difference.abs() / deviation;
    if effect.is_infinite() {
        return Some(2);
    }
    let is_enough = |seeds: usize| power(effect, seeds).is_some_and(|power| power >= POWER);
    let mut enough = 2;
    while !is_enough(enough) {
        enough *= 2;
        if enough > MOST {
            return None;
        }
    }
    let mut few = enough / 2;
    while few + 1 < enough {
        let middle = few.midpoint(enough);
        match is_enough(middle) {
            true => enough = middle,
            false => few = middle,
        }
    }
    Some(enough)
}
