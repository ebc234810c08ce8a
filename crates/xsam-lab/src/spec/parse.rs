//! From TOML and `--set` to a spec, with errors that name the key.

use toml::{Table, Value};
use xsam::method::MethodSpec;

use super::fields::{check_fields, expect_table, fields_at, refused, section, unknown, value_of};
use super::method::{self, method};
use super::{Compare, Spec, SpecError, TaskSpec, Values, renamed};
use crate::json::Reader;

impl<S: TaskSpec> Spec<S> {
    /// The spec that `text` and then `settings` (`section.field=value` each) describe, and its
    /// `[compare]` section if it has one. Not resolved yet.
    ///
    /// The value of a setting is written as in TOML. A text needs no quotation marks, whatever it looks like: where the
    /// field is one of text, `20240101` and `nan` are texts.
    ///
    /// # Errors
    /// Names the first key that is unknown, with the nearest valid one, or whose value has the
    /// wrong type.
    pub fn parse(text: &str, settings: &[String]) -> Result<(Self, Option<Compare>), SpecError> {
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
            SpecError::new("", format!("not valid TOML: {error}"))
        })?;
        for setting in settings {
            set::<S>(&mut table, setting)?;
        }
        let Some(section) = table.remove("compare") else {
            return Ok((Self::try_from(table)?, None));
        };
        let mut compare = Compare::from_table::<S>(expect_table("compare", section)?)?;
        // Beside its own [method] has the fields of the methods that it is compared with.
        let mut given = Table::new();
        if let Some(Value::Table(section)) = table.get_mut("method") {
            given.clone_from(section);
            let name = section.get("name").and_then(Value::as_str);
            if let Some(own) = name.map_or_else(|| Some(MethodSpec::default()), MethodSpec::named) {
                let is_own = |field: &str| field == "name" || own.fields().contains(&field);
                section.retain(|field, _| is_own(field) || method::with_field(field).is_none());
            }
        }
        compare.given = Some(given);
        Ok((Self::try_from(table)?, Some(compare)))
    }

    /// Takes the method that the section `key` describes.
    pub(super) fn set_method(&mut self, key: &str, section: Table) -> Result<(), SpecError> {
        self.method = method(key, section.clone())?;
        self.asked = method::fields_in(&section, &self.method);
        Ok(())
    }
}

impl<S: TaskSpec> TryFrom<Table> for Spec<S> {
    type Error = SpecError;

    /// The spec that the sections of a table describe.
    fn try_from(mut table: Table) -> Result<Self, SpecError> {
        renamed::check_task::<S>(&table)?;
        let of_task = fields_at::<S>(&[]);
        for key in table.keys() {
            let key = key.as_str();
            if !of_task.contains(&key) && !OWN.contains(&key) {
                let names = of_task.iter().chain(&OWN).copied();
                return Err(unknown(key, "section", names.chain(["compare"])));
            }
        }
        let mut take = |name: &str| match table.remove(name) {
            Some(value) => expect_table(name, value),
            None => Ok(Table::new()),
        };
        let mut spec = Self::default();
        spec.set_method("method", take("method")?)?;
        spec.optimizer = section("optimizer", take("optimizer")?)?;
        spec.schedule = section("schedule", take("schedule")?)?;
        spec.train = section("train", take("train")?)?;
        spec.task = sections(table)?;
        Ok(spec)
    }
}

/// The sections that every spec has, besides those of its task.
const OWN: [&str; 4] = ["method", "optimizer", "schedule", "train"];

/// The sections of a task.
fn sections<S: TaskSpec>(table: Table) -> Result<S, SpecError> {
    for (name, value) in &table {
        let section = expect_table(name, value.clone())?;
        check_fields(name, &section, fields_at::<S>(&[name]))?;
        for (key, value) in section {
            let single = Table::from_iter([(key.clone(), value)]);
            let single = Table::from_iter([(name.clone(), Value::Table(single))]);
            if let Err(error) = S::deserialize(Reader::from(Value::Table(single))) {
                return Err(refused(format!("{name}.{key}"), &error));
            }
        }
    }
    S::deserialize(Reader::from(Value::Table(table))).map_err(|error| refused("", &error))
}

/// How deep tables of a setting may be nested: what the parser bears in a file. They are dropped by recursion.
const DEEPEST: usize = 80;

fn set<S: TaskSpec>(table: &mut Table, setting: &str) -> Result<(), SpecError> {
    let malformed = || {
        let message = "must be section.field=value, as in `train.epochs=20`";
        SpecError::new(setting, message)
    };
    let (path, value) = setting.split_once('=').ok_or_else(malformed)?;
    let keys = keys(path.trim());
    if keys.len() > DEEPEST {
        let message = format!(
            "a key of {} parts: no field is in more than {DEEPEST} sections",
            keys.len()
        );
        return Err(SpecError::new(keys[..2].join("."), message));
    }
    let mut path: Vec<&str> = keys.iter().map(String::as_str).collect();
    if path.len() < 2 || path.iter().any(|key| key.is_empty()) {
        return Err(malformed());
    }
    let value = value_of::<S>(&path, value.trim());

    // What is set for all methods on the command line is not to be overridden by the file.
    if let ["method", field] = path[..]
        && let Some(Value::Table(compare)) = table.get_mut("compare")
    {
        compare.retain(|key, value| key != field || value.is_table());
        let sections = compare.iter_mut().filter(|(label, _)| *label != "tune");
        for section in sections.filter_map(|(_, section)| section.as_table_mut()) {
            Values::forget(section, field);
        }
    }
    let last = path.pop().ok_or_else(malformed)?;
    let mut table = table;
    for key in path {
        table = table
            .entry(key)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(|| SpecError::new(setting, format!("`{key}` is not a section")))?;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

/// The keys of a path, each of which may be in quotation marks, as in TOML: labels may have dots in them.
fn keys(path: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut rest = format!("{path} = 0").parse::<Table>().ok();
    while let Some(table) = rest.take().filter(|table| table.len() == 1) {
        for (key, value) in table {
            keys.push(key);
            match value {
                Value::Table(table) => rest = Some(table),
                _ => return keys,
            }
        }
    }
    path.split('.').map(|key| key.trim().to_owned()).collect()
}
