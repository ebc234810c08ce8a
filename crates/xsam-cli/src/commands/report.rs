//! `xsam report`

use serde_json::json;
use xsam_train::{Error, report};

use super::Outcome;
use crate::args::ReportArguments;
use crate::print;

pub(crate) fn run(arguments: ReportArguments) -> Result<Outcome, Error> {
    let ReportArguments { directory, json } = arguments;
    let file = report(&directory)?;
    if json {
        print::json(&json!({ "event": "report", "file": file.display().to_string() }));
    } else {
        print::line(file.display());
    }
    Ok(Outcome::Done)
}
