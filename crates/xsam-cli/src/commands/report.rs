//! `report`

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;
use xsam_lab::Error;
use xsam_report::report;

use crate::context::Outcome;
use crate::print;

/// The report on a run or a comparison, made anew from what is in its directory.
#[derive(Debug, Parser)]
#[command(
    name = "report",
    after_help = "Example:\n  {program} report runs/sam\n\n\
                  The commands train and compare write report.html at their end. This rebuilds it, say after \
                  flatness or landscape, whose results are then in it, or of a run that is still going on or was \
                  killed. The page is one file that needs no network."
)]
pub(crate) struct Arguments {
    /// Directory of a run or of a comparison.
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(Arguments { directory, json }: Arguments) -> Result<Outcome, Error> {
    let file = report(&directory, print::name())?.display().to_string();
    let event = json!({ "event": "report", "file": file });
    print::result(json, &event, || file);
    Ok(Outcome::Done)
}
