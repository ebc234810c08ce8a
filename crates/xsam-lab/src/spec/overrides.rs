//! `[compare.LABEL]`: what the runs of a method have other than the spec.

use serde::Deserialize;
use toml::{Table, Value};

use super::fields::{expect_table, section};
use super::method::method;
use super::{MethodSpec, SpecError};

/// The section of a label that has what its runs have other than `[train]`.
pub(super) const TRAIN: &str = "train";

/// What the runs of a label can have other than `[train]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TrainOfLabel {
    pub(super) m_sharpness: Option<usize>,
}

/// Checks the section `key` of a label.
pub(super) fn check(key: &str, label: &str, mut table: Table) -> Result<(), SpecError> {
    if let Some(train) = table.remove(TRAIN) {
        let key = format!("{key}.{TRAIN}");
        section::<TrainOfLabel>(&key, expect_table(&key, train)?)?;
    }
    if !table.contains_key("name") {
        // Of a label that is no method's the name is missing, which is told where it is used.
        let name = MethodSpec::named(label).map_or_else(
            || {
                MethodSpec::NAMES
                    .iter()
                    .find(|name| fits(name, &table))
                    .copied()
            },
            |method| Some(method.name()),
        );
        if let Some(name) = name {
            table.insert("name".to_owned(), Value::String(name.to_owned()));
        }
    }
    method(key, table).map(|_| ())
}

/// Whether the method has all fields of the section.
fn fits(name: &str, table: &Table) -> bool {
    let fits = |field: &String| {
        MethodSpec::named(name).is_some_and(|method| method.fields().contains(&field.as_str()))
    };
    table.keys().all(fits)
}
