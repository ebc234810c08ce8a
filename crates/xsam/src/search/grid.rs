//! Which positions on the arc a search tries.

use crate::check;
use crate::error::ConfigError;

/// The most positions. Each is a forward pass, and nothing else is heeded within a search.
const MOST: usize = 1000;

/// The positions of a search unless others are given: the paper's, 0, 0.1, .., 2, and where a `parabola` refines them
/// fewer, 0, 0.4, .., 2.
pub(crate) fn positions(parabola: bool) -> Vec<f64> {
    match parabola {
        true => (0..=5).map(|i| f64::from(4 * i) / 10.0).collect(),
        false => (0..=20).map(|i| f64::from(i) / 10.0).collect(),
    }
}

/// Whether a search, refined by a `parabola` or not, can be of these positions.
pub(super) fn check(grid: &[f64], parabola: bool) -> Result<(), ConfigError> {
    let range = match grid.len() {
        0 => "a list of at least one position on the arc",
        1 | 2 if parabola => "a list of at least three positions, for a parabola",
        count if count > MOST => {
            let count = format!("{count} positions");
            return Err(ConfigError::new("grid", count, "at most 1000"));
        }
        _ => {
            return grid
                .iter()
                .try_for_each(|alpha| check::finite("grid", *alpha));
        }
    };
    Err(ConfigError::new("grid", format!("{grid:?}"), range))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_grid_has_finite_positions_and_at_least_one() {
        let field = |grid: &[f64]| check(grid, false).unwrap_err().field;
        assert_eq!(field(&[0.0, f64::NAN]), "grid");
        assert_eq!(field(&[f64::INFINITY]), "grid");
        assert_eq!(field(&[]), "grid");
        assert_eq!(field(&[1.0; MOST + 1]), "grid");
        assert!(check(&[0.5], false).is_ok() && check(&[0.5, 1.0], true).is_err());
        let fine = positions(false);
        assert_eq!((fine.len(), fine[13]), (21, 1.3));
        assert_eq!(positions(true), [0.0, 0.4, 0.8, 1.2, 1.6, 2.0]);
    }
}
