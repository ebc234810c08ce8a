//! Old ways to write a field, each met with the new one.

use toml::{Table, Value};

use super::{SpecError, TaskSpec};

/// A field that is written otherwise now.
struct Renamed {
    section: &'static str,
    field: &'static str,
    /// Of a field that is still there, the value that is no longer.
    value: Option<&'static str>,
    now: &'static str,
}

const fn field(section: &'static str, field: &'static str, now: &'static str) -> Renamed {
    Renamed {
        section,
        field,
        value: None,
        now,
    }
}

const fn value(
    section: &'static str,
    field: &'static str,
    value: &'static str,
    now: &'static str,
) -> Renamed {
    Renamed {
        section,
        field,
        value: Some(value),
        now,
    }
}

const RENAMED: [Renamed; 13] = [
    field("method", "search_every", "search = { every-steps = 20 }"),
    field(
        "method",
        "search_shortest",
        "search = { adaptive = { shortest = 10 } }",
    ),
    field(
        "method",
        "search_longest",
        "search = { adaptive = { longest = 1000 } }",
    ),
    field(
        "method",
        "search_tolerance",
        "search = { adaptive = { tolerance = 0.1 } }",
    ),
    field("method", "search_kind", "parabola = true"),
    field("method", "gsam_alpha", "alpha"),
    field("method", "look_alpha", "alpha"),
    field("method", "look_every", "every"),
    field(
        "method",
        "m_sharpness",
        "train.m_sharpness, or of one method in [compare.LABEL] train = { m_sharpness = 2 }",
    ),
    value(
        "method",
        "search",
        "\"every-steps\"",
        "search = { every-steps = 20 }",
    ),
    value(
        "method",
        "friendly",
        "true",
        "friendly = { sigma = 1.0, lambda = 0.9 }",
    ),
    value("method", "friendly", "false", "left out"),
    field("method", "scaling", "adaptive"),
];

/// Refuses a field of `section` that is written otherwise now; `key` is where it stands.
pub(super) fn check(key: &str, section: &str, field: &str, value: &Value) -> Result<(), SpecError> {
    let text = value.to_string();
    let old = RENAMED.iter().find(|old| {
        let same = (old.section, old.field) == (section, field);
        same && old.value.is_none_or(|value| value == text)
    });
    match old {
        Some(old) => Err(SpecError::new(key, format!("is now {}", old.now))),
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
