//! `[compare.tune]`: values of hyper-parameters, the best of which is looked for.

use std::collections::BTreeMap;

use toml::{Table, Value};

use xsam_names::hint;

use super::fields::{expect_table, value_of};
use super::list::{distinct, not_empty};
use super::{Spec, SpecError, TaskSpec, method, renamed};

/// Sections of every spec whose fields can be tuned.
const SECTIONS: [&str; 3] = ["method", "optimizer", "schedule"];

const KEY: &str = "compare.tune";

/// Combinations of values that are looked at for a method.
const MOST_CANDIDATES: usize = 10_000;

/// Values to try of some fields, in all combinations.
///
/// ```toml
/// [compare.tune]                 # a field without a section is one of [method]
/// rho = [0.05, 0.1, 0.2]
///
/// [compare.tune.optimizer]
/// lr = [0.02, 0.05]
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tune {
    /// Values by section and field.
    fields: BTreeMap<(String, String), Vec<Value>>,
}

/// A method with one choice of the values that are tried, or as it is if none are.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<S> {
    /// The values of the tuned fields that the method has, by `section.field`, without the section if that is
    /// `method`.
    pub values: Vec<(String, Value)>,
    /// The experiment with these values, as it is asked for, with the seed of the spec.
    pub(crate) spec: Spec<S>,
}

/// The candidates of a method, and what cannot be one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidates<S> {
    pub(super) possible: Vec<Candidate<S>>,
    /// Combinations that cannot be run, and why.
    pub(super) omitted: Vec<String>,
}

type Choice = Vec<(String, String, Value)>;

impl Tune {
    /// Values to try of one field, `section.field` or a field of the method, each written as after `--set`.
    ///
    /// # Errors
    /// If there is no such field, it cannot be tuned, or a value is not of its type or there twice.
    pub fn of<S: TaskSpec>(field: &str, values: &[String]) -> Result<Self, SpecError> {
        let (section, field) = field.split_once('.').unwrap_or(("method", field));
        check_section::<S>(section)?;
        let value = |text: &String| value_of::<S>(&[section, field], text);
        let values = values.iter().map(value).collect();
        let mut tune = Self::default();
        tune.add::<S>(section, field, Value::Array(values))?;
        Ok(tune)
    }

    /// Takes over what another one tries, in place of values of the same fields.
    pub fn extend(&mut self, other: Self) {
        self.fields.extend(other.fields);
    }

    /// Whether there is nothing to try.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether values of a field are tried.
    pub(super) fn has(&self, section: &str, field: &str) -> bool {
        let place = (section.to_owned(), field.to_owned());
        self.fields.contains_key(&place)
    }

    pub(super) fn from_table<S: TaskSpec>(table: Table) -> Result<Self, SpecError> {
        let mut tune = Self::default();
        for (key, value) in table {
            if !value.is_table() {
                tune.add::<S>("method", &key, value)?;
                continue;
            }
            check_section::<S>(&key)?;
            for (field, values) in expect_table(&format!("{KEY}.{key}"), value)? {
                tune.add::<S>(&key, &field, values)?;
            }
        }
        Ok(tune)
    }

    fn add<S: TaskSpec>(
        &mut self,
        section: &str,
        field: &str,
        values: Value,
    ) -> Result<(), SpecError> {
        let key = format!("{KEY}.{section}.{field}");
        let Value::Array(values) = values else {
            return Err(SpecError::new(key, "must be a list of values to try"));
        };
        not_empty(&key, &values)?;
        distinct(&key, &values)?;
        if (section, field) == ("method", "name") {
            let message = "cannot be tuned: methods are compared by naming them in compare.methods";
            return Err(SpecError::new(key, message));
        }
        for value in &values {
            renamed::check(&key, section, field, value)?;
            // Whether there is such a field, and the value is of its type.
            let fields = Table::from_iter([(field.to_owned(), value.clone())]);
            let sections = Table::from_iter([(section.to_owned(), Value::Table(fields))]);
            let read = match (section, method::with_field(field)) {
                ("method", Some(name)) => {
                    let name = ("name".to_owned(), Value::String(name.to_owned()));
                    let own = Table::from_iter([name, (field.to_owned(), value.clone())]);
                    method::method("method", own).map(|_| ())
                }
                _ => Spec::<S>::from_table(sections).map(|_| ()),
            };
            read.map_err(|error| SpecError {
                key: key.clone(),
                message: error.message,
            })?;
        }
        let place = (section.to_owned(), field.to_owned());
        match self.fields.insert(place, values) {
            None => Ok(()),
            Some(_) => Err(SpecError::new(key, "is there with its section and without")),
        }
    }

