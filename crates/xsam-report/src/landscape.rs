//! Plots of a landscape.

mod draw;
mod polar;

use xsam_lab::Error;
use xsam_lab::landscape::Landscape;

use crate::plot::Drawn;

/// Draws a landscape beside its values, if all of them are known.
///
/// # Errors
/// If a file cannot be written.
pub fn draw_landscape(landscape: &Landscape) -> Result<Drawn, Error> {
    match landscape.complete {
        true => draw::draw(&landscape.directory, &landscape.report),
        false => Ok(Drawn::default()),
    }
}
