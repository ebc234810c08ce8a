//! All that a program prints. Nothing else in it may: what is done to standard output and standard error, which may be
//! closed, full or a terminal that is gone, ends neither a run nor the program.
#![allow(clippy::disallowed_methods, reason = "the one place that prints")]

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::OnceLock;

use clap::Args;
use indicatif::MultiProgress;
use serde::Serialize;
use xsam_lab::json::Exact;

/// How much, and for whom.
#[derive(Args, Debug)]
pub(crate) struct OutputArguments {
    /// No progress, only the result, and what to be warned of.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// For machines: one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

impl OutputArguments {
    /// Whether nobody wants to see how it goes.
    pub(crate) fn is_silent(&self) -> bool {
        self.quiet || self.json
    }
}

/// Name of the program.
static NAME: OnceLock<&str> = OnceLock::new();

/// Names the program; the first name stays.
pub(crate) fn set_name(name: &'static str) {
    let _ = NAME.set(name);
}

/// The name of the program, as one types it.
pub fn name() -> &'static str {
    NAME.get().copied().unwrap_or("xsam")
}

/// Prints a line. A reader that has gone away (`xsam .. | head`) does not end a run: its results
/// are in files as well.
pub fn line(text: impl Display) {
    write(stdout(), text);
}

/// Prints a value as a line of JSON.
pub fn json(value: &impl Serialize) {
    match serde_json::to_string(&Exact(value)) {
        Ok(text) => line(text),
        Err(problem) => error(problem),
    }
}

/// Prints what came out: with `as_json` for machines, otherwise for people.
pub fn result(as_json: bool, value: &impl Serialize, text: impl FnOnce() -> String) {
    match as_json {
        true => json(value),
        false => line(text()),
    }
}

/// Prints a line on standard error.
pub fn note(text: impl Display) {
    write(stderr(), text);
}

/// Prints what went wrong, or what the program has to say of itself.
pub fn error(text: impl Display) {
    note(format_args!("{}: {text}", name()));
}

/// Prints what a person should know, also with `--quiet`. `what` says of what, if that is not plain.
pub(crate) fn warning(bars: Option<&MultiProgress>, what: &str, text: &str) {
    let what = match what {
        "" => String::new(),
        what => format!("{what}: "),
    };
    above(bars, format_args!("{}: warning: {what}{text}", name()));
}

/// Prints a line on standard error that stays above the bars, if there are any.
pub(crate) fn above(bars: Option<&MultiProgress>, text: impl Display) {
    match bars {
        Some(bars) => bars.suspend(|| note(text)),
        None => note(text),
    }
}

/// Whether standard error is a terminal, where bars can be drawn.
pub fn is_terminal() -> bool {
    stderr().is_terminal()
}

/// In one piece: lines of several processes in one file stay whole. What cannot be printed is not printed.
fn write(mut to: impl Write, text: impl Display) {
    let _ = to.write_all(format!("{text}\n").as_bytes());
}
