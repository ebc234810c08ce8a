//! What comes out of a sweep: for each method its best value, how far around it is nearly as good, and what the worst costs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::MethodSummary;
use crate::score::{Part, Score};
use crate::spec::plain;

/// A sweep, as in `compare.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepSummary {
    /// The fields, in the order in which they vary, the last one fastest.
    pub fields: Vec<SweptField>,
    /// The part of the data by whose score, after the last epoch, the best value of each method is chosen: the validation
    /// data, or the test data of a task that has no others.
    pub chosen_by: Part,
    /// What came out under each combination of conditions; one if hyper-parameters alone are swept.
    pub slices: Vec<SweepSlice>,
    /// Each method over the whole sweep where it has conditions alone: how much these cost it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_conditions: Vec<SweptMethod>,
}

/// A field of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweptField {
    /// Its name, `section.field`, or the field alone if it is one of the method.
    pub name: String,
    /// Values that the field takes, in the order of the sweep.
    pub values: Vec<Value>,
    /// Whether it is a condition, such as the noise of the data, under which methods are compared, and not a hyper-parameter,
    /// of which each method has its best value.
    pub is_condition: bool,
}

/// What came out under one combination of conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepSlice {
    /// Value of each condition, by the name of its field.
    pub at: BTreeMap<String, Value>,
    /// The methods that have a score there, in the order of the comparison.
    pub methods: Vec<SweptMethod>,
}

/// A method over the values of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweptMethod {
    /// Its label, in `compare.methods`.
    pub method: String,
    /// The labels of its rows.
    pub rows: Vec<String>,
    /// That of the row which is chosen as its best.
    pub best: String,
    /// Those of the rows whose mean on the test data is no more than a point below that of the best one, or of another
    /// score than one in percent a hundredth worse.
    pub near: Vec<String>,
    /// That of the row with the worst mean on the test data.
    pub worst: String,
    /// By how much that is worse than the best one.
    pub loss: f64,
}

/// Which columns of a comparison hold the score that is compared.
pub(super) struct Compared<'a> {
    pub(super) score: &'a Score,
    pub(super) test: &'a str,
    pub(super) validation: &'a str,
}

impl SweepSummary {
    /// Of these fields, before anything has come out.
    pub(super) fn of(fields: Vec<SweptField>) -> Self {
        Self {
            fields,
            chosen_by: Part::Validation,
            slices: Vec::new(),
            over_conditions: Vec::new(),
        }
    }

    /// Fills in what follows from the rows of the comparison.
    pub(super) fn fill(&mut self, rows: &[MethodSummary], compared: &Compared<'_>) {
        let has = |column: &str| rows.iter().any(|row| row.finite_mean(column).is_some());
        self.chosen_by = match has(compared.validation) {
            true => Part::Validation,
            false => Part::Test,
        };
        let column = match self.chosen_by {
            Part::Validation => compared.validation,
            _ => compared.test,
        };
        let of = |rows: &[&MethodSummary]| by_method(rows, column, compared);
        let mut slices: Vec<(BTreeMap<String, Value>, Vec<&MethodSummary>)> = Vec::new();
        for row in rows {
            let mut at = row.values.clone();
            at.retain(|name, _| self.is_condition(name));
            match slices.iter_mut().find(|(other, _)| *other == at) {
                Some((_, rows)) => rows.push(row),
                None => slices.push((at, vec![row])),
            }
        }
        let slices = slices.into_iter().map(|(at, rows)| SweepSlice {
            at,
            methods: of(&rows),
        });
        self.slices = slices.collect();
        self.over_conditions = match self.fields.iter().all(|field| field.is_condition) {
            true => of(&rows.iter().collect::<Vec<_>>()),
            false => Vec::new(),
        };
    }

    fn is_condition(&self, name: &str) -> bool {
        let mut fields = self.fields.iter();
        fields.any(|field| field.name == name && field.is_condition)
    }

    /// The fields that are no conditions.
    pub fn chosen(&self) -> impl Iterator<Item = &SweptField> {
        self.fields.iter().filter(|field| !field.is_condition)
    }

    /// The rows that are chosen of their methods, of all slices.
    pub fn best(&self) -> impl Iterator<Item = &str> {
        let methods = self.slices.iter().flat_map(|slice| &slice.methods);
        methods.map(|method| &*method.best)
    }
}

