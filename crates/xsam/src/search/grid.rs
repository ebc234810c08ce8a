//! Which positions on the arc a search tries.

use crate::check;
use crate::error::ConfigError;

/// The positions on the arc that a search tries.
///
/// The default is the paper's: 0, 0.1, .., 2.0.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    alphas: Vec<f64>,
}

impl Grid {
    /// The given positions, tried in this order. Each costs a forward pass.
    ///
    /// # Errors
    /// If there is none, or one is not finite.
    ///
    /// ```
    /// use xsam::Grid;
    ///
    /// assert_eq!(Grid::new(vec![0.5, 1.0])?.alphas(), [0.5, 1.0]);
    /// assert!(Grid::new(vec![]).is_err());
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub fn new(alphas: Vec<f64>) -> Result<Self, ConfigError> {
        if alphas.is_empty() {
            let range = "a list of at least one position on the arc";
            return Err(ConfigError::new("grid", "[]", range));
        }
        for &alpha in &alphas {
            check::finite("grid", alpha)?;
        }
        Ok(Self { alphas })
    }

    /// Six positions, 0, 0.4, .., 2.0, for a search that is refined by a parabola.
    pub fn coarse() -> Self {
        Self {
            alphas: (0..=5).map(|i| f64::from(4 * i) / 10.0).collect(),
        }
    }

    /// Whether the positions are enough for a search that is refined by a `parabola` or not.
    pub(crate) fn check(&self, parabola: bool) -> Result<(), ConfigError> {
        match parabola && self.alphas.len() < 3 {
            true => {
                let range = "a list of at least three positions, for a parabola";
                let given = format!("{:?}", self.alphas);
                Err(ConfigError::new("grid", given, range))
            }
            false => Ok(()),
        }
    }

    /// The positions.
    pub fn alphas(&self) -> &[f64] {
        &self.alphas
    }
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            alphas: (0..=20).map(|i| f64::from(i) / 10.0).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_grid_has_finite_positions_and_at_least_one() {
        assert!(Grid::new(vec![0.0, f64::NAN]).is_err());
        assert!(Grid::new(vec![f64::INFINITY]).is_err());
        let error = Grid::new(Vec::new()).unwrap_err();
        assert_eq!(error.field, "grid");
        assert_eq!(Grid::default().alphas().len(), 21);
        assert_eq!(Grid::default().alphas()[13], 1.3);
        assert_eq!(Grid::coarse().alphas(), [0.0, 0.4, 0.8, 1.2, 1.6, 2.0]);
    }
}
