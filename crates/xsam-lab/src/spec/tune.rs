//! `[compare.tune]`: values of hyper-parameters, the best of which is looked for.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use toml::{Table, Value};

use xsam_names::hint;

use super::fields::{check_filled, distinct, expect_table, value_of};
use super::{Experiment, Spec, SpecError, TaskSpec, method, renamed};

/// Sections of every spec whose fields can be tuned.
const SECTIONS: [&str; 3] = ["method", "optimizer", "schedule"];

/// Fields of `[train]` that can be: where a run begins, and how its batches ascend. The others say how long it is, or leave
/// its steps as they are; another size of a batch would be another number of steps in an epoch, and runs of as many epochs
/// are not of as many passes then.
const OF_TRAIN: [&str; 2] = ["init", "m_sharpness"];

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
    /// The experiment with these values, with the seed of the spec.
    experiment: Experiment<S>,
}

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
        let refused = |message: &str| SpecError::new(&key, message);
        let Value::Array(values) = values else {
            return Err(refused("must be a list of values to try"));
        };
        check_filled(&key, &values)?;
        distinct(&key, &values)?;
        if (section, field) == ("method", "name") {
            let message = "cannot be tuned: methods are compared by naming them in compare.methods";
            return Err(refused(message));
        }
        for value in &values {
            // Whether there is such a field, and the value is of its type.
            let mut fields = Table::from_iter([(field.to_owned(), value.clone())]);
            if section == "method" {
                renamed::check(&key, field, value)?;
                let method = method::with_field(field).unwrap_or_default();
                fields.insert("name".to_owned(), method.name().into());
            }
            let sections = Table::from_iter([(section.to_owned(), Value::Table(fields))]);
            Spec::<S>::try_from(sections).map_err(|error| refused(&error.message))?;
        }
        if section == "train" && !OF_TRAIN.contains(&field) {
            let fields = OF_TRAIN.join(", ");
            return Err(refused(&format!(
                "cannot be tuned (of [train], these can: {fields})"
            )));
        }
        let place = (section.to_owned(), field.to_owned());
        match self.fields.insert(place, values) {
            None => Ok(()),
            Some(_) => Err(refused("is there with its section and without")),
        }
    }

    /// What can be made of the experiment `spec` with the method `label`, one at least, and the combinations that cannot be
    /// run, with the reason. Those that come to the same because the method lacks a field are one candidate.
    pub(super) fn candidates<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        label: &str,
    ) -> Result<(Vec<Candidate<S>>, Vec<String>), SpecError> {
        let counts = self.fields.values().map(Vec::len);
        let count = counts.fold(1, usize::saturating_mul);
        if count > MOST_CANDIDATES {
            let message = format!("{count} combinations are more than {MOST_CANDIDATES}");
            return Err(SpecError::new(KEY, message));
        }
        let base = spec.to_table()?;
        let (mut possible, mut omitted) = (Vec::<Candidate<S>>::new(), Vec::new());
        for choice in self.choices() {
            let mut table = base.clone();
            for (section, field, value) in &choice {
                if *section == "method" && !spec.method.fields().contains(field) {
                    continue;
                }
                if let Some(Value::Table(section)) = table.get_mut(*section) {
                    section.insert((*field).to_owned(), (*value).clone());
                }
            }
            match Experiment::new(Spec::<S>::try_from(table)?) {
                Ok(new) if possible.iter().any(|old| old.experiment.spec == new.spec) => {}
                Ok(experiment) => {
                    let used = experiment.spec.to_table()?;
                    let has = |(section, field, _): &(&str, &str, &Value)| {
                        used.get(*section).is_some_and(|s| s.get(*field).is_some())
                    };
                    let values = choice.into_iter().filter(has).map(named).collect();
                    possible.push(Candidate { values, experiment });
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
            _ => Ok((possible, omitted)),
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
    fn choices(&self) -> Vec<Vec<(&str, &str, &Value)>> {
        let mut choices = vec![Vec::new()];
        for ((section, field), values) in &self.fields {
            let longer = choices.iter().flat_map(|choice| {
                let last = values.iter().map(|value| (&**section, &**field, value));
                last.map(move |last| [&choice[..], &[last]].concat())
            });
            choices = longer.collect();
        }
        choices
    }
}

impl Serialize for Tune {
    /// As the section that it is read from.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut sections: BTreeMap<&str, BTreeMap<&str, &[Value]>> = BTreeMap::new();
        for ((section, field), values) in &self.fields {
            sections.entry(section).or_default().insert(field, values);
        }
        sections.serialize(to)
    }
}

fn check_section<S: TaskSpec>(section: &str) -> Result<(), SpecError> {
    let sections = SECTIONS.iter().chain(&["train"]).chain(S::TUNED).copied();
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
    pub(super) fn plain(experiment: Experiment<S>) -> Self {
        Self {
            values: Vec::new(),
            experiment,
        }
    }

    /// Its run from `seed`.
    pub(crate) fn run(&self, seed: u64) -> Experiment<S> {
        self.experiment.with_seed(seed)
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

fn named((section, field, value): (&str, &str, &Value)) -> (String, Value) {
    (field_name(section, field), value.clone())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Compare;
    use crate::toy::Spec;

    fn parse(settings: &[&str]) -> Result<(Spec, Option<Compare>), super::SpecError> {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        Spec::parse("", &settings)
    }

    #[test]
    fn where_a_run_begins_and_how_its_batches_ascend_can_be_tuned() {
        let (spec, compare) = parse(&[
            "compare.methods=['sgd', 'sam']",
            "compare.tune.train.init=['a/b.pt', 'c.pt']",
            "compare.tune.train.m_sharpness=[2, 4]",
        ])
        .unwrap();
        let entries = compare.unwrap().entries(&spec).unwrap();
        let [sgd, sam] = &entries[..] else {
            panic!("{entries:?}");
        };
        assert_eq!((sgd.candidates.len(), sam.candidates.len()), (2, 4));
        // It does not ascend.
        assert_eq!(sgd.candidates[0].words(), "train.init = a/b.pt");
        let words = sam.candidates[3].words();
        assert_eq!(words, "train.init = c.pt, train.m_sharpness = 4");
        assert_eq!(sgd.candidates[0].suffix(), "-train.inita_b.pt");
        let train = sam.candidates[3].run(7).spec.train;
        assert_eq!(train.init, Some("c.pt".into()));
        assert_eq!((train.m_sharpness, train.seed), (Some(4), 7));

        let error = parse(&["compare.tune.train.seed=[1]"])
            .unwrap_err()
            .to_string();
        let expected =
            "`compare.tune.train.seed`: cannot be tuned (of [train], these can: init, m_sharpness)";
        assert_eq!(error, expected);
    }
}
