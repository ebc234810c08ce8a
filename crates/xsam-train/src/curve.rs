//! The curve of a method: the mean over its runs, epoch by epoch.

use crate::metrics::Metrics;
use crate::plot::Point;

/// The mean of a column and its range over runs, of which each is given by its epochs, at the place `x` of each epoch,
/// counted from 1. An epoch that no run has the value of is left out.
pub(crate) fn over_epochs(
    runs: &[&[Metrics]],
    column: impl Fn(&Metrics) -> Option<f64>,
    x: impl Fn(usize) -> Option<f64>,
) -> Vec<Point> {
    let longest = runs.iter().map(|rows| rows.len()).max().unwrap_or(0);
    let point = |epoch: usize| {
        let values = runs.iter().filter_map(|rows| column(rows.get(epoch - 1)?));
        Point::over(x(epoch)?, &values.collect::<Vec<f64>>())
    };
    (1..=longest).filter_map(point).collect()
}
