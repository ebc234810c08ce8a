//! The report on a run or a comparison: one HTML file for a person who decides, made from what is in the directory.
//!
//! `source` reads the directory, `comparison` and `run` say what is on the page, `page` prints it.

mod axis;
mod comparison;
mod curves;
mod file;
mod flatness;
mod heat;
mod judged;
mod outcome;
mod page;
mod pairs;
mod pictures;
pub(crate) mod plots;
mod results;
mod rows;
mod run;
mod search;
mod shared;
mod source;
mod sweep;
mod table;
mod thin;

use std::path::{Path, PathBuf};

use page::Page;
use source::{ComparisonSource, RunSource};
use xsam_lab::spec::SpecError;
use xsam_lab::{Error, await_report, files, layout};

/// Writes `report.html` into the directory of a run or a comparison, from what is in it, and returns its path. The run
/// or comparison need not be finished; an earlier report is replaced.
///
/// `program` is the name of the program that makes such results, as one types it.
///
/// The page needs no network and no other file. What `xsam flatness` and `xsam landscape` have left is in it. Of that,
/// what is damaged is left out and told on the page.
///
/// # Errors
/// If there is neither a run nor a comparison, what it has written is damaged, or the file cannot be written.
pub fn report(directory: &Path, program: &str) -> Result<PathBuf, Error> {
    let has = |file: &str| directory.join(file).exists();
    if !has(layout::COMPARISON) && !has(layout::RUN) {
        let message = format!(
            "{} holds no results: give the directory of a run or of a comparison",
            directory.display()
        );
        return Err(SpecError::new("", message).into());
    }
    // What is in the directory may be under way: only the page is not written twice at once.
    let _lock = await_report(directory)?;
    let path = directory.join(layout::REPORT);
    files::write(&path, &page(directory, program)?.html(&path)?)?;
    Ok(path)
}

/// The page on the comparison or the run that is in the directory.
fn page(directory: &Path, program: &str) -> Result<Page, Error> {
    Ok(match directory.join(layout::COMPARISON).exists() {
        true => comparison::page(&ComparisonSource::read(directory)?, program),
        false => run::page(&RunSource::read(directory)?, program),
    })
}

/// The text of the report, or, unless it is `printed`, nothing: what is on the page is known then.
#[cfg(fuzzing)]
pub fn text(directory: &Path, printed: bool) -> Result<String, Error> {
    let page = page(directory, "xsam")?;
    match printed {
        true => page.html(&directory.join(layout::REPORT)),
        false => Ok(String::new()),
    }
}
