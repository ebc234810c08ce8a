//! `job`: one run of `compare --jobs`, in a process of its own.

use clap::Parser;
use xsam_lab::compare::serve;
use xsam_lab::{Error, Status, Tasks};

use crate::context::Outcome;
use crate::signals::stop_on_interrupt;

/// One run of a comparison with --jobs, ordered on standard input.
#[derive(Debug, Parser)]
#[command(name = "job", hide = true)]
pub(crate) struct Arguments {}

pub(crate) fn run<L: Tasks>(_: Arguments) -> Result<Outcome, Error> {
    let summary = serve::<L>(&stop_on_interrupt())?;
    Ok(match summary.status {
        Status::Finished => Outcome::Done,
        _ => Outcome::Interrupted,
    })
}
