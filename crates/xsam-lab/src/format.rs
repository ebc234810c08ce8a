//! The format of what runs and comparisons write of themselves, and that other formats are refused.

use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::files;
use crate::json;
use crate::layout;

/// The number of the format of `run.json` and `compare.json`. It rises when what is in them changes its meaning or its
/// place. Files without one are of the first format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Format(u32);

impl Default for Format {
    /// The one that is written, and read.
    fn default() -> Self {
        Self(2)
    }
}

/// What files of all formats have.
#[derive(Deserialize)]
struct Head {
    format: Option<Format>,
    #[serde(rename = "status")]
    _status: IgnoredAny,
}

/// Reads an outcome.
///
/// # Errors
/// If the file cannot be read, is damaged, or another release of xsam has written it.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = files::read(path)?;
    check(path, &text)?;
    json::parse(&text).map_err(|error| Error::damaged(path, error))
}

/// Refuses the results in the directory of a run or a comparison if another release of xsam has written them. What is
/// damaged is left to whoever reads it.
///
/// # Errors
/// If they are of another release, or a file cannot be read.
pub fn check_release(directory: &Path) -> Result<(), Error> {
    for file in [layout::RUN, layout::COMPARISON] {
        let path = directory.join(file);
        if path.exists() {
            check(&path, &files::read(&path)?)?;
        }
    }
    Ok(())
}

fn check(path: &Path, text: &str) -> Result<(), Error> {
    let ours = Format::default();
    match json::parse::<Head>(text) {
        Ok(head) if head.format != Some(ours) => Err(Error::OtherFormat {
            path: path.to_owned(),
            older: head.format.is_none_or(|format| format < ours),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::summary::RunSummary;

    #[test]
    fn other_formats_are_refused_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let read = |text: &str| {
            files::write(&path, text).unwrap();
            read::<RunSummary>(&path)
        };
        let summary = RunSummary::default();
        assert_eq!(read(&json::pretty(&summary).unwrap()).unwrap(), summary);
        check_release(folder.path()).unwrap();
        for (text, reason) in [
            (
                r#"{"status": "finished", "last": {"epoch": 1}}"#,
                "by an older xsam",
            ),
            (r#"{"format": 1, "status": "finished"}"#, "by an older xsam"),
            (r#"{"format": 99, "status": ["new"]}"#, "by a newer xsam"),
            (r#"{"format": 2, "status": "finished"}"#, "is damaged"),
            ("{}", "is damaged"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(
                error.contains("run.json") && error.contains(reason),
                "{error}"
            );
            let refused = check_release(folder.path());
            assert_eq!(refused.is_err(), reason != "is damaged");
        }
    }
}
