//! The flag behind a field.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use xsam_lab::Error;
use xsam_lab::spec::SpecError;

const SETTINGS: &str = "settings";

/// Names, of an error in a field, the flag that sets the field, which has its key as its id; unless the field was set in
/// another way.
pub(crate) fn named(error: Error, command: &Command, matches: &ArgMatches) -> Error {
    match error {
        Error::Spec { origin, error } => match flag(&error.key, origin.is_some(), command, matches)
        {
            Some(key) => Error::from(SpecError { key, ..error }),
            None => Error::Spec { origin, error },
        },
        other => other,
    }
}

/// The flag of the field `key`, if it was typed, or if the field is from nowhere else: no `file`, and no `--set`.
fn flag(key: &str, file: bool, command: &Command, matches: &ArgMatches) -> Option<String> {
    if let Some((name, matches)) = matches.subcommand() {
        return flag(key, file, command.find_subcommand(name)?, matches);
    }
    let argument = |id: &str| command.get_arguments().find(|arg| arg.get_id() == id);
    let long = argument(key)?.get_long()?;
    let typed = matches.value_source(key) == Some(ValueSource::CommandLine);
    let settings = argument(SETTINGS).and_then(|_| matches.get_many::<String>(SETTINGS));
    let mut settings = settings.into_iter().flatten();
    let mut is_set =
        || settings.any(|setting| setting.split('=').next().map(str::trim) == Some(key));
    (typed || !file && !is_set()).then(|| format!("--{long}"))
}
