//! Old ways to write a field, each met with the new one.

use toml::{Table, Value};

use super::{SpecError, TaskSpec};

/// Fields of a method that are written otherwise now, with the new way; of those that are still there, with the value that
/// is no longer.
const RENAMED: [(&str, Option<&str>, &str); 13] = [
    ("search_every", None, "search = { every-steps = 20 }"),
    (
        "search_shortest",
        None,
        "search = { adaptive = { shortest = 10 } }",
    ),
    (
        "search_longest",
        None,
        "search = { adaptive = { longest = 1000 } }",
    ),
    (
        "search_tolerance",
        None,
        "search = { adaptive = { tolerance = 0.1 } }",
    ),
    ("search_kind", None, "parabola = true"),
    ("gsam_alpha", None, "alpha"),
    ("look_alpha", None, "alpha"),
    ("look_every", None, "every"),
    (
        "m_sharpness",
        None,
        "train.m_sharpness, or of one method in [compare.LABEL] train = { m_sharpness = 2 }",
    ),
    (
        "search",
        Some("\"every-steps\""),
        "search = { every-steps = 20 }",
    ),
    (
        "friendly",
        Some("true"),
        "friendly = { sigma = 1.0, lambda = 0.9 }",
    ),
    ("friendly", Some("false"), "left out"),
    ("scaling", None, "adaptive"),
];

/// Refuses a field of a method that is written otherwise now; `key` is where it stands.
pub(super) fn check(key: &str, field: &str, value: &Value) -> Result<(), SpecError> {
    let text = value.to_string();
    let is_old = |&&(old, gone, _): &&(&str, Option<&str>, &str)| {
        old == field && gone.is_none_or(|gone| gone == text)
    };
    match RENAMED.iter().find(is_old) {
        Some((.., now)) => Err(SpecError::new(key, format!("is now {now}"))),
        None => Ok(()),
    }
}

/// Refuses fields that have another name since their task has changed it.
pub(super) fn check_task<S: TaskSpec>(sections: &Table) -> Result<(), SpecError> {
    let is_there = |old: &str| {
        let (section, field) = old.split_once('.')?;
        sections.get(section)?.get(field)
    };
    match S::RENAMED.iter().find(|(old, _)| is_there(old).is_some()) {
        Some((old, new)) => Err(SpecError::new(*old, format!("is now {new}"))),
        None => Ok(()),
    }
}
