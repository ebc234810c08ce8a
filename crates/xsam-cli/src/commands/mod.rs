//! The commands that every program has, one file each.

pub(crate) mod compare;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod flatness;
pub(crate) mod job;
pub(crate) mod landscape;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod shell;
mod subject;
pub(crate) mod train;

use std::path::Path;

use clap::Args;

use crate::context::Outcome;
use crate::print;

/// Chooses methods on the command line.
#[derive(Args, Debug)]
struct MethodsArgument {
    /// The methods, or labels of sections [compare.LABEL], in the order of the table.
    #[arg(
        id = "compare.methods",
        long = "methods",
        value_name = "A,B,..",
        value_delimiter = ','
    )]
    methods: Vec<String>,
}

/// Says how to go on with the interrupted results in a directory.
fn interrupted(command: &str, directory: &Path) -> Outcome {
    print::error(format_args!(
        "to go on: {} {command} --resume {}",
        print::name(),
        directory.display()
    ));
    Outcome::Interrupted
}
