//! What came out of a comparison: which method is best, by how much, and whether chance explains it.

use std::cmp::Ordering;

use super::page::Figure;
use super::source::{ComparisonSource, MethodSource, RunSource};
use super::text;
use crate::metrics::Metrics;
use crate::statistics::{PairedTest, Spread, mean, paired, paired_t_test};

/// Above this p value a difference is told to be perhaps chance.
const SIGNIFICANT: f64 = 0.05;

/// What methods are ranked by: the higher the better.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    /// Of a run after its last epoch.
    of: fn(&Metrics) -> Option<f64>,
    /// From the value to what is shown.
    pub(super) factor: f64,
    pub(super) digits: usize,
    /// Its name within a sentence.
    pub(super) name: &'static str,
    /// What follows a value.
    pub(super) unit: &'static str,
    /// What follows a difference.
    pub(super) points: &'static str,
}

impl Score {
    /// The score for data that are text, or images.
    pub(super) fn new(is_text: bool) -> Self {
        match is_text {
            true => Self {
                of: |row| row.test_bleu,
                factor: 1.0,
                digits: 2,
                name: "test BLEU",
                unit: "",
                points: "",
            },
            false => Self {
                of: |row| row.test_accuracy,
                factor: 100.0,
                digits: 1,
                name: "test accuracy",
                unit: " %",
                points: " points",
            },
        }
    }

    /// That of a run after its last epoch, as it is shown.
    pub(super) fn of_run(self, run: &RunSource) -> Option<f64> {
        let value = run.summary.last.as_ref().and_then(self.of);
        value.map(|value| self.factor * value)
    }

    /// That of an epoch, as it is shown.
    pub(super) fn of_epoch(self, row: &Metrics) -> Option<f64> {
        (self.of)(row).map(|value| self.factor * value)
    }

    /// Such a value with its unit.
    pub(super) fn told(self, value: f64) -> String {
        format!("{}{}", text::fixed(value, self.digits), self.unit)
    }

    /// A difference of two of them.
    fn difference(self, value: f64) -> String {
        format!("{}{}", text::fixed(value.abs(), self.digits), self.points)
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
    pub(super) fn new(base: &MethodSource, method: &MethodSource, score: Score) -> Option<Self> {
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
        let seeds = text::count(self.seeds, "seed", "seeds");
        match self.p() {
            Some(p) => format!("({}, {seeds})", text::p_value(p)),
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
    pub(super) fn new(source: &ComparisonSource, score: Score) -> Self {
        let mut ranking: Vec<Ranked<'_>> = source
            .methods
            .iter()
            .filter_map(|method| {
                let values: Vec<f64> = method
                    .values(|run| score.of_run(run))
                    .map(|v| v.1)
                    .collect();
                let runs = values.len();
                Some(Ranked {
                    method,
                    spread: Spread::of(values)?,
                    runs,
                })
            })
            .collect();
        // Stable: of equals the one that is first in the table.
        ranking.sort_by(|a, b| descending(a.spread.mean, b.spread.mean));
        let Some((best, others)) = ranking.split_first() else {
            return Self {
                headline: format!("No run has a {} yet.", score.name),
                lead: String::new(),
                remark: String::new(),
                figures: Vec::new(),
            };
        };
        let first = source.methods.first();
        let base = first.filter(|first| first.label != best.method.label);
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
                name: format!("best by {}", score.name),
                value: best.method.label.clone(),
                note: format!(
                    "{}{}",
                    text::spread(Some(best.spread), best.runs, 1.0, score.digits),
                    score.unit
                ),
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
        score: Score,
    ) {
        let Some((base, Some(difference))) = compared else {
            return;
        };
        self.figures.push(Figure {
            name: format!("against {}", base.label),
            value: text::signed(difference.mean, score.digits),
            note: format!(
                "{}, mean over {}",
                match score.points.trim() {
                    "" => "BLEU",
                    points => points,
                },
                text::count(difference.seeds, "seed", "seeds")
            ),
        });
        let told = match (difference.test, difference.seeds) {
            (Some(test), _) => {
                self.figures.push(Figure {
                    name: "paired t-test".to_owned(),
                    value: text::p_value(test.p),
                    note: format!(
                        "t = {}, {}",
                        text::fixed(test.t, 2),
                        text::count(
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
            .filter(|next| next.method.label != base.label);
        if let Some(next) = next
            && let Some(behind) = Difference::new(next.method, best.method, score)
        {
            self.lead = format!(
                "Next is {} with {}, {} behind {}.",
                next.method.label,
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
        if let Some((seconds, of_first)) = seconds(best).zip(seconds(first)) {
            let (value, note) = match first.label == best.label {
                true => (text::duration(seconds), "median of its epochs".to_owned()),
                false => (
                    format!("× {}", text::fixed(seconds / of_first, 2)),
                    format!(
                        "{} against {}",
                        text::duration(seconds),
                        text::duration(of_first)
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

/// Median over the finished runs of the time for the steps of an epoch.
pub(super) fn seconds(method: &MethodSource) -> Option<f64> {
    let seconds = method.values(|run| run.summary.seconds_per_epoch);
    crate::statistics::median(seconds.map(|(_, seconds)| seconds))
}

fn headline(
    best: Ranked<'_>,
    beats_first: bool,
    compared: Option<(&MethodSource, Option<Difference>)>,
    score: Score,
) -> String {
    let label = &best.method.label;
    let reached = format!("{} {}", score.told(best.spread.mean), score.name);
    let Some((base, Some(difference))) = compared else {
        let seeds = text::count(best.runs, "seed", "seeds");
        return format!("{label} reached {reached} ({seeds}).");
    };
    let base = &base.label;
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

fn descending(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}
