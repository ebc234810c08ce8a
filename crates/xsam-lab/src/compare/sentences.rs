//! What came out of a comparison, in sentences: the same on a terminal, in `compare.json` and in the report.

use super::pairs::{Pair, find};
use super::sweep::{SweepSlice, SweepSummary, SweptMethod};
use super::{ComparisonSummary, MethodSummary};
use crate::numbers::{TERMINAL, capital, count, p_value};
use crate::score::{Part, Score, compared};
use crate::spec::plain;
use crate::statistics::{CONFIDENCE, POWER, SIGNIFICANT};

/// So many methods are all told against the best one; of more the next one and the first of the comparison.
const ALL_TOLD: usize = 4;

/// What there is to tell a sentence of.
struct Told<'a> {
    summary: &'a ComparisonSummary,
    sweep: &'a SweepSummary,
    score: Score,
}

/// The sentences of a sweep, and those on runs that collapsed, of any comparison.
pub(super) fn sentences(summary: &ComparisonSummary) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(sweep) = &summary.sweep {
        let told = Told {
            summary,
            sweep,
            score: compared(&summary.scores),
        };
        for slice in &sweep.slices {
            sentences.extend(told.best_against_best(slice));
            sentences.extend(told.over(&slice.at_in_words(), &slice.methods, true));
        }
        sentences.extend(told.over("", &sweep.over_conditions, false));
        let is_told = !sentences.is_empty();
        sentences.extend(told.chosen_by().filter(|_| is_told));
    }
    sentences.extend(collapsed(summary));
    sentences
}

/// How many seeds would tell a difference of a point between the best row and the next, with the spread of these.
pub(super) fn seeds_needed(summary: &ComparisonSummary, best: &str, next: &str) -> Option<String> {
    let score = compared(&summary.scores);
    let pair = find(&summary.pairs, best, next)?;
    let value = summary.row(best)?.compared(summary)?;
    let seeds = pair.seeds_needed?;
    let there = match seeds {
        seeds if seeds <= pair.seeds => "are enough",
        _ => "are too few",
    };
    Some(format!(
        "To tell a difference of {} between {best} and {next} takes {seeds} seeds, by the spread over these {}, which {there} \
         (paired t-test, two-sided at {SIGNIFICANT}, power {POWER}).",
        score.margin_in_words(value),
        pair.seeds,
    ))
}

/// The runs that collapsed, which are in the means all the same.
fn collapsed(summary: &ComparisonSummary) -> Option<String> {
    let rows = summary
        .methods
        .iter()
        .filter(|row| !row.collapsed.is_empty());
    let rows: Vec<String> = rows
        .map(|row| {
            format!(
                "{} of {} runs of {}",
                row.collapsed.len(),
                row.runs,
                row.label
            )
        })
        .collect();
    (!rows.is_empty()).then(|| {
        format!(
            "Collapsed, no better than guessing or with nothing learned: {}. The means have them in.",
            rows.join(", ")
        )
    })
}

impl SweepSlice {
    /// The conditions in words; nothing if there are none.
    pub fn at_in_words(&self) -> String {
        let word = |(name, value): (&String, &toml::Value)| format!("{name} {}", plain(value));
        self.at.iter().map(word).collect::<Vec<_>>().join(" and ")
    }
}

