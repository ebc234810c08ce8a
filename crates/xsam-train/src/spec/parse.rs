//! From TOML and `--set` to a spec, with errors that name the key.

use std::cell::Cell;
use std::iter::once;

use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::{Deserialize as _, forward_to_deserialize_any};
use toml::{Table, Value};

use super::{Compare, Spec, SpecError};
use crate::names::hint;

impl Spec {
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
            set(&mut table, setting)?;
        }
        let compare = table.remove("compare");
        let spec = Self::from_table(table)?;
        let compare = match compare {
            Some(section) => Some(Compare::from_table(expect_table("compare", section)?)?),
            None => None,
        };
        Ok((spec, compare))
    }

    /// Whether a value of the field, `section.field`, is a text: a path, a language, a name.
    pub fn takes_text(field: &str) -> bool {
        is_text(&field.split('.').collect::<Vec<_>>())
    }

    pub(super) fn from_table(mut table: Table) -> Result<Self, SpecError> {
        let sections = field_names::<Self>();
        for key in table.keys() {
            if !sections.contains(&key.as_str()) {
                let names = sections.iter().copied().chain(["compare"]);
                return Err(unknown(key, "section", names));
            }
        }
        let mut take = |name: &str| match table.remove(name) {
            Some(value) => expect_table(name, value),
            None => Ok(Table::new()),
        };
        Ok(Self {
            data: section("data", take("data")?)?,
            augmentation: section("augmentation", take("augmentation")?)?,
            model: section("model", take("model")?)?,
            translation: section("translation", take("translation")?)?,
            method: section("method", take("method")?)?,
            optimizer: section("optimizer", take("optimizer")?)?,
            schedule: section("schedule", take("schedule")?)?,
            train: section("train", take("train")?)?,
        })
    }
}

/// The section `name` from its table.
pub(super) fn section<T: DeserializeOwned>(name: &str, table: Table) -> Result<T, SpecError> {
    let fields = field_names::<T>();
    if let Some(key) = table.keys().find(|key| !fields.contains(&key.as_str())) {
        return Err(unknown(
            &format!("{name}.{key}"),
            "field",
            fields.iter().copied(),
        ));
    }
    // One field at a time, so that an error can be told which one it is of. All fields have
    // defaults.
    for (key, value) in &table {
        let single = Table::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = T::deserialize(Value::Table(single)) {
            let message = error.message().trim().to_owned();
            return Err(SpecError::new(format!("{name}.{key}"), message));
        }
    }
    T::deserialize(Value::Table(table)).map_err(|e| SpecError::new(name, e.message().trim()))
}

fn unknown<'a>(key: &str, what: &str, names: impl Iterator<Item = &'a str> + Clone) -> SpecError {
    let given = key.rsplit('.').next().unwrap_or(key);
    let hint = hint(given, names.clone());
    let names = names.collect::<Vec<_>>().join(", ");
    SpecError::new(
        key,
        format!("there is no such {what}{hint} (there are: {names})"),
    )
}

pub(super) fn expect_table(key: &str, value: Value) -> Result<Table, SpecError> {
    match value {
        Value::Table(table) => Ok(table),
        other => {
            let found = other.type_str();
            Err(SpecError::new(
                key,
                format!("must be a section, [{key}], not a {found}"),
            ))
        }
    }
}

/// Applies `path.to.key=value`.
fn set(table: &mut Table, setting: &str) -> Result<(), SpecError> {
    let malformed = || {
        let message = "must be section.field=value, as in `train.epochs=20`";
        SpecError::new(setting, message)
    };
    let (path, value) = setting.split_once('=').ok_or_else(malformed)?;
    let keys = keys(path.trim());
    let mut path: Vec<&str> = keys.iter().map(String::as_str).collect();
    if path.len() < 2 || path.iter().any(|key| key.is_empty()) {
        return Err(malformed());
    }
    let value = value_of(&path, value.trim());

    // What is set for all methods on the command line is not to be overridden by the file.
    if let ["method", field] = path[..]
        && let Some(Value::Table(compare)) = table.get_mut("compare")
    {
        let sections = compare.iter_mut().filter(|(label, _)| *label != "tune");
        for (_, section) in sections {
            section.as_table_mut().map(|section| section.remove(field));
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

/// What `text` is for the field at `path`: a value of TOML, or a text if it is none or the field takes no other. A text in
/// quotation marks is what is between them.
fn value_of(path: &[&str], text: &str) -> Value {
    let table = format!("value = {text}").parse::<Table>().ok();
    let value = table
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"));
    match value {
        Some(value) if value.is_str() || !is_text(path) => value,
        _ => Value::String(text.to_owned()),
    }
}

/// Whether the field at `path` takes a text and nothing else.
fn is_text(path: &[&str]) -> bool {
    let of_method;
    let path = match path {
        // What a method has other than [method].
        ["compare", label, field] if *label != "tune" => {
            of_method = ["method", field];
            &of_method
        }
        _ => path,
    };
    let is_text = Cell::new(false);
    let field = Field {
        path,
        is_text: &is_text,
    };
    // It ends with an error, by design: only the type is wanted.
    let _ = Spec::deserialize(field);
    is_text.get()
}

/// Finds out what serde wants to read at a path.
struct Field<'a> {
    path: &'a [&'a str],
    is_text: &'a Cell<bool>,
}

impl<'de> Deserializer<'de> for Field<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, ValueError> {
        Err(serde::de::Error::custom("there is no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let Some((name, path)) = self.path.split_first() else {
            return self.deserialize_any(visitor);
        };
        let field = Field { path, ..self };
        visitor.visit_map(MapDeserializer::new(once((*name, field))))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.is_text.set(self.path.is_empty());
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de> for Field<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The names of the fields that serde knows of a struct.
fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Names<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = ValueError;

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, ValueError> {
            Err(serde::de::Error::custom("only structs have fields"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, ValueError> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    // It ends with an error, by design: nothing is deserialized, the names are all that is wanted.
    let _ = T::deserialize(Names(&mut names));
    names
}
