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

    /// The rows that are chosen, the best on the test data first.
    fn ranked(&self, methods: &[SweptMethod]) -> Vec<String> {
        let value = |label: &str| self.value(label).unwrap_or(f64::NAN);
        let mut ranked: Vec<String> = methods.iter().map(|method| method.best.clone()).collect();
        ranked.sort_by(|a, b| self.score.better.order(value(a), value(b)));
        ranked
    }

    /// The best method against the next, and others against the best.
    fn best_against_best(&self, slice: &SweepSlice) -> Vec<String> {
        let ranked = self.ranked(&slice.methods);
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use toml::Value;

    use super::super::SweptField;
    use super::*;
    use crate::metrics::Metrics;
    use crate::score::Better;
    use crate::summary::RunSummary;

    /// The rows of a method: the values of swept fields, and the scores from seeds 0, 1 ..
    type Rows<'a> = &'a [(&'a str, &'a [(&'a str, f64)], &'a [f64])];

    fn aggregated(
        score: Score,
        fields: &[(&str, &[f64], bool)],
        rows: Rows<'_>,
    ) -> ComparisonSummary {
        let column = |part: Part| score.column(part);
        let run = |(seed, &value): (usize, &f64)| {
            let mut last = Metrics::new(1);
            last.set(&column(Part::Validation), value);
            last.set(&column(Part::Test), value);
            RunSummary {
                seed: seed as u64,
                collapsed: (value < 0.2).then(|| "it guesses".to_owned()),
                last: Some(last),
                ..RunSummary::default()
            }
        };
        let runs: Vec<Vec<RunSummary>> = rows
            .iter()
            .map(|(.., values)| values.iter().enumerate().map(run).collect())
            .collect();
        let method = |(of, values, _): &(&str, &[(&str, f64)], &[f64])| {
            let suffix = values.iter().map(|(name, value)| format!("-{name}{value}"));
            let values = values
                .iter()
                .map(|&(name, value)| (name.to_owned(), Value::Float(value)));
            MethodSummary {
                label: format!("{of}{}", suffix.clone().collect::<String>()),
                of: (*of).to_owned(),
                values: values.collect(),
                ..MethodSummary::default()
            }
        };
        let field = |&(name, values, is_condition): &(&str, &[f64], bool)| SweptField {
            name: name.to_owned(),
            values: values.iter().map(|&value| Value::Float(value)).collect(),
            is_condition,
        };
        let fields: Vec<SweptField> = fields.iter().map(field).collect();
        let mut summary = ComparisonSummary {
            methods: rows.iter().map(method).collect(),
            sweep: (!fields.is_empty()).then(|| SweepSummary::of(fields)),
            scores: vec![score.clone()],
            ..ComparisonSummary::default()
        };
        let runs: Vec<Vec<&RunSummary>> = runs.iter().map(|runs| runs.iter().collect()).collect();
        summary.aggregate(&runs);
        summary
    }

    fn accuracy() -> Score {
        Score::percent("accuracy", "")
    }

    const RHO: (&str, &[f64], bool) = ("rho", &[0.1, 0.2, 0.4], false);

    #[test]
    fn a_sweep_is_told_with_what_does_not_favour_the_best() {
        let summary = aggregated(
            accuracy(),
            &[RHO],
            &[
                ("sgd", &[], &[0.70, 0.71, 0.69]),
                ("sam", &[("rho", 0.1)], &[0.80, 0.81, 0.80]),
                ("sam", &[("rho", 0.2)], &[0.90, 0.91, 0.90]),
                ("sam", &[("rho", 0.4)], &[0.10, 0.50, 0.11]),
                ("xsam", &[("rho", 0.1)], &[0.895, 0.905, 0.895]),
                ("xsam", &[("rho", 0.2)], &[0.901, 0.912, 0.90]),
                ("xsam", &[("rho", 0.4)], &[0.70, 0.70, 0.70]),
            ],
        );
        let [first, behind, second, chosen, third] = &summary.sentences[..] else {
            panic!("{:?}", summary.sentences)
        };
        let best = "Best against best, xsam at rho 0.2 (90.4 %) and sam at rho 0.2 (90.3 %) are level, as far as these runs \
                    tell: difference 0.1 points (95 % interval ";
        assert!(first.starts_with(best), "{first}");
        // Three pairs are told apart from chance together.
        assert!(first.ends_with("p = 0.23, 3 seeds)."), "{first}");
        let told = "Behind the best: sgd (70.0 %) by 20.4 points (95 % interval ";
        assert!(behind.starts_with(told), "{behind}");
        let told = "The best of a method is its row with the highest validation accuracy after the last epoch.";
        assert_eq!(chosen, told);
        let over = "Within a point of its best over rho: sam at 0.2, xsam from 0.1 to 0.2. At the worst rho of the sweep each \
                    method loses against its best: sam 66.7 points (at 0.4), xsam 20.4 points (at 0.4).";
        assert_eq!(second, over);
        let collapsed = "Collapsed, no better than guessing or with nothing learned: 2 of 3 runs of sam-rho0.4. The means \
                         have them in.";
        assert_eq!(third, collapsed);
        assert_eq!(summary.pairs.len(), 3);
        let needed = summary.seeds_needed.unwrap();
        let told = "To tell a difference of a point between xsam-rho0.2 and sam-rho0.2 takes 3 seeds, by the spread over these 3";
        assert!(
            needed.starts_with(told) && needed.contains("which are enough"),
            "{needed}"
        );

        // Rows are tested against the first method's of the same values.
        let firsts: Vec<bool> = summary
            .methods
            .iter()
            .map(|m| m.test_against_first.is_some())
            .collect();
        assert_eq!(firsts, [false, true, true, true, true, true, true]);
    }

    #[test]
    fn what_is_ahead_is_so_in_the_direction_of_the_score() {
        let bits = Score::new("bits", Better::Lower, "").with_unit("bits");
        let summary = aggregated(
            bits,
            &[RHO],
            &[
                ("sam", &[("rho", 0.1)], &[3.0, 3.1, 3.2]),
                ("sam", &[("rho", 0.2)], &[3.5, 3.6, 3.7]),
                ("xsam", &[("rho", 0.1)], &[2.0, 2.11, 2.2]),
                ("xsam", &[("rho", 0.2)], &[2.0, 2.12, 2.2]),
            ],
        );
        let first = &summary.sentences[0];
        let told = "Best against best, xsam at rho 0.1 (2.103 bits) is ahead of sam at rho 0.1 (3.100 bits) by 0.997 bits \
                    (95 % interval 0.982 to 1.011, ";
        assert!(first.contains(told), "{first}");
        let second = "Within 1 % of its best over rho: sam at 0.1, xsam from 0.1 to 0.2. At the worst rho of the sweep each \
                      method loses against its best: sam 0.500 bits (at 0.2), xsam 0.003 bits (at 0.2).";
        assert_eq!(summary.sentences[1], second);
        // sam 0.2 against sam 0.1 is no test of methods; xsam is tested against sam at the same rho.
        let tests: Vec<Option<f64>> = summary
            .methods
            .iter()
            .map(|m| {
                m.test_against_first
                    .map(|test| (100.0 * test.difference).round())
            })
            .collect();
        assert_eq!(tests, [None, None, Some(-100.0), Some(-149.0)]);
    }

    #[test]
    fn under_conditions_there_is_a_sentence_for_each() {
        let noise = "data.noise";
        let summary = aggregated(
            accuracy(),
            &[(noise, &[0.0, 0.4], true)],
            &[
                ("sgd", &[(noise, 0.0)], &[0.95, 0.96]),
                ("sgd", &[(noise, 0.4)], &[0.70, 0.72]),
                ("sam", &[(noise, 0.0)], &[0.94, 0.96]),
                ("sam", &[(noise, 0.4)], &[0.90, 0.91]),
            ],
        );
        let [clean, noisy, over] = &summary.sentences[..] else {
            panic!("{:?}", summary.sentences)
        };
        let told = "At data.noise 0, sgd (95.5 %) and sam (95.0 %) are level, as far as these runs tell: difference 0.5 points";
        assert!(clean.starts_with(told), "{clean}");
        assert!(
            noisy.starts_with(
                "At data.noise 0.4, sam (90.5 %) is ahead of sgd (71.0 %) by 19.5 points"
            ),
            "{noisy}"
        );
        let told = "At the worst data.noise of the sweep each method loses against its best: sgd 24.5 points (at 0.4), sam 4.5 \
                    points (at 0.4).";
        assert_eq!(over, told);
    }

    #[test]
    fn one_method_or_one_seed_have_no_test() {
        let alone = aggregated(
            accuracy(),
            &[RHO],
            &[
                ("sam", &[("rho", 0.1)], &[0.8]),
                ("sam", &[("rho", 0.2)], &[0.9]),
            ],
        );
        let told = "At its best, sam at rho 0.2 (90.0 %).";
        assert_eq!(alone.sentences[0], told);
        assert_eq!((alone.pairs.len(), alone.seeds_needed), (0, None));

        let two = aggregated(
            accuracy(),
            &[RHO],
            &[("sgd", &[], &[0.8]), ("sam", &[("rho", 0.2)], &[0.9])],
        );
        assert!(
            two.sentences[0]
                .ends_with("difference 10.0 points (1 seed, which says nothing of chance)."),
            "{two:?}"
        );
        assert_eq!((two.pairs.len(), two.seeds_needed), (1, None));
        // Nothing yet.
        let none = aggregated(accuracy(), &[RHO], &[("sgd", &[], &[])]);
        assert!(none.sentences.is_empty() && none.pairs.is_empty());
    }
}
