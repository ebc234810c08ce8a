//! The `[compare]` section: which methods, and from which seeds.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::parse::{expect_table, section};
use super::{MethodName, MethodSpec, Spec, SpecError};
use crate::names::{self, Named};

/// Which runs are compared.
///
/// ```toml
/// [compare]
/// methods = ["sgd", "sam", "xsam-3"]
/// seeds = [0, 1, 2]
///
/// [compare.sam]            # what sam has other than [method]
/// rho = 0.3
///
/// [compare.xsam-3]         # a label of one's own says what method it is of
/// name = "xsam"
/// ascent_steps = 3
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// Labels, in the order of the table; the first one is what the others are measured against.
    pub methods: Vec<String>,
    /// Seeds; each method runs once from each.
    pub seeds: Vec<u64>,
    overrides: BTreeMap<String, Table>,
}

/// One of the methods that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareEntry {
    /// Its label.
    pub label: String,
    /// Its runs, one for each seed, resolved.
    pub specs: Vec<Spec>,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            methods: ["sgd", "sam", "xsam"].map(str::to_owned).to_vec(),
            seeds: vec![0, 1, 2],
            overrides: BTreeMap::new(),
        }
    }
}

impl Compare {
    pub(super) fn from_table(mut table: Table) -> Result<Self, SpecError> {
        let mut compare = Self::default();
        if let Some(methods) = table.remove("methods") {
            compare.methods = list("compare.methods", methods)?;
        }
        if let Some(seeds) = table.remove("seeds") {
            compare.seeds = list("compare.seeds", seeds)?;
        }
        for (label, value) in table {
            let key = format!("compare.{label}");
            if !value.is_table() {
                let message = "there is no such field (there are: methods, seeds, and a section \
                               [compare.LABEL] for a method)";
                return Err(SpecError::new(key, message));
            }
            let overrides = expect_table(&key, value)?;
            // Now, even if the label is not used: a wrong key is wrong in any case.
            section::<MethodSpec>(&key, overrides.clone())?;
            compare.overrides.insert(label, overrides);
        }
        Ok(compare)
    }

    /// All runs, resolved, with everything but method and seed as in `spec`.
    ///
    /// # Errors
    /// If there is no method or no seed, one occurs twice, a label says not what method it is of,
    /// or a spec cannot be.
    pub fn entries(&self, spec: &Spec) -> Result<Vec<CompareEntry>, SpecError> {
        distinct("compare.methods", &self.methods)?;
        distinct("compare.seeds", &self.seeds)?;
        self.methods
            .iter()
            .map(|label| {
                let method = self.method(&spec.method, label)?;
                let run = |&seed: &u64| {
                    let mut run = spec.clone();
                    run.method = method.clone();
                    run.train.seed = seed;
                    run.resolved()
                };
                Ok(CompareEntry {
                    label: label.clone(),
                    specs: self.seeds.iter().map(run).collect::<Result<_, _>>()?,
                })
            })
            .collect()
    }

    /// The experiment `spec` with this section, as TOML.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_toml(&self, spec: &Spec) -> Result<String, SpecError> {
        let error = |error: toml::ser::Error| SpecError::new("", error.to_string());
        let mut section = Table::new();
        let methods = Value::try_from(&self.methods).map_err(error)?;
        section.insert("methods".to_owned(), methods);
        section.insert(
            "seeds".to_owned(),
            Value::try_from(&self.seeds).map_err(error)?,
        );
        for (label, overrides) in &self.overrides {
            section.insert(label.clone(), Value::Table(overrides.clone()));
        }
        let mut table = Table::try_from(spec).map_err(error)?;
        table.insert("compare".to_owned(), Value::Table(section));
        toml::to_string(&table).map_err(error)
    }

    /// The labels that there are: the methods, and those of its sections.
    pub(super) fn labels(&self) -> Vec<String> {
        let methods = MethodName::all().into_iter().map(|name| name.to_string());
        let mut labels: Vec<String> = methods.collect();
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
        if label.is_empty() || label.contains(['/', '\\']) || label.starts_with('.') {
            return Err(error(format!("`{label}` cannot be the name of a folder")));
        }
        let overrides = self.overrides.get(label).cloned().unwrap_or_default();
        let mut table = Table::try_from(base).map_err(|e| error(e.to_string()))?;
        // The name is the label's own unless its section says otherwise.
        if !overrides.contains_key("name") {
            names::parse::<MethodName>(label).map_err(|message| {
                let section = format!("or give it a section [compare.{label}] with a name");
                error(format!("{message}; {section}"))
            })?;
        }
        table.insert("name".to_owned(), Value::String(label.to_owned()));
        table.extend(overrides);
        section(&format!("compare.{label}"), table)
    }
}

fn list<T: serde::de::DeserializeOwned>(key: &str, value: Value) -> Result<Vec<T>, SpecError> {
    Vec::<T>::deserialize(value)
        .map_err(|error| SpecError::new(key, format!("must be a list: {}", error.message().trim())))
}

fn distinct<T: PartialEq + std::fmt::Display>(key: &str, values: &[T]) -> Result<(), SpecError> {
    if values.is_empty() {
        return Err(SpecError::new(key, "must name at least one"));
    }
    for (i, value) in values.iter().enumerate() {
        if values[..i].contains(value) {
            return Err(SpecError::new(key, format!("`{value}` is there twice")));
        }
    }
    Ok(())
}
