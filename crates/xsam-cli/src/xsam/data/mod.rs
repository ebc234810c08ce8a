//! `xsam data`

mod fetch;
mod list;
mod show;

use xsam_cli::clap::{self, Parser, Subcommand};
use xsam_cli::{Outcome, TaskError};

/// Lists, fetches, verifies and shows data sets.
#[derive(Debug, Parser)]
#[command(name = "data")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// The data sets and their sizes.
    #[command(after_help = "Example:\n  {program} data list")]
    List {
        /// For machines: one JSON object a data set.
        #[arg(long)]
        json: bool,
    },
    /// Downloads a published data set, checks it and unpacks it.
    #[command(after_help = "Example:\n  {program} data fetch cifar10\n  \
                            {program} data fetch fashion-mnist --mirror http://mirror.example/files\n\n\
                      An interrupted download goes on where it was. The folder gets its name when \
                      everything is in it and has the published checksum.")]
    Fetch(fetch::FetchArguments),
    /// Reads all of a fetched data set and compares it with what was fetched.
    #[command(after_help = "Example:\n  {program} data verify cifar10")]
    Verify(fetch::VerifyArguments),
    /// Some images of a data set, as characters or as a picture; or pairs of sentences.
    #[command(
        after_help = "Example:\n  {program} data show digits --split test --index 7 --count 2\n  \
                            {program} data show cifar10 --count 12 --sheet augmented.png\n  \
                            {program} data show image-folder --dir photos --image-size 32"
    )]
    Show(show::Arguments),
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, TaskError> {
    match arguments.command {
        DataCommand::List { json } => list::run(json),
        DataCommand::Show(arguments) => show::run(&arguments)?,
        DataCommand::Fetch(arguments) => return fetch::run(&arguments),
        DataCommand::Verify(arguments) => return fetch::verify(&arguments),
    }
    Ok(Outcome::Done)
}
