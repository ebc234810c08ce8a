//! What a command prints.

use clap::Args;

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
