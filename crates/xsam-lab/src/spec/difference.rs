//! How two specs differ.

use toml::{Table, Value};

use super::{Spec, SpecError, TaskSpec};

impl<S: TaskSpec> Spec<S> {
    /// The fields in which two specs differ, with both values.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn differences(&self, other: &Self) -> Result<Vec<[String; 3]>, SpecError> {
        let table = |spec: &Self| {
            Table::try_from(spec).map_err(|error| SpecError::new("", error.to_string()))
        };
        let (mine, theirs) = (table(self)?, table(other)?);
        let show = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
        let mut differences = Vec::new();
        for (section, fields) in mine.iter().chain(&theirs) {
            let Value::Table(fields) = fields else {
                continue;
            };
            for field in fields.keys() {
                let get = |spec: &Table| spec.get(section)?.get(field).cloned();
                let (a, b) = (get(&mine), get(&theirs));
                if a != b {
                    let key = format!("{section}.{field}");
                    let difference = [key, show(a.as_ref()), show(b.as_ref())];
                    if !differences.contains(&difference) {
                        differences.push(difference);
                    }
                }
            }
        }
        Ok(differences)
    }
}
