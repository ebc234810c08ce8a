//! The `[method]` section: a method of `xsam`, told by its name.

use std::collections::BTreeSet;

use toml::{Table, Value};
use xsam::method::MethodSpec;

use super::fields::{of_fields, unknown};
use super::{SpecError, renamed};
use crate::json;

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
        renamed::check(&path, field, value)?;
        if named.fields().contains(&field.as_str()) {
            continue;
        }
        let (name, fields) = (named.name(), named.fields());
        return Err(match with_field(field) {
            Some(_) if fields.is_empty() => SpecError::new(path, format!("{name} has no fields")),
            Some(_) => {
                let fields = fields.join(", ");
                SpecError::new(path, format!("{name} has no such field (it has: {fields})"))
            }
            None => unknown(&path, "field", fields.iter().copied().chain(["name"])),
        });
    }
    of_fields(key, table, |fields| named.with_fields(fields))
}

/// All methods, with their defaults.
pub(super) fn all() -> impl Iterator<Item = MethodSpec> {
    let names = MethodSpec::NAMES.iter();
    names.filter_map(|name| MethodSpec::named(name))
}

/// A method that has the field.
pub(super) fn with_field(field: &str) -> Option<MethodSpec> {
    all().find(|method| method.fields().contains(&field))
}

/// The method with other fields.
///
/// # Errors
/// If it lacks one, or a value is of the wrong type.
pub fn edited(of: &MethodSpec, edit: impl FnOnce(&mut Table)) -> Result<MethodSpec, SpecError> {
    let mut table = json::table(of)?;
    edit(&mut table);
    method("method", table)
}

/// The fields of the method that its section has.
pub(super) fn fields_in(section: &Table, of: &MethodSpec) -> BTreeSet<&'static str> {
    let fields = of.fields().iter().copied();
    let fields = fields.filter(|field| section.contains_key(*field));
    fields.collect()
}

/// Of the fields of a section that describes `from` those that go for `to` as well: all that it has. An alpha is not the
/// same in each of them, but is in those that search for it; nor is `every`, but in those that look back, and in those that
/// do not.
pub(super) fn inherited(given: &Table, from: &MethodSpec, to: &MethodSpec) -> Table {
    let searches = |method: &MethodSpec| method.fields().contains(&"search");
    let same = from.name() == to.name() || searches(from) && searches(to);
    let mut given = given.clone();
    let alike = from.looks_back() == to.looks_back();
    given.retain(|field, _| {
        let means_the_same = match field {
            "alpha" => same,
            "every" => alike,
            _ => true,
        };
        to.fields().contains(&field) && means_the_same
    });
    given
}

/// The section that describes a method: what was asked for, the `fields` and all that are not the defaults.
pub(super) fn asked(of: &MethodSpec, fields: &BTreeSet<&str>) -> Result<Table, SpecError> {
    let mut table = json::table(of)?;
    if let Some(plain) = MethodSpec::named(of.name()) {
        let plain = json::table(&plain)?;
        table.retain(|field, value| {
            field == "name" || fields.contains(field) || plain.get(field) != Some(value)
        });
    }
    Ok(table)
}
