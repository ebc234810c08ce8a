//! From TOML and `--set` to a spec, with errors that name the key.

use serde::de::{DeserializeOwned, Deserializer, Visitor, value::Error as ValueError};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};

use super::{Compare, Spec, SpecError};
use crate::names::hint;

impl Spec {
    /// The spec that `text` and then `settings` (`section.field=value` each) describe, and its
    /// `[compare]` section if it has one. Not resolved yet.
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

/// Applies `path.to.key=value`. A value that is no TOML is a text.
fn set(table: &mut Table, setting: &str) -> Result<(), SpecError> {
    let malformed = || {
        let message = "must be section.field=value, as in `train.epochs=20`";
        SpecError::new(setting, message)
    };
    let (path, value) = setting.split_once('=').ok_or_else(malformed)?;
    let mut path: Vec<&str> = path.trim().split('.').map(str::trim).collect();
    if path.len() < 2 || path.iter().any(|key| key.is_empty()) {
        return Err(malformed());
    }
    let value = format!("value = {value}")
        .parse::<Table>()
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.trim().to_owned()));

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
