//! JSON in which nothing that is not finite gets lost. JSON has no such numbers; serde_json writes `null` for them, which
//! is read back as a value that is missing, or not at all. Here they are the texts that they are in CSV as well: `"NaN"`,
//! `"inf"` and `"-inf"`.
#![allow(
    clippy::disallowed_methods,
    reason = "the one place that reads and writes it"
)]

use std::fmt::Display;

use ciborium::Value as Tree;
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, IntoDeserializer, Visitor};
use serde::{Deserializer, Serialize, Serializer, forward_to_deserialize_any, ser};
use serde_json::{Error, Number, Value};
use toml::Table;

/// A value that is written with its numbers as they are: those that are not finite as `"NaN"`, `"inf"` and `"-inf"`.
#[derive(Clone, Copy, Debug)]
pub struct Exact<T>(pub T);

/// What a value consists of, in a form that has such numbers.
struct Node<'a>(&'a Tree);

impl<T: Serialize> Serialize for Exact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tree = Tree::serialized(&self.0).map_err(ser::Error::custom)?;
        Node(&tree).serialize(serializer)
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Tree::Float(number) if !number.is_finite() => serializer.collect_str(number),
            // By itself it is written in single precision where that is enough, of which the text is another number.
            Tree::Float(number) => serializer.serialize_f64(*number),
            Tree::Array(parts) => serializer.collect_seq(parts.iter().map(Node)),
            Tree::Map(parts) => {
                serializer.collect_map(parts.iter().map(|(key, part)| (Node(key), Node(part))))
            }
            other => other.serialize(serializer),
        }
    }
}

/// The text of a value, on one line.
pub(crate) fn line(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(&Exact(value))
}

/// The text of a value, for a person too.
pub fn pretty(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(&Exact(value))
}

/// The value of a text that was written so, as `run.json`, `compare.json` and `flatness.json` are.
///
/// # Errors
/// If it is not JSON, or not of such a value.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    of(serde_json::from_str(text)?)
}

/// The value that a value of JSON stands for.
pub(crate) fn of<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Reader(value))
}

/// A value of JSON or of TOML, to be read. The only form that values are read from: what reads a type is compiled anew for
/// each form.
///
/// Takes the texts of numbers that are not finite for numbers where numbers are wanted.
pub(crate) struct Reader(Value);

impl From<toml::Value> for Reader {
    fn from(value: toml::Value) -> Self {
        Self(of_toml(value))
    }
}

/// The table of TOML that a value is written as; what is not there has no entry.
///
/// # Errors
/// If it has no form in TOML, or is no table.
pub(crate) fn table(value: &impl Serialize) -> Result<Table, toml::ser::Error> {
    let tree = Tree::serialized(value).map_err(no_toml)?;
    match to_toml(tree)? {
        Some(toml::Value::Table(table)) => Ok(table),
        _ => Err(no_toml("it is no table")),
    }
}

fn no_toml(why: impl Display) -> toml::ser::Error {
    ser::Error::custom(why)
}

fn to_toml(tree: Tree) -> Result<Option<toml::Value>, toml::ser::Error> {
    Ok(Some(match tree {
        Tree::Null => return Ok(None),
        Tree::Bool(truth) => truth.into(),
        Tree::Integer(number) => {
            let number = i64::try_from(number);
            number
                .map_err(|_| no_toml("a number is too large for TOML"))?
                .into()
        }
        Tree::Float(number) => number.into(),
        Tree::Text(text) => text.into(),
        Tree::Array(parts) => {
            let mut array = Vec::with_capacity(parts.len());
            for part in parts {
                array.push(to_toml(part)?.ok_or_else(|| no_toml("a list lacks a value"))?);
            }
            array.into()
        }
        Tree::Map(parts) => {
            let mut table = Table::new();
            for (key, part) in parts {
                let key = key.into_text().map_err(|_| no_toml("a key is no text"))?;
                if let Some(part) = to_toml(part)? {
                    table.insert(key, part);
                }
            }
            table.into()
        }
        _ => return Err(no_toml("there are bytes in it")),
    }))
}

