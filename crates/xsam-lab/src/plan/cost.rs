//! Hours and money.

use serde::{Deserialize, Serialize};

/// Time, memory and disk that something costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Hours of the machine.
    pub hours: f64,
    /// Money, if a price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<f64>,
}

impl Cost {
    pub(super) fn of(hours: f64, price_per_hour: Option<f64>) -> Self {
        Self {
            hours,
            money: price_per_hour.map(|price| hours * price),
        }
    }

    /// So many times this.
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            hours: self.hours * factor,
            money: self.money.map(|money| money * factor),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            hours: self.hours - other.hours,
            money: self.money.zip(other.money).map(|(a, b)| a - b),
        }
    }
}

/// What it costs to take one thing in place of another; below zero, what it frees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Hours of the one by those of the other.
    pub ratio: f64,
    /// Change of the cost of a run.
    pub run: Cost,
    /// In a year, if it is known how many runs that has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<Cost>,
}

impl Change {
    /// To runs of the cost `to` from those of `from`, of which a year has so many.
    pub(super) fn of(from: Cost, to: Cost, runs_per_year: Option<usize>) -> Self {
        let run = to.minus(from);
        Self {
            ratio: to.hours / from.hours,
            run,
            year: runs_per_year.map(|runs| run.times(runs as f64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_counted_in_hours_and_money() {
        let (from, to) = (Cost::of(2.0, Some(3.0)), Cost::of(5.0, Some(3.0)));
        assert_eq!(from.money, Some(6.0));
        let change = Change::of(from, to, Some(10));
        assert_eq!(change.ratio, 2.5);
        let costs = |hours, money| Cost {
            hours,
            money: Some(money),
        };
        assert_eq!(change.run, costs(3.0, 9.0));
        assert_eq!(change.year, Some(costs(30.0, 90.0)));
        // The other way it frees as much.
        assert_eq!(
            Change::of(to, from, Some(10)).year,
            Some(costs(-30.0, -90.0))
        );
        let unpriced = Change::of(from, Cost::of(5.0, None), None);
        assert_eq!((unpriced.run.money, unpriced.year), (None, None));
    }
}