impl Told<'_> {
    fn row(&self, label: &str) -> Option<&MethodSummary> {
        self.summary.row(label)
    }

    /// A row by its method and the values that were chosen for it: `sam at rho 0.6`.
    fn named(&self, label: &str) -> String {
        let Some(row) = self.row(label) else {
            return label.to_owned();
        };
        let fields = self.sweep.chosen();
        let values = fields.filter_map(|field| {
            let value = row.values.get(&field.name)?;
            Some(format!("{} {}", field.name, plain(value)))
        });
        match values.collect::<Vec<_>>().join(" and ") {
            values if values.is_empty() => row.method_label().to_owned(),
            values => format!("{} at {values}", row.method_label()),
        }
    }

    fn value(&self, label: &str) -> Option<f64> {
        self.row(label)?.compared(self.summary)
    }

    /// The best method against the next, and others against the best.
    fn best_against_best(&self, slice: &SweepSlice) -> Vec<String> {
        let best = slice.methods.iter().map(|method| &*method.best);
        let ranked = self.summary.in_order(best);
        let score = &self.score;
        let with = |label: &str| {
            let value = self.value(label).map(|value| score.told(value));
            format!("{} ({})", self.named(label), value.unwrap_or_default())
        };
        let at = match slice.at_in_words() {
            at if at.is_empty() => at,
            at => format!("at {at}, "),
        };
        let intro = match self.sweep.chosen().next() {
            Some(_) => format!("{at}best against best, "),
            None => at,
        };
        let (best, next, rest) = match &ranked[..] {
            [] => return Vec::new(),
            [best] => {
                let intro = intro.replace("best against best", "at its best");
                return vec![capital(&format!("{intro}{}.", with(best)))];
            }
            [best, next, rest @ ..] => (best, next, rest),
        };
        let both = match find(&self.summary.pairs, next, best) {
            Some(pair) => match pair.p {
                Some(p) if p < SIGNIFICANT => format!(
                    "{} is ahead of {} by {}",
                    with(best),
                    with(next),
                    self.evidence(&pair)
                ),
                _ => format!(
                    "{} and {} are level, as far as these runs tell: difference {}",
                    with(best),
                    with(next),
                    self.evidence(&pair)
                ),
            },
            None => format!(
                "{} is ahead of {}, but no seed has both",
                with(best),
                with(next)
            ),
        };
        let first = self.summary.methods.first();
        let is_first = |label: &str| {
            let methods = self.row(label).zip(first);
            methods.is_some_and(|(row, first)| row.method_label() == first.method_label())
        };
        let told = rest
            .iter()
            .filter(|label| ranked.len() <= ALL_TOLD || is_first(label));
        let behind = told.filter_map(|other| {
            let pair = find(&self.summary.pairs, other, best)?;
            Some(format!("{} by {}", with(other), self.evidence(&pair)))
        });
        let behind: Vec<String> = behind.collect();
        let mut sentences = vec![capital(&format!("{intro}{both}."))];
        if !behind.is_empty() {
            sentences.push(format!("Behind the best: {}.", behind.join(", ")));
        }
        sentences
    }

    /// What is meant by the best.
    fn chosen_by(&self) -> Option<String> {
        self.sweep.chosen().next()?;
        let by = match self.sweep.chosen_by {
            Part::Validation => "validation",
            _ => "test",
        };
        let score = &self.score;
        Some(format!(
            "The best of a method is its row with the {} {by} {} after the last epoch.",
            score.better.best(),
            score.name
        ))
    }

    /// A difference with its interval and its p value.
    fn evidence(&self, pair: &Pair) -> String {
        let score = &self.score;
        let sign = score.better.sign();
        // What is better is ahead, whichever way that is.
        let ahead = |value: f64| score.bare(sign * value);
        let difference = match &*score.unit {
            "%" => format!("{} points", ahead(pair.difference)),
            "" => ahead(pair.difference),
            unit => format!("{} {unit}", ahead(pair.difference)),
        };
        let seeds = count(pair.seeds, "seed", "seeds");
        match (pair.test, pair.p) {
            (Some(test), Some(p)) => {
                let mut ends = test.interval.map(|end| sign * end);
                ends.sort_by(f64::total_cmp);
                let [low, high] = ends.map(|end| score.bare(end));
                let confidence = TERMINAL.fixed(100.0 * CONFIDENCE, 0);
                format!(
                    "{difference} ({confidence} % interval {low} to {high}, {}, {seeds})",
                    p_value(p)
                )
            }
            _ if pair.seeds > 1 => format!("{difference} (the same from {seeds})"),
            _ => format!("{difference} ({seeds}, which says nothing of chance)"),
        }
    }

    /// How far around its best value each method is nearly as good, and what its worst value costs it.
    fn over(&self, at: &str, methods: &[SweptMethod], with_near: bool) -> Option<String> {
        let swept: Vec<&SweptMethod> = methods
            .iter()
            .filter(|method| method.rows.len() > 1)
            .collect();
        let best = swept.first().and_then(|method| self.value(&method.best))?;
        let mut fields: Vec<_> = self.sweep.chosen().collect();
        if fields.is_empty() {
            fields = self.sweep.fields.iter().collect();
        }
        let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
        let names = names.join(" and ");
        let at = match at {
            "" => String::new(),
            at => format!("at {at}, "),
        };
        let near = |method: &&SweptMethod| match &fields[..] {
            [field] => {
                let of = |label: &String| self.row(label)?.values.get(&field.name);
                let some: Vec<_> = method.near.iter().filter_map(of).collect();
                match field.range(&some) {
                    Some(range) => format!("{} {range}", method.method),
                    None => format!("{} everywhere", method.method),
                }
            }
            _ => {
                let (near, all) = (method.near.len(), method.rows.len());
                format!("{} at {near} of {all} combinations", method.method)
            }
        };
        let loss = |method: &&SweptMethod| {
            let worst = self.row(&method.worst);
            let values = fields
                .iter()
                .filter_map(|field| worst?.values.get(&field.name));
            let values: Vec<String> = values.map(plain).collect();
            format!(
                "{} {} (at {})",
                method.method,
                self.score.difference(method.loss),
                values.join(", ")
            )
        };
        let all = |told: &dyn Fn(&&SweptMethod) -> String| {
            swept.iter().map(told).collect::<Vec<_>>().join(", ")
        };
        let worst = format!(
            "at the worst {names} of the sweep each method loses against its best: {}.",
            all(&loss)
        );
        Some(match with_near {
            true => {
                let margin = match &*self.score.unit {
                    "%" => self.score.margin_in_words(best),
                    _ => "1 %".to_owned(),
                };
                let near = format!("within {margin} of its best over {names}: {}.", all(&near));
                format!("{} {}", capital(&format!("{at}{near}")), capital(&worst))
            }
            false => capital(&format!("{at}{worst}")),
        })
    }
}

#[cfg(test)]
mod tests;
