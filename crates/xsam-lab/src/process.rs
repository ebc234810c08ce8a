//! A process that works for the one that has started it: what it is told, and that it ends with it.
//!
//! The order is the first line of its standard input, as JSON. More lines ask it to stop; the end of the input means
//! that whoever has started it is gone, and ends it at once.

use std::io::{self, BufRead, BufReader, Stdin};
use std::thread;

use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::json;
use crate::stop::StopSignal;

/// Exit code of a process that was interrupted.
pub(crate) const INTERRUPTED: i32 = 130;

/// Reads the order, and gives the rest of the input. `command` is that of the process, `by` the one that starts it.
pub(crate) fn order<T: DeserializeOwned>(
    command: &'static str,
    by: &'static str,
) -> Result<(T, BufReader<Stdin>), Error> {
    let refused = |reason: String| Error::Order {
        command,
        by,
        reason,
    };
    let mut input = BufReader::new(io::stdin());
    let mut line = String::new();
    let read = input.read_line(&mut line);
    read.map_err(|error| refused(error.to_string()))?;
    if line.is_empty() {
        return Err(refused("nothing came on its standard input".to_owned()));
    }
    let order = json::parse(&line).map_err(|error| refused(error.to_string()))?;
    Ok((order, input))
}

/// Heeds the rest of the input.
pub(crate) fn watch(mut input: impl BufRead + Send + 'static, stop: StopSignal) {
    thread::spawn(move || {
        let mut line = String::new();
        while input.read_line(&mut line).is_ok_and(|read| read > 0) {
            stop.stop();
        }
        std::process::exit(INTERRUPTED);
    });
}
