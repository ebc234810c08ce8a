//! The curve of a method: the mean over its runs, epoch by epoch.

use crate::plot::Point;
use xsam_lab::Metrics;
use xsam_lab::columns::Column;

/// The mean of a column, as it is shown, and its range over runs, of which each is given by its epochs, at the place `x` of each epoch,
/// counted from 1. An epoch that no run has the value of is left out.
pub(crate) fn over_epochs(
    runs: &[&[Metrics]],
    column: &Column,
    x: impl Fn(usize) -> Option<f64>,
) -> Vec<Point> {
    let longest = runs.iter().map(|rows| rows.len()).max().unwrap_or(0);
    let point = |epoch: usize| {
        let values = runs
            .iter()
            .filter_map(|rows| rows.get(epoch - 1)?.get(&column.name));
        let values = values.map(|value| column.shown(value));
        Point::over(x(epoch)?, &values.collect::<Vec<f64>>())
    };
    (1..=longest).filter_map(point).collect()
}