/// What comes out of each method that has a score in these rows.
fn by_method(rows: &[&MethodSummary], chosen_by: &str, of: &Compared<'_>) -> Vec<SweptMethod> {
    let mut methods: Vec<&str> = Vec::new();
    for row in rows {
        if !methods.contains(&row.method_label()) {
            methods.push(row.method_label());
        }
    }
    let found = methods.into_iter().filter_map(|method| {
        let own = rows.iter().filter(|row| row.method_label() == method);
        let own: Vec<(&str, f64, Option<f64>)> = own
            .filter_map(|row| {
                let test = row.finite_mean(of.test)?;
                Some((&*row.label, test, row.finite_mean(chosen_by)))
            })
            .collect();
        let better = of.score.better;
        // Of equals the first one, as where values are tuned.
        let chosen = own.iter().filter_map(|row| Some((row, row.2?)));
        let (&(best, at_best, _), _) =
            chosen.reduce(|best, other| match better.beats(other.1, best.1) {
                true => other,
                false => best,
            })?;
        let behind = |test: f64| better.sign() * (at_best - test);
        let (worst, at_worst, _) =
            own.iter()
                .copied()
                .reduce(|worst, other| match better.beats(worst.1, other.1) {
                    true => other,
                    false => worst,
                })?;
        let margin = of.score.margin(at_best);
        // A point is a point, whatever its rounding.
        let is_near = |test: f64| behind(test) <= margin * (1.0 + 1e-9);
        let near = own.iter().filter(|(_, test, _)| is_near(*test));
        Some(SweptMethod {
            method: method.to_owned(),
            rows: own.iter().map(|(label, ..)| (*label).to_owned()).collect(),
            best: best.to_owned(),
            near: near.map(|(label, ..)| (*label).to_owned()).collect(),
            worst: worst.to_owned(),
            loss: behind(at_worst),
        })
    });
    found.collect()
}

/// A value as a number, if it is one.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

