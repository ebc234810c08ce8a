//! The `[method]` section: a method of `xsam`, told by its name.

use toml::{Table, Value};
use xsam::method::MethodSpec;

use super::fields::{of_fields, unknown};
use super::{SpecError, renamed};

/// The method of that name, with its defaults.
///
/// # Errors
/// Names the nearest valid name, and all of them.
pub fn method_named(name: &str) -> Result<MethodSpec, String> {
    let names = || MethodSpec::NAMES.iter().copied();
    MethodSpec::named(name).ok_or_else(|| xsam_names::unknown("method", name, names()))
}

/// The method that the section `key` describes.
pub(super) fn method(key: &str, mut table: Table) -> Result<MethodSpec, SpecError> {
    let named = match table.remove("name") {
        None => Ok(MethodSpec::default()),
        Some(Value::String(name)) => method_named(&name),
        Some(other) => Err(format!("must be a text, not {}", other.type_str())),
    };
    let named = named.map_err(|message| SpecError::new(format!("{key}.name"), message))?;
    for (field, value) in &table {
        let path = format!("{key}.{field}");
        renamed::check(&path, "method", field, value)?;
        if named.fields().contains(&field.as_str()) {
            continue;
        }
        let (name, fields) = (named.name(), named.fields().join(", "));
        return Err(match (has(field), fields.as_str()) {
            (true, "") => SpecError::new(path, format!("{name} has no fields")),
            (true, _) => {
                SpecError::new(path, format!("{name} has no such field (it has: {fields})"))
            }
            (false, _) => unknown(
                &path,
                "field",
                named.fields().iter().copied().chain(["name"]),
            ),
        });
    }
    of_fields(key, table, |fields| named.with_fields(fields))
}

/// Whether any method has the field.
pub(super) fn has(field: &str) -> bool {
    with_field(field).is_some()
}

/// A method that has the field.
pub(super) fn with_field(field: &str) -> Option<&'static str> {
    let mut names = MethodSpec::NAMES.iter();
    let has = |name: &&&str| MethodSpec::named(name).is_some_and(|m| m.fields().contains(&field));
    names.find(has).copied()
}

/// The method with other fields.
///
/// # Errors
/// If it lacks one, or a value is of the wrong type.
pub fn edited(of: &MethodSpec, edit: impl FnOnce(&mut Table)) -> Result<MethodSpec, SpecError> {
    let mut table = fields(of)?;
    edit(&mut table);
    method("method", table)
}

/// The section that describes a method.
pub(super) fn fields(of: &MethodSpec) -> Result<Table, SpecError> {
    Table::try_from(of).map_err(|error| SpecError::new("method", error.to_string()))
}

/// Of the fields of a section that describes `from` those that go for `to` as well: all that it has. An alpha is not the
/// same in each of them, but is in those that search for it.
pub(super) fn inherited(given: &Table, from: &MethodSpec, to: &MethodSpec) -> Table {
    let searches = |method: &MethodSpec| method.fields().contains(&"search");
    let same = from.name() == to.name() || searches(from) && searches(to);
    let goes = |field: &str| to.fields().contains(&field) && (same || field != "alpha");
    let fields = given.iter().filter(|(field, _)| goes(field));
    fields
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// The section that describes a method, without its defaults: what was asked for.
pub(super) fn apart_from_defaults(of: &MethodSpec) -> Result<Table, SpecError> {
    let mut table = fields(of)?;
    if let Some(plain) = MethodSpec::named(of.name()) {
        let plain = fields(&plain)?;
        table.retain(|field, value| field == "name" || plain.get(field) != Some(value));
    }
    Ok(table)
}
