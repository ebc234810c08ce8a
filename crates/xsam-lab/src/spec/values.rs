//! Values of fields in all combinations: those of `[compare.sweep]`, which are compared, and of `[compare.tune]`, of which the
//! best is looked for.

use std::collections::{BTreeMap, HashSet};

use serde::{Serialize, Serializer};
use toml::{Table, Value};

use xsam_names::hint;

use super::fields::{check_count, check_filled, distinct, expect_table, fields_at, value_of};
use super::{Experiment, FREE, Spec, SpecError, TaskSpec, method, renamed};

/// Sections of every spec whose fields are hyper-parameters.
const SECTIONS: [&str; 3] = ["method", "optimizer", "schedule"];

/// Fields of `[train]` that are: where a run begins, and how its batches ascend. The others say how long it is, or leave
/// its steps as they are; another size of a batch would be another number of steps in an epoch, and runs of as many epochs
/// are not of as many passes then.
const OF_TRAIN: [&str; 2] = ["init", "m_sharpness"];

/// Combinations of values that are looked at, of one method or of all. Each is a spec of its own: so many take most of a
/// second, and some 100 MB. `fuzz` has no time for that.
pub(super) const MOST_COMBINATIONS: usize = if cfg!(fuzzing) { 16 } else { 10_000 };

/// What values are for, which decides of which fields they can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Each combination is compared: any field that makes a run another one.
    Sweep,
    /// The best combination is chosen: hyper-parameters.
    Tune,
}

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
pub struct Values {
    fields: BTreeMap<Place, Vec<Value>>,
}

/// A field, in the order in which fields vary.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// rho comes first: it is what every table has.
    is_not_rho: bool,
    section: String,
    field: String,
}

/// A method with one combination of values, or as it is if there are none.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<S> {
    /// The values of the fields that the method has, by `section.field`, without the section if that is `method`.
    pub values: Vec<(String, Value)>,
    /// The experiment with these values, with the seed of the spec.
    experiment: Experiment<S>,
}

/// A combination that cannot be run.
#[derive(Debug)]
pub(super) struct Impossible {
    pub(super) values: Vec<(String, Value)>,
    pub(super) error: SpecError,
}

impl Purpose {
    /// The section of a spec that such values are in.
    fn key(self) -> &'static str {
        match self {
            Self::Sweep => "compare.sweep",
            Self::Tune => "compare.tune",
        }
    }

    /// Refuses more combinations than are looked at.
    pub(super) fn check_combinations(self, count: usize) -> Result<(), SpecError> {
        check_count(self.key(), (count, "combinations"), MOST_COMBINATIONS)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Sweep => "swept",
            Self::Tune => "tuned",
        }
    }

    fn check_section<S: TaskSpec>(self, section: &str) -> Result<(), SpecError> {
        let own = match self {
            Self::Sweep => fields_at::<S>(&[]),
            Self::Tune => S::TUNED,
        };
        let sections = SECTIONS.iter().chain(&["train"]).chain(own).copied();
        if sections.clone().any(|known| known == section) {
            return Ok(());
        }
        let hint = hint(section, sections.clone());
        let names = sections.collect::<Vec<_>>().join(", ");
        let message = format!(
            "cannot be {}{hint} (fields can be of: {names})",
            self.word()
        );
        Err(SpecError::new(format!("{}.{section}", self.key()), message))
    }

    /// Why a field of a section that can be is none that can.
    fn refusal<S: TaskSpec>(self, section: &str, field: &str) -> Option<String> {
        let (key, word) = (format!("{section}.{field}"), self.word());
        let same = || [&FREE[..], S::FREE, S::PLACES].concat();
        match (self, section, field) {
            (_, "method", "name") => Some(format!(
                "cannot be {word}: methods are compared by naming them in compare.methods"
            )),
            (Self::Sweep, "train", "seed") => Some(format!(
                "cannot be {word}: seeds are in compare.seeds, and each method runs from all of them"
            )),
            (Self::Sweep, ..) if same().contains(&key.as_str()) => Some(format!(
                "cannot be {word}: it leaves the steps of a run as they are"
            )),
            (Self::Tune, "train", _) if !OF_TRAIN.contains(&field) => {
                let fields = OF_TRAIN.join(", ");
                Some(format!(
                    "cannot be {word} (of [train], these can: {fields})"
                ))
            }
            _ => None,
        }
    }
}

