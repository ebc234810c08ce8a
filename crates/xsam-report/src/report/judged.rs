//! What runs are judged by.

use super::source::{ComparisonSource, MethodSource, RunSource};
use xsam_lab::columns::Column;
use xsam_lab::numbers::PAGE;
use xsam_lab::statistics::Spread;
use xsam_lab::{Better, Metrics, Part, Score, compared};

/// What runs are judged by: a score on the test data.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// That of an epoch.
    pub(super) column: Column,
    pub(super) better: Better,
}

impl Judged {
    /// Of models with these scores.
    pub(super) fn by(scores: &[Score]) -> Self {
        let score = compared(scores);
        Self {
            better: score.better,
            column: Column::of_score(&score, Part::Test),
        }
    }

    /// What a value is multiplied by so that more of it is better.
    pub(super) fn sign(&self) -> f64 {
        self.better.sign()
    }

    /// That of a run after its last epoch, as it is shown.
    pub(super) fn of_run(&self, run: &RunSource) -> Option<f64> {
        self.of_epoch(run.summary.last.as_ref()?)
    }

    /// That of an epoch, as it is shown.
    pub(super) fn of_epoch(&self, row: &Metrics) -> Option<f64> {
        let value = row.get(&self.column.name);
        value.map(|value| self.column.shown(value))
    }

    /// Its name within a sentence.
    pub(super) fn title(&self) -> &str {
        &self.column.title
    }

    /// Such a value as it is shown, in digits.
    pub(super) fn fixed(&self, value: Option<f64>) -> String {
        PAGE.fixed(value, self.column.digits)
    }

    /// Such a value with its unit.
    pub(super) fn told(&self, value: f64) -> String {
        self.with(value, &self.column.unit)
    }

    /// In what a difference of two is told.
    pub(super) fn points(&self) -> &str {
        match &*self.column.unit {
            "%" => "points",
            unit => unit,
        }
    }

    /// A difference of two of them.
    pub(super) fn difference(&self, value: f64) -> String {
        self.with(value.abs(), self.points())
    }

    fn with(&self, value: f64, unit: &str) -> String {
        let value = self.fixed(Some(value));
        match unit {
            "" => value,
            unit => format!("{value} {unit}"),
        }
    }

    /// Mean and deviation of a method, as they are shown.
    pub(super) fn of_method(
        &self,
        source: &ComparisonSource,
        method: &MethodSource,
    ) -> Option<Spread> {
        let column = source.summary.compared()?;
        let spread = method.summary.spreads.get(&*column.name)?;
        spread.mean.is_finite().then(|| Spread {
            mean: column.shown(spread.mean),
            deviation: column.shown(spread.deviation),
        })
    }

    /// The same in words: without a deviation if there is one run alone.
    pub(super) fn spread(&self, spread: Option<Spread>, runs: usize) -> String {
        match spread {
            Some(Spread { mean, .. }) if runs < 2 => self.fixed(Some(mean)),
            spread => PAGE.spread(spread, "", self.column.digits),
        }
    }
}
