//! The search for alpha: which positions on the arc, and when.

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

/// When alpha is searched for anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchSchedule {
    /// In the first step of every epoch, as the paper does. Epochs are told by
    /// [`SharpnessAware::start_epoch`](crate::SharpnessAware::start_epoch); a loop that never calls
    /// it has one epoch, and so one search.
    #[default]
    EveryEpoch,
    /// In the first step and every so many steps after it.
    EverySteps(usize),
    /// Never: alpha stays what it is.
    Never,
}

impl SearchSchedule {
    pub(crate) fn check(self) -> Result<(), ConfigError> {
        match self {
            Self::EverySteps(n) => check::at_least_one("search_every", n),
            Self::EveryEpoch | Self::Never => Ok(()),
        }
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchReport {
    /// The positions on the arc that were tried.
    pub alphas: Vec<f64>,
    /// The loss at each of them, at distance rho_max from the weights.
    pub losses: Vec<f64>,
    /// How many of the losses were not finite. They cannot win.
    pub skipped: usize,
}

impl SearchReport {
    /// What a search found that took these losses at these positions.
    pub fn new(alphas: Vec<f64>, losses: Vec<f64>) -> Self {
        let skipped = losses.iter().filter(|loss| !loss.is_finite()).count();
        Self {
            alphas,
            losses,
            skipped,
        }
    }

    /// The position of the highest finite loss, the first one of several; `None` if no loss is
    /// finite.
    pub fn best(&self) -> Option<f64> {
        let mut best: Option<(f64, f64)> = None;
        for (&alpha, &loss) in self.alphas.iter().zip(&self.losses) {
            if loss.is_finite() && best.is_none_or(|(_, highest)| loss > highest) {
                best = Some((alpha, loss));
            }
        }
        best.map(|(alpha, _)| alpha)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn best(losses: &[f64]) -> Option<f64> {
        let alphas = (0..losses.len()).map(|i| i as f64).collect();
        SearchReport::new(alphas, losses.to_vec()).best()
    }

    #[test]
    fn the_first_of_several_maxima_wins() {
        assert_eq!(best(&[1.0, 3.0, 3.0, 2.0]), Some(1.0));
    }

    #[test]
    fn losses_may_be_negative_or_zero() {
        assert_eq!(best(&[-5.0, -2.0, -3.0]), Some(1.0));
        assert_eq!(best(&[-1.0, 0.0]), Some(1.0));
    }

    #[test]
    fn losses_that_are_not_finite_are_skipped_and_counted() {
        let nan = f64::NAN;
        let report =
            SearchReport::new(vec![0.0, 1.0, 2.0, 3.0], vec![nan, 1.0, f64::INFINITY, nan]);
        assert_eq!(report.best(), Some(1.0));
        assert_eq!(report.skipped, 3);
        assert_eq!(best(&[nan, f64::INFINITY]), None);
    }

    #[test]
    fn a_grid_has_finite_positions_and_at_least_one() {
        assert!(Grid::new(vec![0.0, f64::NAN]).is_err());
        assert!(Grid::new(vec![f64::INFINITY]).is_err());
        let error = Grid::new(Vec::new()).unwrap_err();
        assert_eq!(error.field, "grid");
        assert_eq!(Grid::default().alphas().len(), 21);
        assert_eq!(Grid::default().alphas()[13], 1.3);
    }
}
