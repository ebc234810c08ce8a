//! Axes: where values are on the paper, and which round values are written beside them.

use serde::Serialize;

use crate::plot::nice;
use xsam_lab::numbers::PAGE;

/// A value beside an axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Tick {
    /// Its place on the paper.
    pub(super) at: f64,
    pub(super) label: String,
}

/// Values from `low` to `high` on the paper from `start` to `end`, which may be the lower one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    step: f64,
}

impl Axis {
    /// An axis that ends at round values beyond the lowest and the highest of these.
    pub(super) fn around(values: [f64; 2], [start, end]: [f64; 2]) -> Self {
        let [low, high] = wide_enough(values);
        let step = nice((high - low) / 3.0);
        Self {
            low: (low / step + 1e-9).floor() * step,
            high: (high / step - 1e-9).ceil() * step,
            start,
            end,
            step,
        }
    }

    /// An axis from the lowest of these values to the highest, with ticks at whole numbers only if `whole`.
    pub(super) fn between(values: [f64; 2], whole: bool, [start, end]: [f64; 2]) -> Self {
        let [low, high] = wide_enough(values);
        let step = nice((high - low) / 3.0);
        Self {
            low,
            high,
            start,
            end,
            step: if whole { step.max(1.0) } else { step },
        }
    }

    /// Where a value is on the paper, to a tenth of a point.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        tenths(self.start + share * (self.end - self.start))
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        let first = (self.low / self.step - 1e-9).ceil();
        let last = (self.high / self.step + 1e-9).floor();
        let digits = self.digits();
        (0..=(last - first).max(0.0) as usize)
            .map(|i| {
                let value = (first + i as f64) * self.step;
                Tick {
                    at: self.at(value),
                    label: match value.abs() < 1e5 && digits < 5 {
                        true => PAGE.fixed(value, digits),
                        false => PAGE.significant(value, 3),
                    },
                }
            })
            .collect()
    }

    /// Digits after the point that tell its ticks apart.
    pub(super) fn digits(&self) -> usize {
        (-self.step.log10().floor()).max(0.0) as usize
    }
}

/// To a tenth of a point, which is finer than a line.
pub(super) fn tenths(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}

/// The range, or one around it if it is a point.
fn wide_enough([low, high]: [f64; 2]) -> [f64; 2] {
    let least = 1e-9 * low.abs().max(high.abs()).max(1e-3);
    let room = match high - low > least {
        true => 0.0,
        false => (0.1 * low.abs()).max(0.5),
    };
    [low - room, high + room]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        let axis = Axis::around([73.1, 97.4], [0.0, 100.0]);
        assert_eq!(labels(axis), ["70", "75", "80", "85", "90", "95", "100"]);
        assert_eq!((axis.at(70.0), axis.at(100.0)), (0.0, 100.0));
        let axis = Axis::around([0.02, 2.1], [100.0, 0.0]);
        assert_eq!(labels(axis), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(axis.at(2.5), 0.0);
        let axis = Axis::between([1.0, 3.0], true, [0.0, 100.0]);
        assert_eq!(labels(axis), ["1", "2", "3"]);
    }

    #[test]
    fn any_range_has_ticks_within_it() {
        for (low, high) in [
            (0.0, 0.0),
            (5.0, 5.0),
            (-3.0, -3.0),
            (1e-12, 3e-12),
            (0.1, 0.1 + 1e-13),
            (-1e9, 1e9),
            (1.0, 60.0),
            (999.9, 1000.1),
        ] {
            for axis in [
                Axis::around([low, high], [0.0, 400.0]),
                Axis::between([low, high], false, [0.0, 400.0]),
            ] {
                let ticks = axis.ticks();
                assert!((2..=9).contains(&ticks.len()), "{low} {high}: {ticks:?}");
                let within = |tick: &Tick| (-0.1..=400.1).contains(&tick.at);
                assert!(ticks.iter().all(within), "{low} {high}: {ticks:?}");
                assert!(axis.at(low) >= -0.1 && axis.at(high) <= 400.1);
            }
        }
    }
}