impl SweptField {
    /// Its values in the order of an axis: rising, if they are numbers.
    pub fn in_order(&self) -> Vec<&Value> {
        let mut values: Vec<&Value> = self.values.iter().collect();
        if values.iter().all(|value| number(value).is_some()) {
            values.sort_by(|a, b| {
                number(a)
                    .partial_cmp(&number(b))
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
        }
        values
    }

    /// Some of its values in words: `from 0.3 to 0.9`, where neighbours are among them, or one by one. Nothing if it is all
    /// of them.
    pub fn range(&self, some: &[&Value]) -> Option<String> {
        let all = self.in_order();
        if all.iter().all(|value| some.contains(value)) {
            return None;
        }
        let is_number = all.iter().all(|value| number(value).is_some());
        let mut parts: Vec<String> = Vec::new();
        for run in all.split(|value| !some.contains(value)) {
            match run {
                [] => {}
                [first, .., last] if is_number => {
                    parts.push(format!("from {} to {}", plain(first), plain(last)));
                }
                run => parts.extend(run.iter().map(|value| format!("at {}", plain(value)))),
            }
        }
        Some(parts.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::score::Better;
    use crate::statistics::Spread;

    fn field(name: &str, values: &[f64], is_condition: bool) -> SweptField {
        SweptField {
            name: name.to_owned(),
            values: values.iter().map(|&value| Value::Float(value)).collect(),
            is_condition,
        }
    }

    /// A row with its means on validation and test data.
    fn row(method: &str, values: &[(&str, f64)], [validation, test]: [f64; 2]) -> MethodSummary {
        let mut label = method.to_owned();
        for (name, value) in values {
            label.push_str(&format!("-{name}{value}"));
        }
        let spread = |mean: f64| Spread {
            mean,
            deviation: 0.0,
        };
        let spreads = [("validation", spread(validation)), ("last", spread(test))];
        let values = values.iter().map(|&(n, v)| (n.to_owned(), Value::Float(v)));
        MethodSummary {
            label,
            of: method.to_owned(),
            values: values.collect(),
            spreads: spreads.map(|(n, s)| (n.to_owned(), s)).into(),
            ..MethodSummary::default()
        }
    }

    fn filled(fields: Vec<SweptField>, rows: &[MethodSummary], score: &Score) -> SweepSummary {
        let mut sweep = SweepSummary::of(fields);
        let compared = Compared {
            score,
            test: "last",
            validation: "validation",
        };
        sweep.fill(rows, &compared);
        sweep
    }

    #[test]
    fn the_best_value_is_chosen_on_validation_data() {
        let rows = [
            row("sgd", &[], [0.7, 0.71]),
            row("sam", &[("rho", 0.1)], [0.80, 0.79]),
            row("sam", &[("rho", 0.2)], [0.90, 0.85]),
            row("sam", &[("rho", 0.4)], [0.89, 0.855]),
            row("sam", &[("rho", 0.8)], [0.5, 0.5]),
        ];
        let score = Score::percent("accuracy", "");
        let sweep = filled(
            vec![field("rho", &[0.1, 0.2, 0.4, 0.8], false)],
            &rows,
            &score,
        );
        let [slice] = &sweep.slices[..] else {
            panic!("{sweep:?}")
        };
        let [sgd, sam] = &slice.methods[..] else {
            panic!("{sweep:?}")
        };
        assert_eq!((&*sgd.best, &*sgd.worst, sgd.loss), ("sgd", "sgd", 0.0));
        assert_eq!((&*sam.best, &*sam.worst), ("sam-rho0.2", "sam-rho0.8"));
        assert!((sam.loss - 0.35).abs() < 1e-12);
        assert_eq!(sam.near, ["sam-rho0.2", "sam-rho0.4"]);
        assert!(sweep.over_conditions.is_empty());
        let best: Vec<&str> = sweep.best().collect();
        assert_eq!(best, ["sgd", "sam-rho0.2"]);
    }

    #[test]
    fn where_lower_is_better_a_hundredth_is_near() {
        let rows = [
            row("sam", &[("rho", 0.1)], [3.0, 3.0]),
            row("sam", &[("rho", 0.2)], [2.0, 2.0]),
            row("sam", &[("rho", 0.4)], [2.1, 2.02]),
            row("sam", &[("rho", 0.8)], [2.1, 2.021]),
        ];
        let score = Score::new("perplexity", Better::Lower, "");
        let sweep = filled(
            vec![field("rho", &[0.1, 0.2, 0.4, 0.8], false)],
            &rows,
            &score,
        );
        let sam = &sweep.slices[0].methods[0];
        assert_eq!(sam.near, ["sam-rho0.2", "sam-rho0.4"]);
        assert_eq!((&*sam.worst, sam.loss), ("sam-rho0.1", 1.0));
    }

    #[test]
    fn methods_are_compared_under_each_condition() {
        let noise = "data.label_noise";
        let mut rows = Vec::new();
        for (method, by_noise) in [("sgd", [0.9, 0.6]), ("sam", [0.91, 0.8])] {
            for (at, score) in [0.0, 0.4].into_iter().zip(by_noise) {
                rows.push(row(method, &[(noise, at)], [score, score]));
            }
        }
        let score = Score::percent("accuracy", "");
        let sweep = filled(vec![field(noise, &[0.0, 0.4], true)], &rows, &score);
        assert_eq!(sweep.slices.len(), 2);
        assert_eq!(sweep.slices[1].at[noise], Value::Float(0.4));
        let best: Vec<&str> = sweep.slices[1].methods.iter().map(|m| &*m.best).collect();
        assert_eq!(best, ["sgd-data.label_noise0.4", "sam-data.label_noise0.4"]);
        let [sgd, _] = &sweep.over_conditions[..] else {
            panic!("{sweep:?}")
        };
        assert!((sgd.loss - 0.3).abs() < 1e-12);
    }

    #[test]
    fn neighbours_are_a_range() {
        let rho = field("rho", &[0.6, 0.1, 0.3, 0.9, 1.2], false);
        let at = |some: &[f64]| {
            let some: Vec<Value> = some.iter().map(|&value| Value::Float(value)).collect();
            rho.range(&some.iter().collect::<Vec<_>>())
        };
        assert_eq!(at(&[0.3, 0.6, 0.9]).as_deref(), Some("from 0.3 to 0.9"));
        assert_eq!(at(&[0.1, 0.6]).as_deref(), Some("at 0.1 and at 0.6"));
        assert_eq!(
            at(&[0.1, 0.6, 0.9]).as_deref(),
            Some("at 0.1 and from 0.6 to 0.9")
        );
        assert_eq!(at(&[0.1, 0.3, 0.6, 0.9, 1.2]), None);
        let names = SweptField {
            values: ["b", "a", "c"].map(Value::from).into(),
            ..rho.clone()
        };
        let some = ["b", "a"].map(Value::from);
        assert_eq!(
            names.range(&[&some[0], &some[1]]).as_deref(),
            Some("at b and at a")
        );
    }
}
