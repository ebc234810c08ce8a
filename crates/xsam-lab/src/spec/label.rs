//! The labels of a comparison: which there are, and what the section `[compare.LABEL]` of each says.

use serde::Deserialize;
use toml::{Table, Value};

use super::fields::{expect_table, section};
use super::method::{self, method};
use super::{Compare, MethodSpec, Spec, SpecError, TaskSpec, method_named};
use crate::json::Reader;

/// A run's folder has the label of its method and what was varied of it in its name, of which file systems allow 255 bytes.
const LONGEST_LABEL: usize = 100;

/// The section of a label that has what its runs have other than `[train]`.
const TRAIN: &str = "train";

/// What the runs of a label can have other than `[train]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TrainOfLabel {
    m_sharpness: Option<usize>,
}

/// Checks the section of a label.
pub(super) fn check(label: &str, mut table: Table) -> Result<(), SpecError> {
    let key = format!("compare.{label}");
    if let Some(train) = table.remove(TRAIN) {
        let key = format!("{key}.{TRAIN}");
        section::<TrainOfLabel>(&key, expect_table(&key, train)?)?;
    }
    if !table.contains_key("name") {
        // Of a label that is no method's the name is missing, which is told where it is used.
        let has_all = |method: &MethodSpec| method::fields_in(&table, method).len() == table.len();
        if let Some(of) = MethodSpec::named(label).or_else(|| method::all().find(has_all)) {
            table.insert("name".to_owned(), of.name().into());
        }
    }
    method(&key, table).map(drop)
}

impl Compare {
    /// The labels that there are: the methods, and those of its sections.
    pub(super) fn labels(&self) -> Vec<&str> {
        let mut labels = MethodSpec::NAMES.to_vec();
        let own = self.overrides.keys().map(String::as_str);
        labels.extend(own.filter(|label| !MethodSpec::NAMES.contains(label)));
        labels
    }

    /// The section `[method]` of this label, when the experiment is `spec`.
    pub(super) fn method<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        label: &str,
    ) -> Result<Table, SpecError> {
        let error = |message: String| SpecError::new("compare.methods", message);
        // Its runs have folders with this name, and it is printed in tables, on plots and on terminals.
        let odd = |c: char| c.is_control() || matches!(c, '/' | '\\');
        if label.trim().is_empty() || label.contains(odd) || label.starts_with('.') {
            let label = label.escape_debug();
            return Err(error(format!("`{label}` cannot be the name of a folder")));
        }
        if label.len() > LONGEST_LABEL {
            let message = format!("`{label}` is longer than {LONGEST_LABEL} bytes");
            return Err(error(message));
        }
        let mut overrides = self.overrides.get(label).cloned().unwrap_or_default();
        overrides.remove(TRAIN);
        // The name is the label's own unless its section says otherwise.
        let name = overrides.get("name").and_then(Value::as_str);
        let named = method_named(name.unwrap_or(label)).map_err(|message| {
            let section = format!("or give it a section [compare.{label}] with a name");
            error(format!("{message}; {section}"))
        })?;
        let mut table = method::inherited(&self.given(spec)?, &spec.method, &named);
        table.insert("name".to_owned(), named.name().into());
        table.extend(overrides);
        Ok(table)
    }

    /// The experiment `spec` with the method of this label and what its section has for `[train]`.
    pub(super) fn of_label<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        label: &str,
    ) -> Result<Spec<S>, SpecError> {
        let mut of_label = spec.clone();
        of_label.set_method(&format!("compare.{label}"), self.method(spec, label)?)?;
        let own = self.overrides.get(label).and_then(|own| own.get(TRAIN));
        if let Some(own) =
            own.and_then(|own| TrainOfLabel::deserialize(Reader::from(own.clone())).ok())
        {
            of_label.train.m_sharpness = own.m_sharpness;
        }
        Ok(of_label)
    }
}