    pub(super) fn to_table(&self) -> Table {
        let mut table = Table::new();
        for ((section, field), values) in &self.fields {
            let section = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(field.clone(), Value::Array(values.clone()));
            }
        }
        table
    }

    /// What can be made of the experiment `spec` with the method `label`. Combinations that come to the same
    /// because the method lacks a field are one candidate.
    pub(super) fn candidates<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        label: &str,
    ) -> Result<Candidates<S>, SpecError> {
        let error = |error: toml::ser::Error| SpecError::new(KEY, error.to_string());
        let counts = self.fields.values().map(Vec::len);
        let count = counts.fold(1, usize::saturating_mul);
        if count > MOST_CANDIDATES {
            let message = format!("{count} combinations are more than {MOST_CANDIDATES}");
            return Err(SpecError::new(KEY, message));
        }
        let base = Table::try_from(spec).map_err(error)?;
        let (mut possible, mut omitted) = (Vec::new(), Vec::new());
        let mut resolved: Vec<Spec<S>> = Vec::new();
        for choice in self.choices() {
            let mut table = base.clone();
            let fields = spec.method.fields();
            let has = |section: &str, field: &str| section != "method" || fields.contains(&field);
            for (section, field, value) in choice.iter().filter(|(s, f, _)| has(s, f)) {
                if let Some(Value::Table(section)) = table.get_mut(section) {
                    section.insert(field.clone(), value.clone());
                }
            }
            let candidate = Spec::<S>::from_table(table)?;
            match candidate.clone().resolved() {
                Ok(spec) if resolved.contains(&spec) => {}
                Ok(spec) => {
                    let used = Table::try_from(&spec).map_err(error)?;
                    let has = |(section, field, _): &(String, String, Value)| {
                        used.get(section).is_some_and(|s| s.get(field).is_some())
                    };
                    let values = choice.into_iter().filter(has).map(named).collect();
                    possible.push(Candidate {
                        values,
                        spec: candidate,
                    });
                    resolved.push(spec);
                }
                Err(error) => {
                    let values: Vec<_> = choice.into_iter().map(named).collect();
                    omitted.push(format!("{label} with {}: {error}", words(&values)));
                }
            }
        }
        match (possible.is_empty(), omitted.first()) {
            (true, Some(reason)) => {
                let message = format!("no combination of the values is possible: {reason}");
                Err(SpecError::new(KEY, message))
            }
            _ => Ok(Candidates { possible, omitted }),
        }
    }

    /// Refuses a field that no method has.
    pub(super) fn check_used<'a, S: 'a>(
        &self,
        candidates: impl Iterator<Item = &'a Candidate<S>>,
    ) -> Result<(), SpecError> {
        let values = candidates.flat_map(|candidate| &candidate.values);
        let used: Vec<&str> = values.map(|(field, _)| field.as_str()).collect();
        for (section, field) in self.fields.keys() {
            if !used.contains(&field_name(section, field).as_str()) {
                let key = format!("{KEY}.{section}.{field}");
                return Err(SpecError::new(key, "none of the methods has it"));
            }
        }
        Ok(())
    }

    /// All combinations of the values, the last field varying fastest; a single one of nothing if there are no
    /// fields.
    fn choices(&self) -> Vec<Choice> {
        let mut choices = vec![Vec::new()];
        for ((section, field), values) in &self.fields {
            choices = choices
                .iter()
                .flat_map(|choice| {
                    values.iter().map(move |value| {
                        let mut longer: Choice = choice.clone();
                        longer.push((section.clone(), field.clone(), value.clone()));
                        longer
                    })
                })
                .collect();
        }
        choices
    }
}

fn check_section<S: TaskSpec>(section: &str) -> Result<(), SpecError> {
    let sections = SECTIONS.iter().chain(S::TUNED).copied();
    if sections.clone().any(|tuned| tuned == section) {
        return Ok(());
    }
    let hint = hint(section, sections.clone());
    let names = sections.collect::<Vec<_>>().join(", ");
    let message = format!("cannot be tuned{hint} (fields can be of: {names})");
    Err(SpecError::new(format!("{KEY}.{section}"), message))
}

impl<S: TaskSpec> Candidate<S> {
    /// The method of the experiment as it is.
    pub(super) fn plain(spec: Spec<S>) -> Self {
        Self {
            values: Vec::new(),
            spec,
        }
    }

    /// Its run from `seed`, as it is asked for.
    pub(crate) fn run(&self, seed: u64) -> Spec<S> {
        let mut run = self.spec.clone();
        run.train.seed = seed;
        run
    }

    /// The values in words: `rho = 0.1, optimizer.lr = 0.05`.
    pub(crate) fn words(&self) -> String {
        words(&self.values)
    }

    /// The values in the name of a folder, each after a hyphen: `-rho0.1-optimizer.lr0.05`.
    pub(crate) fn suffix(&self) -> String {
        let part = |(field, value): &(String, Value)| format!("-{field}{}", plain(value));
        let text: String = self.values.iter().map(part).collect();
        text.replace(['/', '\\'], "_")
    }
}

fn named((section, field, value): (String, String, Value)) -> (String, Value) {
    (field_name(&section, &field), value)
}

fn field_name(section: &str, field: &str) -> String {
    match section {
        "method" => field.to_owned(),
        _ => format!("{section}.{field}"),
    }
}

fn words(values: &[(String, Value)]) -> String {
    let word = |(field, value): &(String, Value)| format!("{field} = {}", plain(value));
    values.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A value without quotation marks, and without thirty zeros.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}
