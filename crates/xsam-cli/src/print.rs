//! Standard output, which may be closed before we are done.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// Prints a line. A reader that has gone away (`xsam .. | head`) does not end a run: its results
/// are in files as well.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints a value as a line of JSON.
pub(crate) fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => line(text),
        Err(error) => eprintln!("xsam: {error}"),
    }
}
