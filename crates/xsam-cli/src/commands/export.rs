//! `xsam export`

use xsam_train::{Error, export};

use super::Outcome;
use crate::args::ExportArguments;
use crate::print;

pub(crate) fn run(arguments: ExportArguments) -> Result<Outcome, Error> {
    let ExportArguments {
        from,
        out,
        overwrite,
        json,
    } = arguments;
    let written = export(&from, &out, overwrite)?;
    if json {
        print::json(&written);
    } else {
        print::line(format!(
            "{} after {} epochs in {}: {} tensors, {} parameters, {:.1} MB",
            written.model,
            written.epochs,
            written.file.display(),
            written.tensors,
            written.parameters,
            written.bytes as f64 / 1e6,
        ));
    }
    Ok(Outcome::Done)
}
