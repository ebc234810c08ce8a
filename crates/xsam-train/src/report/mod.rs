//! The report on a run or a comparison: one HTML file for a person who decides, made from what is in the directory.
//!
//! `source` reads the directory, `comparison` and `run` say what is on the page, `page` prints it.

mod axis;
mod comparison;
mod curves;
mod epochs;
mod flatness;
mod outcome;
mod page;
mod pictures;
mod results;
mod rows;
mod run;
mod search;
mod shared;
mod source;
mod table;
mod text;
mod thin;

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lock::Lock;
use crate::summary::MARKER;
use crate::{compare, files};
use source::{ComparisonSource, RunSource};

/// File that the report is written to.
const FILE: &str = "report.html";

/// Writes `report.html` into the directory of a run or a comparison, from what is in it, and returns its path. The run
/// or comparison need not be finished; an earlier report is replaced.
///
/// The page needs no network and no other file. What `xsam flatness` and `xsam landscape` have left is in it. Of that,
/// what is damaged is left out and told on the page.
///
/// # Errors
/// If there is neither a run nor a comparison, what it has written is damaged, or the file cannot be written.
pub fn report(directory: &Path) -> Result<PathBuf, Error> {
    let has = |file: &str| directory.join(file).exists();
    if !has(compare::MARKER) && !has(MARKER) {
        let path = directory.to_owned();
        return Err(Error::NoResults { path });
    }
    // What is in the directory may be under way: only the page is not written twice at once.
    let _lock = Lock::await_results(directory, "report")?;
    let page = match has(compare::MARKER) {
        true => comparison::page(&ComparisonSource::read(directory)?),
        false => run::page(&RunSource::read(directory)?),
    };
    let path = directory.join(FILE);
    files::write(&path, &page.html(&path)?)?;
    Ok(path)
}
