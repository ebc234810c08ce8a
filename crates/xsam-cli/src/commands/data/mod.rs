//! `xsam data`

mod fetch;
mod list;
mod show;

use xsam_data::DatasetName;
use xsam_train::{Error, SpecError, parse_name};

use super::Outcome;
use crate::args::{DataArguments, DataCommand};

pub(crate) fn run(arguments: DataArguments) -> Result<Outcome, Error> {
    match arguments.command {
        DataCommand::List { json } => list::run(json),
        DataCommand::Show(arguments) => show::run(&arguments)?,
        DataCommand::Fetch(arguments) => return fetch::run(&arguments),
        DataCommand::Verify(arguments) => return fetch::verify(&arguments),
    }
    Ok(Outcome::Done)
}

/// The data set of this name.
fn named(name: &str) -> Result<DatasetName, Error> {
    parse_name(name).map_err(|message| usage("", message))
}

/// A wrong word on the command line.
fn usage(key: &str, message: String) -> Error {
    let key = key.to_owned();
    Error::from(SpecError { key, message })
}
