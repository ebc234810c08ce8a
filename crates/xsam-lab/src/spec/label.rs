//! The labels of a comparison: which there are, and the method of each.

use serde::Deserialize;
use toml::Value;

use super::method::{self, method};
use super::overrides::{TRAIN, TrainOfLabel};
use super::{Compare, MethodSpec, Spec, SpecError, TaskSpec, method_named};

/// A run's folder has the label of its method and what was varied of it in its name, of which file systems allow 255 bytes.
const LONGEST_LABEL: usize = 100;

impl Compare {
    /// The labels that there are: the methods, and those of its sections.
    pub(super) fn labels(&self) -> Vec<String> {
        let methods = MethodSpec::NAMES.iter();
        let mut labels: Vec<String> = methods.map(|name| (*name).to_owned()).collect();
        let own = self
            .overrides
            .keys()
            .filter(|label| !labels.contains(label));
        let own: Vec<String> = own.cloned().collect();
        labels.extend(own);
        labels
    }

    /// The same with one method.
    pub(super) fn only(mut self, label: &str) -> Self {
        self.methods = vec![label.to_owned()];
        self
    }

    /// The method of this label.
    pub(super) fn method(&self, base: &MethodSpec, label: &str) -> Result<MethodSpec, SpecError> {
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
        let mut table = method::inherited(&self.given(base)?, base, &named);
        table.insert("name".to_owned(), Value::String(named.name().to_owned()));
        table.extend(overrides);
        method(&format!("compare.{label}"), table)
    }

    /// The spec with what the section of a label has for `[train]`.
    pub(super) fn with_train<S: TaskSpec>(&self, mut spec: Spec<S>, label: &str) -> Spec<S> {
        let own = self.overrides.get(label).and_then(|own| own.get(TRAIN));
        if let Some(own) = own.and_then(|own| TrainOfLabel::deserialize(own.clone()).ok()) {
            spec.train.m_sharpness = own.m_sharpness;
        }
        spec
    }
}
