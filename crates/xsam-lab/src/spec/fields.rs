//! The fields of sections: which there are, what they take, and errors that name the one that is wrong.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::iter::once;

use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};
use xsam::method::MethodSpec;
use xsam_names::hint;

use super::compare::LISTS;
use super::{OptimizerSpec, ScheduleSpec, SpecError, TaskSpec, TrainSpec, method};
use crate::json::Reader;

/// The section `name` from its table.
pub(super) fn section<T: DeserializeOwned>(name: &str, table: Table) -> Result<T, SpecError> {
    check_fields(name, &table, fields_at::<T>(&[]))?;
    of_fields(name, table, T::deserialize)
}

/// Refuses keys that are not those of the fields of a section.
pub(super) fn check_fields(name: &str, section: &Table, fields: &[&str]) -> Result<(), SpecError> {
    match section.keys().find(|key| !fields.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let fields = fields.iter().copied();
            Err(unknown(&format!("{name}.{key}"), "field", fields))
        }
    }
}

/// What `read` makes of the fields of the section `name`.
pub(super) fn of_fields<T>(
    name: &str,
    table: Table,
    read: impl Fn(Reader) -> Result<T, serde_json::Error>,
) -> Result<T, SpecError> {
    // One field at a time, so that an error can be told which one it is of. All fields have
    // defaults.
    for (key, value) in &table {
        let single = Table::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = read(Value::Table(single).into()) {
            return Err(refused(format!("{name}.{key}"), &error));
        }
    }
    read(Value::Table(table).into()).map_err(|error| refused(name, &error))
}

/// That the value of a key cannot be read.
pub(super) fn refused(key: impl Into<String>, error: &serde_json::Error) -> SpecError {
    SpecError::new(key, error.to_string())
}

/// That the last name of `key` is that of no `what`, but what there is.
pub(super) fn unknown<'a>(
    key: &str,
    what: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> SpecError {
    let given = key.rsplit('.').next().unwrap_or(key);
    let hint = hint(given, names.clone());
    let names = names.collect::<Vec<_>>().join(", ");
    let message = format!("there is no such {what}{hint} (there are: {names})");
    SpecError::new(key, message)
}

pub(super) fn expect_table(key: &str, value: Value) -> Result<Table, SpecError> {
    match value {
        Value::Table(table) => Ok(table),
        other => {
            let message = format!("must be a section, [{key}], not a {}", other.type_str());
            Err(SpecError::new(key, message))
        }
    }
}

/// Refuses a list without values.
pub(super) fn check_filled<T>(key: &str, values: &[T]) -> Result<(), SpecError> {
    match values {
        [] => Err(SpecError::new(key, "must name at least one")),
        _ => Ok(()),
    }
}

/// Refuses a value that is there twice.
pub(super) fn distinct<T: fmt::Display>(key: &str, values: &[T]) -> Result<(), SpecError> {
    // A list may have as many values as there is room for in its file.
    let mut known = HashSet::new();
    match values.iter().find(|value| !known.insert(value.to_string())) {
        Some(value) => Err(SpecError::new(key, format!("`{value}` is there twice"))),
        None => Ok(()),
    }
}

/// Refuses more things than `most`, before there is anything of them.
pub(super) fn check_count(
    key: &str,
    (count, what): (usize, &str),
    most: usize,
) -> Result<(), SpecError> {
    match count <= most {
        true => Ok(()),
        false => Err(SpecError::new(
            key,
            format!("{count} {what} are more than {most}"),
        )),
    }
}

/// What `text` is for the field at `path`: a value of TOML, or a text if it is none or the field takes no other. A text in
/// quotation marks is what is between them.
pub(super) fn value_of<S: TaskSpec>(path: &[&str], text: &str) -> Value {
    let table = format!("value = {text}").parse::<Table>().ok();
    let value = table
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"));
    match value {
        Some(value) if value.is_str() || !is_text::<S>(path) => value,
        _ => Value::String(text.to_owned()),
    }
}

/// Whether the field at `path` takes a text and nothing else.
fn is_text<S: TaskSpec>(path: &[&str]) -> bool {
    let found = match *path {
        ["method", "name"] => return true,
        ["method", ref field @ ..] => {
            let wanted = |method: MethodSpec| wanted(field, |at| method.with_fields(at).map(drop));
            let mut found = method::all().map(wanted);
            return found.any(|found| matches!(found, Found::Text));
        }
        // What a method has other than [method].
        ["compare", label, field] if LISTS.iter().all(|(list, _)| *list != label) => {
            return is_text::<S>(&["method", field]);
        }
        ["optimizer", ref field @ ..] => at::<OptimizerSpec>(field),
        ["schedule", ref field @ ..] => at::<ScheduleSpec>(field),
        ["train", ref field @ ..] => at::<TrainSpec>(field),
        _ => at::<S>(path),
    };
    matches!(found, Found::Text)
}

/// The names of the fields that serde knows of the struct at a path.
pub(super) fn fields_at<T: DeserializeOwned>(path: &[&str]) -> &'static [&'static str] {
    match at::<T>(path) {
        Found::Struct(fields) => fields,
        Found::Text | Found::Other => &[],
    }
}

/// What serde wants to read at a path.
fn at<T: DeserializeOwned>(path: &[&str]) -> Found {
    wanted(path, |at| T::deserialize(at).map(drop))
}

/// What `read` wants to read at a path.
fn wanted(path: &[&str], read: impl FnOnce(Field<'_>) -> Result<(), ValueError>) -> Found {
    let found = Cell::new(Found::Other);
    // It ends with an error, by design: only the type is wanted.
    let _ = read(Field {
        path,
        found: &found,
    });
    found.get()
}

#[derive(Clone, Copy)]
enum Found {
    Text,
    /// A table with fields of these names.
    Struct(&'static [&'static str]),
    Other,
}

/// Finds out what serde wants to read at a path.
struct Field<'a> {
    path: &'a [&'a str],
    found: &'a Cell<Found>,
}

impl<'de> Deserializer<'de> for Field<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, ValueError> {
        Err(serde::de::Error::custom("there is no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let Some((name, path)) = self.path.split_first() else {
            self.found.set(Found::Struct(fields));
            return self.deserialize_any(visitor);
        };
        let field = Field { path, ..self };
        visitor.visit_map(MapDeserializer::new(once((*name, field))))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        if self.path.is_empty() {
            self.found.set(Found::Text);
        }
        self.deserialize_any(visitor)
    }

    /// One that is chosen by its name alone.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_string(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de> for Field<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