fn of_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => {
            let finite = Number::from_f64(number).map(Value::Number);
            finite.unwrap_or_else(|| Value::String(number.to_string()))
        }
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(parts) => parts.into_iter().map(of_toml).collect(),
        toml::Value::Table(parts) => {
            let parts = parts.into_iter().map(|(key, part)| (key, of_toml(part)));
            Value::Object(parts.collect())
        }
    }
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(truth),
            Value::Number(number) => number.deserialize_any(visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(parts) => {
                let mut parts = SeqDeserializer::new(parts.into_iter().map(Reader));
                let value = visitor.visit_seq(&mut parts)?;
                parts.end()?;
                Ok(value)
            }
            Value::Object(parts) => {
                let mut entries = MapDeserializer::new(parts.into_iter().map(entry));
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = match self.0.as_str() {
            Some("NaN") => f64::NAN,
            Some("inf") => f64::INFINITY,
            Some("-inf") => f64::NEG_INFINITY,
            _ => return self.deserialize_any(visitor),
        };
        visitor.visit_f64(number)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(text.into_deserializer()),
            Value::Object(parts) => {
                let entries = MapDeserializer::new(parts.into_iter().map(entry));
                MapAccessDeserializer::new(entries).deserialize_enum(name, variants, visitor)
            }
            // Its error, and nothing else: with a visitor that is always the same.
            other => match other.deserialize_enum(name, variants, IgnoredAny) {
                Err(error) => Err(error),
                Ok(_) => Err(Error::custom("it is no choice")),
            },
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Reader {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn entry((key, value): (String, Value)) -> (String, Reader) {
    (key, Reader(value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct All {
        label: String,
        seed: u64,
        less: i64,
        loss: f64,
        losses: Vec<f64>,
        pair: [f64; 2],
        alpha: Option<f64>,
        none: Option<f64>,
        events: Vec<Event>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum Event {
        Plain,
        Of(Box<f64>),
        Named { psi: f64 },
    }

    #[test]
    fn what_is_not_finite_comes_back_as_it_was() {
        let all = All {
            label: "NaN".to_owned(),
            seed: u64::MAX,
            less: i64::MIN,
            loss: f64::NAN,
            losses: vec![f64::INFINITY, 0.1 + 0.2, -0.0, 1e300],
            pair: [f64::NEG_INFINITY, 1.0],
            alpha: Some(f64::NAN),
            none: None,
            events: vec![
                Event::Plain,
                Event::Of(Box::new(f64::NAN)),
                Event::Named { psi: f64::INFINITY },
            ],
        };
        for text in [line(&all).unwrap(), pretty(&all).unwrap()] {
            let back: All = parse(&text).unwrap();
            assert_eq!(format!("{back:?}"), format!("{all:?}"), "{text}");
        }
        let text = line(&all).unwrap();
        assert!(text.starts_with(r#"{"label":"NaN","seed":18446744073709551615,"less":-9223372036854775808,"loss":"NaN","#));
        assert!(text.contains(r#""alpha":"NaN","none":null"#), "{text}");
        // Also within a value of serde_json, which the other ones are made part of.
        let value = serde_json::json!({ "all": Exact(&all) });
        assert_eq!(value["all"]["pair"][0], "-inf");
    }

    #[test]
    fn what_is_finite_is_written_as_serde_json_does() {
        let values = (
            0.1,
            f64::from(0.1f32),
            1e-7,
            3.0,
            12u8,
            -4i32,
            "text",
            Some(true),
            (),
        );
        let plain = serde_json::to_string(&values).unwrap();
        assert_eq!(line(&values).unwrap(), plain);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        assert!(parse::<f64>("\"nan\"").is_err());
        assert!(parse::<[f64; 2]>("[1, 2, 3]").is_err());
        assert!(parse::<f64>("null").is_err());
        let error = parse::<All>("{\"label\": 1}").unwrap_err().to_string();
        assert!(error.contains("expected a string"), "{error}");
        let error = parse::<All>("{").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}
