//! Fields that are lists.

use std::fmt;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::Value;

use super::SpecError;

/// The values of a field, one at least.
pub(super) fn list<T: DeserializeOwned>(key: &str, value: Value) -> Result<Vec<T>, SpecError> {
    let list = Vec::<T>::deserialize(value).map_err(|error| {
        SpecError::new(key, format!("must be a list: {}", error.message().trim()))
    })?;
    not_empty(key, &list)?;
    Ok(list)
}

/// Refuses a list without values.
pub(super) fn not_empty<T>(key: &str, values: &[T]) -> Result<(), SpecError> {
    match values {
        [] => Err(SpecError::new(key, "must name at least one")),
        _ => Ok(()),
    }
}

/// Refuses a value that is there twice.
pub(super) fn distinct<T: PartialEq + fmt::Display>(
    key: &str,
    values: &[T],
) -> Result<(), SpecError> {
    for (i, value) in values.iter().enumerate() {
        if values[..i].contains(value) {
            return Err(SpecError::new(key, format!("`{value}` is there twice")));
        }
    }
    Ok(())
}
