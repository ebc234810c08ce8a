//! What came out of a comparison: which method is best, by how much, and whether chance explains it.

use super::page::{Figure, Page};
use super::source::{ComparisonSource, MethodSource, RunSource};
use xsam_lab::columns::Column;
use xsam_lab::numbers::{PAGE, count, p_value};
use xsam_lab::statistics::{PairedTest, Spread, mean, paired, paired_t_test};
use xsam_lab::{Better, Metrics, Part, Score, compared};

/// Above this p value a difference is told to be perhaps chance.
const SIGNIFICANT: f64 = 0.05;

/// What runs are judged by: a score on the test data.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// That of an epoch.
    pub(super) column: Column,
    better: Better,
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
    fn points(&self) -> &str {
        match &*self.column.unit {
            "%" => "points",
            unit => unit,
        }
    }

    /// A difference of two of them.
    fn difference(&self, value: f64) -> String {
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

/// How a method compares with another one, over the seeds that both have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    pub(super) seeds: usize,
    /// Mean of the differences, the method's value minus the other one's.
    pub(super) mean: f64,
    /// None if there is no answer, as from one seed.
    pub(super) test: Option<PairedTest>,
}

impl Difference {
    /// Of `method` from `base`; none if no seed has both.
    pub(super) fn new(base: &MethodSource, method: &MethodSource, score: &Judged) -> Option<Self> {
        let of_run = |run: &RunSource| score.of_run(run);
        let (first, second) = paired(base.values(of_run), method.values(of_run));
        let differences = first.iter().zip(&second).map(|(a, b)| b - a);
        Some(Self {
            seeds: first.len(),
            mean: mean(differences)?,
            test: paired_t_test(&first, &second),
        })
    }

    /// The p value and over how many seeds, in brackets.
    fn evidence(self) -> String {
        let seeds = count(self.seeds, "seed", "seeds");
        match self.test {
            Some(test) => format!("({}, {seeds})", p_value(test.p)),
            None => format!("({seeds})"),
        }
    }

    /// The end of a headline: how far it is ahead of `base`, which may be the next one, and whether that may be chance.
    fn told(self, base: &MethodSource, score: &Judged, is_next: bool) -> String {
        let by = score.difference(self.mean);
        let more = if self.mean < 0.0 { "less" } else { "more" };
        let next = if is_next { ", the next" } else { "" };
        let chance = match self.test {
            Some(test) if test.p >= SIGNIFICANT => " That may be chance.",
            _ => "",
        };
        let (base, evidence) = (base.label(), self.evidence());
        format!("{by} {more} than {base}{next} {evidence}.{chance}")
    }
}

/// A method that has a score, and what it is.
type Ranked<'a> = (&'a MethodSource, Spread);

/// The beginning of the page: headline, lead, remark and key figures.
pub(super) fn outcome(source: &ComparisonSource, score: &Judged) -> Page {
    let ranked = source
        .methods
        .iter()
        .filter_map(|method| Some((method, score.of_method(source, method)?)));
    let mut ranking: Vec<Ranked<'_>> = ranked.collect();
    // Stable: of equals the one that is first in the table.
    ranking.sort_by(|(_, a), (_, b)| score.better.order(a.mean, b.mean));
    let Some((&(best, spread), others)) = ranking.split_first() else {
        return Page {
            headline: format!("No run has a {} yet.", score.title()),
            ..Page::default()
        };
    };
    let value = score.spread(Some(spread), best.summary.runs);
    let mut page = Page {
        figures: vec![Figure::new(
            format!("best by {}", score.title()),
            best.label(),
            format!("{value} {}", score.column.unit).trim_end(),
        )],
        ..Page::default()
    };
    // Against the first method, or if that is best against the next one.
    let first = source.methods.first();
    let first = first.filter(|first| first.label() != best.label());
    let base = first.or(others.first().map(|(next, _)| *next));
    let difference = base.and_then(|base| Some((base, Difference::new(base, best, score)?)));
    let reached = format!("{} {}", score.told(spread.mean), score.title());
    let label = best.label();
    if let Some((base, difference)) = difference {
        let ahead = difference.told(base, score, first.is_none());
        page.headline = match first {
            Some(_) => format!("{label} is best with {reached}, {ahead}"),
            None => format!("No method is better than {label} with {reached}, {ahead}"),
        };
        explain(&mut page, difference, (best, base), others, score);
    } else {
        let seeds = count(best.summary.runs, "seed", "seeds");
        page.headline = format!("{label} reached {reached} ({seeds}).");
    }
    page.figures.extend(cost(source, best));
    page
}

/// What is to be known of the difference of the best method from another one.
fn explain(
    page: &mut Page,
    difference: Difference,
    (best, base): (&MethodSource, &MethodSource),
    others: &[Ranked<'_>],
    score: &Judged,
) {
    let unit = match score.points() {
        "" => score.column.score.as_deref().unwrap_or_default(),
        points => points,
    };
    let seeds = count(difference.seeds, "seed", "seeds");
    page.figures.push(Figure::new(
        format!("against {}", base.label()),
        PAGE.signed(difference.mean, score.column.digits),
        format!("{unit}, mean over {seeds}"),
    ));
    if let Some(test) = difference.test {
        let freedom = difference.seeds - 1;
        let freedom = count(freedom, "degree of freedom", "degrees of freedom");
        let t = PAGE.fixed(test.t, 2);
        let note = format!("t = {t}, {freedom}");
        page.figures
            .push(Figure::new("paired t-test", p_value(test.p), note));
    }
    page.remark = match (difference.test, difference.seeds, others.len()) {
        (Some(_), _, 2..) => {
            "p is the probability of a difference at least so large if both methods were equally good; that the best of \
             several was chosen after the fact is not accounted for."
        }
        (Some(_), ..) => {
            "p is the probability of a difference at least so large if both methods were equally good."
        }
        (None, 1, _) => "From one seed nothing is known of chance: no p value.",
        (None, ..) => "The difference is the same from every seed: no p value.",
    }
    .to_owned();
    if let Some(&(next, spread)) = others.first()
        && next.label() != base.label()
        && let Some(behind) = Difference::new(next, best, score)
    {
        page.lead = format!(
            "Next is {} with {}, {} behind {}.",
            next.label(),
            score.told(spread.mean),
            score.difference(behind.mean),
            behind.evidence(),
        );
    }
}

/// What the best method costs in relation to the first.
fn cost(source: &ComparisonSource, best: &MethodSource) -> Option<Figure> {
    let first = source.methods.first()?;
    let of_best = best.summary.seconds_per_epoch?;
    let of_first = first.summary.seconds_per_epoch?;
    let [told, told_of_first] = [of_best, of_first].map(|seconds| PAGE.duration(seconds));
    let (value, note) = match first.label() == best.label() {
        true => (told, "median of its epochs".to_owned()),
        false => (
            format!("× {}", PAGE.fixed(of_best / of_first, 2)),
            format!("{told} against {told_of_first}"),
        ),
    };
    Some(Figure::new("time of an epoch", value, note))
}
