//! What came out of a comparison: which method is best, by how much, and whether chance explains it.

use super::page::Figure;
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

    fn p(self) -> Option<f64> {
        self.test.map(|test| test.p)
    }

    /// The p value and over how many seeds, in brackets.
    fn evidence(self) -> String {
        let seeds = count(self.seeds, "seed", "seeds");
        match self.p() {
            Some(p) => format!("({}, {seeds})", p_value(p)),
            None => format!("({seeds})"),
        }
    }

    fn may_be_chance(self) -> bool {
        self.p().is_none_or(|p| p >= SIGNIFICANT)
    }
}

/// What the page begins with.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) headline: String,
    /// How far ahead it is of the next one.
    pub(super) lead: String,
    /// What p means.
    pub(super) remark: String,
    pub(super) figures: Vec<Figure>,
}

/// A method that has a score.
#[derive(Clone, Copy)]
struct Ranked<'a> {
    method: &'a MethodSource,
    spread: Spread,
    runs: usize,
}

impl Outcome {
    pub(super) fn new(source: &ComparisonSource, score: &Judged) -> Self {
        let ranked = source.methods.iter().filter_map(|method| {
            Some(Ranked {
                method,
                spread: score.of_method(source, method)?,
                runs: method.summary.runs,
            })
        });
        let mut ranking: Vec<Ranked<'_>> = ranked.collect();
        // Stable: of equals the one that is first in the table.
        ranking.sort_by(|a, b| score.better.order(a.spread.mean, b.spread.mean));
        let Some((best, others)) = ranking.split_first() else {
            return Self {
                headline: format!("No run has a {} yet.", score.title()),
                lead: String::new(),
                remark: String::new(),
                figures: Vec::new(),
            };
        };
        let first = source.methods.first();
        let base = first.filter(|first| first.label() != best.method.label());
        let compared = match base {
            // Against the first method, or if that is best against the next one.
            Some(first) => Some((first, Difference::new(first, best.method, score))),
            None => others.first().map(|next| {
                (
                    next.method,
                    Difference::new(next.method, best.method, score),
                )
            }),
        };
        let mut outcome = Self {
            headline: headline(*best, base.is_some(), compared, score),
            lead: String::new(),
            remark: String::new(),
            figures: vec![Figure {
                name: format!("best by {}", score.title()),
                value: best.method.label().to_owned(),
                note: format!(
                    "{} {}",
                    score.spread(Some(best.spread), best.runs),
                    score.column.unit
                )
                .trim_end()
                .to_owned(),
            }],
        };
        outcome.explain(*best, others, compared, score);
        outcome.cost(source, best.method);
        outcome
    }

    /// What is to be known of the difference.
    fn explain(
        &mut self,
        best: Ranked<'_>,
        others: &[Ranked<'_>],
        compared: Option<(&MethodSource, Option<Difference>)>,
        score: &Judged,
    ) {
        let Some((base, Some(difference))) = compared else {
            return;
        };
        self.figures.push(Figure {
            name: format!("against {}", base.label()),
            value: PAGE.signed(difference.mean, score.column.digits),
            note: format!(
                "{}, mean over {}",
                match score.points() {
                    "" => score.column.score.as_deref().unwrap_or_default(),
                    points => points,
                },
                count(difference.seeds, "seed", "seeds")
            ),
        });
        let told = match (difference.test, difference.seeds) {
            (Some(test), _) => {
                self.figures.push(Figure {
                    name: "paired t-test".to_owned(),
                    value: p_value(test.p),
                    note: format!(
                        "t = {}, {}",
                        PAGE.fixed(test.t, 2),
                        count(
                            difference.seeds - 1,
                            "degree of freedom",
                            "degrees of freedom"
                        ),
                    ),
                });
                "p is the probability of a difference at least so large if both methods were equally good".to_owned()
            }
            (None, 1) => "From one seed nothing is known of chance: no p value".to_owned(),
            (None, _) => "The difference is the same from every seed: no p value".to_owned(),
        };
        let chosen = match (difference.test, others.len()) {
            (Some(_), 2..) => {
                "; that the best of several was chosen after the fact is not accounted for"
            }
            _ => "",
        };
        self.remark = format!("{told}{chosen}.");
        let next = others
            .first()
            .filter(|next| next.method.label() != base.label());
        if let Some(next) = next
            && let Some(behind) = Difference::new(next.method, best.method, score)
        {
            self.lead = format!(
                "Next is {} with {}, {} behind {}.",
                next.method.label(),
                score.told(next.spread.mean),
                score.difference(behind.mean),
                behind.evidence(),
            );
        }
    }

    /// What the best method costs in relation to the first.
    fn cost(&mut self, source: &ComparisonSource, best: &MethodSource) {
        let Some(first) = source.methods.first() else {
            return;
        };
        if let Some((seconds, of_first)) = best
            .summary
            .seconds_per_epoch
            .zip(first.summary.seconds_per_epoch)
        {
            let (value, note) = match first.label() == best.label() {
                true => (PAGE.duration(seconds), "median of its epochs".to_owned()),
                false => (
                    format!("× {}", PAGE.fixed(seconds / of_first, 2)),
                    format!(
                        "{} against {}",
                        PAGE.duration(seconds),
                        PAGE.duration(of_first)
                    ),
                ),
            };
            self.figures.push(Figure {
                name: "time of an epoch".to_owned(),
                value,
                note,
            });
        }
    }
}

fn headline(
    best: Ranked<'_>,
    beats_first: bool,
    compared: Option<(&MethodSource, Option<Difference>)>,
    score: &Judged,
) -> String {
    let label = best.method.label();
    let reached = format!("{} {}", score.told(best.spread.mean), score.title());
    let Some((base, Some(difference))) = compared else {
        let seeds = count(best.runs, "seed", "seeds");
        return format!("{label} reached {reached} ({seeds}).");
    };
    let base = base.label();
    let (by, evidence) = (score.difference(difference.mean), difference.evidence());
    let more = if difference.mean < 0.0 {
        "less"
    } else {
        "more"
    };
    let chance = match difference.may_be_chance() && difference.test.is_some() {
        true => " That may be chance.",
        false => "",
    };
    match beats_first {
        true => {
            format!("{label} is best with {reached}, {by} {more} than {base} {evidence}.{chance}")
        }
        false => format!(
            "No method is better than {label} with {reached}, {by} {more} than {base}, the next {evidence}.{chance}"
        ),
    }
}
