//! What a search found.

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchReport {
    /// The positions on the arc that were tried.
    pub alphas: Vec<f64>,
    /// The loss at each of them, at distance rho_max from the weights.
    pub losses: Vec<f64>,
    /// How many of the losses were not finite. They cannot win.
    pub skipped: usize,
    /// Over how many batches, this one included, the curve was averaged that alpha was chosen from.
    pub batches: usize,
}

impl SearchReport {
    /// What a search on one batch found that took these losses at these positions.
    pub fn new(alphas: Vec<f64>, losses: Vec<f64>) -> Self {
        let skipped = losses.iter().filter(|loss| !loss.is_finite()).count();
        Self {
            alphas,
            losses,
            skipped,
            batches: 1,
        }
    }

    /// The position of this batch's highest finite loss, the first one of several; `None` if no loss is
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
}
