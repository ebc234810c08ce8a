//! The spec: everything that decides how a run goes, in one TOML file.
//!
//! Every field has a default. A [`Spec`] is what was asked for, and is written beside the results as such. What it comes
//! to is computed when it is used, by [`Spec::resolved`]: some defaults depend on other fields, and follow them when these
//! are changed.

mod compare;
mod fields;
mod label;
mod method;
mod parse;
mod preset;
mod renamed;
mod resolve;
mod sections;
mod task;
mod values;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use toml::{Table, Value};

use crate::json;
pub use compare::{Compare, CompareEntry};
pub use method::{edited, method_named};
pub use preset::Preset;
pub(crate) use resolve::Experiment;
pub use resolve::check_seed;
pub(crate) use sections::FREE;
pub use sections::{
    DeviceName, OnDivergence, OptimizerName, OptimizerSpec, Precision, RhoScheduleName, ScheduleBy,
    ScheduleName, ScheduleSpec, TrainSpec,
};
pub use task::TaskSpec;
pub(crate) use values::is_chosen;
pub use values::{Candidate, Purpose, Values, plain};
pub use xsam::method::MethodSpec;

/// Something in a spec that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", key_prefix(key))]
pub struct SpecError {
    /// The key, as `section.field`; empty if the error is not of one.
    pub key: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

fn key_prefix(key: &str) -> String {
    match key {
        "" => String::new(),
        _ => format!("`{key}`: "),
    }
}

impl SpecError {
    /// Of a key, as `section.field`, or of none if that is empty.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }

    /// Refuses a value that is not in its range, in words, unless `ok`.
    ///
    /// # Errors
    /// Unless `ok`.
    pub fn unless(ok: bool, key: &str, value: impl fmt::Display, range: &str) -> Result<(), Self> {
        match ok {
            true => Ok(()),
            false => Err(Self::new(key, format!("{value} must be {range}"))),
        }
    }

    /// Refuses a number that is below or above its range.
    ///
    /// # Errors
    /// If it is.
    pub fn within(key: &str, value: usize, range: RangeInclusive<usize>) -> Result<(), Self> {
        let (least, most) = range.into_inner();
        Self::unless(value >= least, key, value, &format!("at least {least}"))?;
        Self::unless(value <= most, key, value, &format!("at most {most}"))
    }
}

impl From<toml::ser::Error> for SpecError {
    /// That a value has no form in TOML.
    fn from(error: toml::ser::Error) -> Self {
        Self::new("", error.to_string())
    }
}

/// The spec of an experiment: what was asked for, or what that comes to ([`Spec::resolved`]).
///
/// It is written with the fields of its method that were asked for, even if they are the defaults, and with no others: the
/// defaults are not the same for every method.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "Table", bound = "S: TaskSpec")]
pub struct Spec<S> {
    /// The sections of the task: what is learned, and what learns it.
    pub task: S,
    /// Which gradient is taken.
    pub method: MethodSpec,
    /// What is done with the gradient.
    pub optimizer: OptimizerSpec,
    /// How learning rate and rho change.
    pub schedule: ScheduleSpec,
    /// How long, and from which seed.
    pub train: TrainSpec,
    /// Fields of the method that were asked for. So are those that are not the defaults.
    asked: BTreeSet<&'static str>,
}

impl<S: TaskSpec> Serialize for Spec<S> {
    fn serialize<T: Serializer>(&self, to: T) -> Result<T::Ok, T::Error> {
        let table = self.to_table().map_err(T::Error::custom)?;
        table.serialize(to)
    }
}

/// What is told of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What is learned, in a few words.
    pub learned: String,
    /// The experiment but for its method and seed, in a line.
    pub words: String,
    /// The method, with all its values.
    pub method: MethodSpec,
    /// How long it is, from which seed, and where.
    pub train: TrainSpec,
}

impl<S: TaskSpec> Spec<S> {
    /// The spec as a table of its sections.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_table(&self) -> Result<Table, SpecError> {
        let mut table = json::table(&self.task)?;
        for (name, section) in [
            ("method", method::asked(&self.method, &self.asked)?),
            ("optimizer", json::table(&self.optimizer)?),
            ("schedule", json::table(&self.schedule)?),
            ("train", json::table(&self.train)?),
        ] {
            table.insert(name.to_owned(), Value::Table(section));
        }
        Ok(table)
    }

    /// The spec as TOML.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_toml(&self) -> Result<String, SpecError> {
        Ok(toml::to_string(&self.to_table()?)?)
    }

    /// The fields in which two specs differ, with both values.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn differences(&self, other: &Self) -> Result<Vec<[String; 3]>, SpecError> {
        Ok(differences(&self.to_table()?, &other.to_table()?))
    }

    /// What is told of it, once it is [resolved](Spec::resolved).
    pub fn about(&self) -> About {
        let (task, train) = (&self.task, &self.train);
        let learned = task.learned();
        let batch = task.batch_in_words(train);
        let batch = batch.map_or_else(String::new, |batch| format!(", {batch}"));
        let words = format!(
            "{learned}, {}, {} epochs{batch}, {} with lr {}",
            task.model_name(),
            train.epochs,
            self.optimizer.name,
            self.optimizer.lr,
        );
        About {
            learned,
            words,
            method: self.method.clone(),
            train: train.clone(),
        }
    }
}

/// The fields in which the tables of two specs differ, with both values.
pub(crate) fn differences(mine: &Table, theirs: &Table) -> Vec<[String; 3]> {
    let show = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
    let mut differences = Vec::new();
    for (section, fields) in mine.iter().chain(theirs) {
        let Value::Table(fields) = fields else {
            continue;
        };
        for field in fields.keys() {
            let [a, b] = [mine, theirs].map(|spec| spec.get(section)?.get(field));
            if a != b {
                let difference = [format!("{section}.{field}"), show(a), show(b)];
                if !differences.contains(&difference) {
                    differences.push(difference);
                }
            }
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::toy::Spec;

    fn parse(text: &str, settings: &[&str]) -> (Spec, Option<Compare>) {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        Spec::parse(text, &settings).unwrap()
    }

    /// The defaults of another method are others.
    #[test]
    fn a_default_that_was_asked_for_is_written() {
        for (asked, rho) in [(&["method.rho=0.15"][..], 0.15), (&[], 0.5)] {
            let (spec, _) = parse("", asked);
            assert_eq!(spec.method, MethodSpec::default());
            let (again, _) = parse(&spec.to_toml().unwrap(), &[]);
            assert_eq!(again, spec);
            let order: Spec = json::parse(&json::line(&spec).unwrap()).unwrap();
            assert_eq!(order, spec);
            let label = [asked, &["compare.methods=['xsam']"]].concat();
            let (of_label, compare) = parse("", &label);
            let compare = compare.unwrap();
            let run = compare.entries(&of_label).unwrap()[0].spec(0);
            let whole = compare.to_toml(&of_label).unwrap();
            for text in [spec.to_toml(), order.to_toml(), run.to_toml(), Ok(whole)] {
                let (changed, _) = parse(&text.unwrap(), &["method.name=asam"]);
                assert_eq!(changed.method.rho(), Some(rho));
            }
        }
        // A value of a list is asked for as well.
        let (spec, compare) = parse("", &["compare.rho=[0.15]", "compare.ascent_steps=[1]"]);
        for entry in &compare.unwrap().entries(&spec).unwrap()[1..] {
            let text = entry.spec(0).to_toml().unwrap();
            assert!(
                text.contains("rho = 0.15\n") && text.contains("ascent_steps = 1\n"),
                "{text}"
            );
        }
    }
}