impl Values {
    /// Values to try of one field, `section.field` or a field of the method, each written as after `--set`.
    ///
    /// # Errors
    /// If there is no such field, it cannot be one of these, or a value is not of its type or there twice.
    pub fn of<S: TaskSpec>(
        purpose: Purpose,
        field: &str,
        values: &[String],
    ) -> Result<Self, SpecError> {
        let (section, field) = field.split_once('.').unwrap_or(("method", field));
        purpose.check_section::<S>(section)?;
        let value = |text: &String| value_of::<S>(&[section, field], text);
        let values = values.iter().map(value).collect();
        let mut of = Self::default();
        of.add::<S>(purpose, section, field, Value::Array(values))?;
        Ok(of)
    }

    /// Takes over what another one tries, in place of values of the same fields.
    pub fn extend(&mut self, other: Self) {
        self.fields.extend(other.fields);
    }

    /// Leaves out the fields that another one has.
    pub(super) fn without(&mut self, other: &Self) {
        self.fields
            .retain(|place, _| !other.fields.contains_key(place));
    }

    /// Leaves out the fields of the method that it has not.
    pub(super) fn retain_of_method(&mut self, has: impl Fn(&str) -> bool) {
        let is_kept = |place: &Place| place.section != "method" || has(&place.field);
        self.fields.retain(|place, _| is_kept(place));
    }

    /// Whether there is nothing to try.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Each field by its name, `section.field` but without the section if that is `method`, with its values, in the order
    /// in which fields vary, the last one fastest.
    pub fn fields(&self) -> impl Iterator<Item = (String, &[Value])> {
        let fields = self.fields.iter();
        fields.map(|(place, values)| (field_name(&place.section, &place.field), &**values))
    }

    /// How many combinations there are: one of nothing.
    pub(super) fn combinations(&self) -> usize {
        let counts = self.fields.values().map(Vec::len);
        counts.fold(1, usize::saturating_mul)
    }

    /// Adds values of a field of the method.
    pub(super) fn insert(&mut self, field: &str, values: impl IntoIterator<Item = Value>) {
        let place = Place::new("method", field);
        self.fields.insert(place, values.into_iter().collect());
    }

    /// Forgets the values of a field of the method, if there are any.
    pub(super) fn forget(table: &mut Table, field: &str) {
        table.remove(field);
        if let Some(Value::Table(method)) = table.get_mut("method") {
            method.remove(field);
        }
    }

    pub(super) fn from_table<S: TaskSpec>(
        purpose: Purpose,
        table: Table,
    ) -> Result<Self, SpecError> {
        let mut values = Self::default();
        for (key, value) in table {
            if !value.is_table() {
                values.add::<S>(purpose, "method", &key, value)?;
                continue;
            }
            purpose.check_section::<S>(&key)?;
            for (field, list) in expect_table(&format!("{}.{key}", purpose.key()), value)? {
                values.add::<S>(purpose, &key, &field, list)?;
            }
        }
        Ok(values)
    }

    fn add<S: TaskSpec>(
        &mut self,
        purpose: Purpose,
        section: &str,
        field: &str,
        values: Value,
    ) -> Result<(), SpecError> {
        let key = format!("{}.{section}.{field}", purpose.key());
        let refused = |message: &str| SpecError::new(&key, message);
        let Value::Array(values) = values else {
            return Err(refused("must be a list of values to try"));
        };
        check_filled(&key, &values)?;
        // Before each of them is looked at.
        purpose.check_combinations(values.len())?;
        let plain: Vec<String> = values.iter().map(plain).collect();
        distinct(&key, &plain)?;
        for value in &values {
            // Whether there is such a field, and the value is of its type.
            let mut fields = Table::from_iter([(field.to_owned(), value.clone())]);
            if section == "method" && field != "name" {
                renamed::check(&key, field, value)?;
                let method = method::with_field(field).unwrap_or_default();
                fields.insert("name".to_owned(), method.name().into());
            }
            let sections = Table::from_iter([(section.to_owned(), Value::Table(fields))]);
            Spec::<S>::try_from(sections).map_err(|error| refused(&error.message))?;
        }
        if let Some(message) = purpose.refusal::<S>(section, field) {
            return Err(refused(&message));
        }
        match self.fields.insert(Place::new(section, field), values) {
            None => Ok(()),
            Some(_) => Err(refused("is there with its section and without")),
        }
    }

