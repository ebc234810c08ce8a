//! Arguments that name something.

use std::ffi::OsStr;
use std::marker::PhantomData;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use xsam_names::Named;

/// Reads the name of a `T`.
#[derive(Clone, Debug)]
pub struct Name<T>(PhantomData<fn() -> T>);

/// A parser of the names of `T`, for `#[arg(value_parser = named::<T>())]`: help lists them all, and an error tells which
/// one is nearest.
pub fn named<T>() -> Name<T> {
    Name(PhantomData)
}

impl<T: Named + Send + Sync> TypedValueParser for Name<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        text: &OsStr,
    ) -> Result<T, clap::Error> {
        let parser = StringValueParser::new().try_map(|text| text.parse::<T>());
        parser.parse_ref(command, argument, text)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = T::all().into_iter();
        Some(Box::new(
            names.map(|name| PossibleValue::new(name.to_string())),
        ))
    }
}
