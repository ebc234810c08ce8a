//! `xsam job`: one run of `xsam compare --jobs`, in a process of its own.

use xsam_train::{Error, Status, serve};

use super::{Outcome, stop_on_interrupt};

pub(crate) fn run() -> Result<Outcome, Error> {
    let summary = serve(&stop_on_interrupt(None))?;
    Ok(match summary.status {
        Status::Finished => Outcome::Done,
        _ => Outcome::Interrupted,
    })
}