    /// What can be made of the experiment `spec`, and the combinations that cannot be run. Those that come to the same
    /// because the method lacks a field are one candidate.
    pub(super) fn candidates<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
    ) -> Result<(Vec<Candidate<S>>, Vec<Impossible>), SpecError> {
        let base = spec.to_table()?;
        let (mut possible, mut impossible) = (Vec::<Candidate<S>>::new(), Vec::new());
        let mut known = HashSet::new();
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
                Ok(experiment) => {
                    let used = experiment.spec.to_table()?;
                    if !known.insert(used.to_string()) {
                        continue;
                    }
                    let has = |(section, field, _): &(&str, &str, &Value)| {
                        used.get(*section).is_some_and(|s| s.get(*field).is_some())
                    };
                    let values = choice.into_iter().filter(has).map(named).collect();
                    possible.push(Candidate { values, experiment });
                }
                Err(error) => impossible.push(Impossible {
                    values: choice.into_iter().map(named).collect(),
                    error,
                }),
            }
        }
        Ok((possible, impossible))
    }

    /// The candidates of the method `label` that can be chosen from, one at least, and in words those that cannot be run.
    pub(super) fn to_choose<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        label: &str,
    ) -> Result<(Vec<Candidate<S>>, Vec<String>), SpecError> {
        let (possible, impossible) = self.candidates(spec)?;
        let told = |left_out: &Impossible| {
            let Impossible { values, error } = left_out;
            format!("{label} with {}: {error}", words(values))
        };
        let omitted: Vec<String> = impossible.iter().map(told).collect();
        match (possible.is_empty(), omitted.first()) {
            (true, Some(reason)) => {
                let message = format!("no combination of the values is possible: {reason}");
                Err(SpecError::new(Purpose::Tune.key(), message))
            }
            _ => Ok((possible, omitted)),
        }
    }

    /// Refuses a field that no method has; `used` are the names of those that one has.
    pub(super) fn check_used(&self, purpose: Purpose, used: &[&str]) -> Result<(), SpecError> {
        for Place { section, field, .. } in self.fields.keys() {
            if !used.contains(&field_name(section, field).as_str()) {
                let key = format!("{}.{section}.{field}", purpose.key());
                return Err(SpecError::new(key, "none of the methods has it"));
            }
        }
        Ok(())
    }

    /// All combinations of the values, the last field varying fastest; a single one of nothing if there are no
    /// fields.
    fn choices(&self) -> Vec<Vec<(&str, &str, &Value)>> {
        let mut choices = vec![Vec::new()];
        for (Place { section, field, .. }, values) in &self.fields {
            let longer = choices.iter().flat_map(|choice| {
                let last = values.iter().map(|value| (&**section, &**field, value));
                last.map(move |last| [&choice[..], &[last]].concat())
            });
            choices = longer.collect();
        }
        choices
    }
}

impl Place {
    fn new(section: &str, field: &str) -> Self {
        Self {
            is_not_rho: (section, field) != ("method", "rho"),
            section: section.to_owned(),
            field: field.to_owned(),
        }
    }
}

impl Serialize for Values {
    /// As the section that it is read from.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut sections: BTreeMap<&str, BTreeMap<&str, &[Value]>> = BTreeMap::new();
        for (Place { section, field, .. }, values) in &self.fields {
            sections.entry(section).or_default().insert(field, values);
        }
        sections.serialize(to)
    }
}

impl<S: TaskSpec> Candidate<S> {
    /// The same where there is nothing to choose.
    pub(super) fn plain(self) -> Self {
        Self {
            values: Vec::new(),
            ..self
        }
    }

    /// What is asked for.
    pub(super) fn asked(&self) -> &Spec<S> {
        &self.experiment.asked
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
        suffix(&self.values)
    }
}

/// Values in a label, which is the name of a folder too: `-rho0.1-k2-optimizer.lr0.05`.
pub(super) fn suffix(values: &[(String, Value)]) -> String {
    let part = |(field, value): &(String, Value)| {
        let short = if field == STEPS { "k" } else { field };
        format!("-{short}{}", plain(value))
    };
    let text: String = values.iter().map(part).collect();
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\');
    text.replace(odd, "_")
}

/// The number of ascent steps, for which labels have a letter.
pub(super) const STEPS: &str = "ascent_steps";

/// Whether a field, by its name, is a hyper-parameter: one that a person would choose. The others are conditions, such as
/// the noise of the data.
pub(crate) fn is_chosen<S: TaskSpec>(field: &str) -> bool {
    let (section, field) = field.split_once('.').unwrap_or(("method", field));
    let sections = SECTIONS.iter().chain(S::TUNED);
    sections.copied().any(|own| own == section) || section == "train" && OF_TRAIN.contains(&field)
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
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e6 => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
