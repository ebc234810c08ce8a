//! Values of a function on a rectangular grid.

use std::ops::Range;

use super::axis;

/// Values at `ys x xs`, both of which ascend; `x` runs fastest.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) xs: Vec<f64>,
    pub(crate) ys: Vec<f64>,
    pub(crate) values: Vec<f64>,
}

impl Grid {
    /// The values of a function where the coordinates of an axis meet each other.
    pub(crate) fn square(axis: Vec<f64>, f: impl Fn(f64, f64) -> f64) -> Self {
        let f = &f;
        let row = |&y: &f64| axis.iter().map(move |&x| f(x, y));
        Self {
            values: axis.iter().flat_map(row).collect(),
            xs: axis.clone(),
            ys: axis,
        }
    }

    /// The first and last coordinate of one of its axes, apart from each other.
    pub(super) fn range(coordinates: &[f64]) -> Result<Range<f64>, String> {
        let from = coordinates.first().copied().unwrap_or(0.0);
        axis(from, coordinates.last().copied().unwrap_or(from), 0.0)
    }

    pub(super) fn finite(&self) -> Vec<f64> {
        let finite = self.values.iter().copied().filter(|v| v.is_finite());
        finite.collect()
    }

    /// Why it cannot be drawn, if it cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        let (nx, ny) = (self.xs.len(), self.ys.len());
        if nx < 2 || ny < 2 || self.values.len() != nx * ny {
            let values = self.values.len();
            return Err(format!("{values} values on a grid of {nx} x {ny} points"));
        }
        let ascending = |axis: &[f64]| axis.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending(&self.xs) || !ascending(&self.ys) {
            return Err("the coordinates of an axis do not ascend".to_owned());
        }
        if self.finite().is_empty() {
            return Err("no value is finite".to_owned());
        }
        Ok(())
    }
}
