//! Plots of what was measured.

use std::path::Path;

use xsam_flatness::{Density, Faithfulness, evenly};

use crate::plot::{self, Drawn, Failure, Line, Lines, Mark, Point, Words};
use xsam_lab::Error;
use xsam_lab::flatness::FlatnessReport;

/// Names of the plots.
pub(crate) const DIRECTIONS: &str = "directions";
pub(crate) const DENSITY: &str = "density";

/// Points of the curve of a density.
const POINTS: usize = 400;

/// Width of the bell that each eigenvalue is drawn as, as a share of the range of all.
const WIDTH: f64 = 0.01;

/// Losses that rise to more than so many times that at the weights are drawn by their logarithms.
const STEEP: f64 = 30.0;

/// Densities below this share of the highest are those of the tails of bells.
const LEAST: f64 = 1e-7;

/// Draws `directions` and `density` into the run's directory, as far as they were measured.
///
/// # Errors
/// If a file cannot be written.
pub fn draw(report: &FlatnessReport) -> Result<Drawn, Error> {
    let mut drawn = Drawn::default();
    let subtitle = format!(
        "training loss over {} samples in {} mode",
        report.samples, report.mode
    );
    if let Some(found) = &report.directions {
        drawn.add(directions(&report.run, &subtitle, found))?;
    }
    if let Some(found) = &report.density {
        drawn.add(density(&report.run, &subtitle, found))?;
    }
    Ok(drawn)
}

/// The loss by distance in the direction of each method.
fn directions(
    directory: &Path,
    subtitle: &str,
    found: &Faithfulness,
) -> Result<[String; 2], Failure> {
    let several = format!("g{}: ascent of {0} steps", found.ascent_steps);
    type Column = fn(&xsam_flatness::Distance) -> f64;
    let columns: [(&str, Column); 5] = [
        ("g0: the gradient (SGD)", |at| at.gradient),
        ("g1: at the ascent point (SAM)", |at| at.ascent_gradient),
        (&several, |at| at.several_steps),
        ("v(alpha) (XSAM)", |at| at.searched),
        ("highest found", |at| at.highest),
    ];
    let lines: Vec<Line> = columns
        .iter()
        .enumerate()
        .map(|(i, (label, column))| Line {
            label: (*label).to_owned(),
            colour: (i + 1) % columns.len(),
            points: std::iter::once(Point::at(0.0, found.loss))
                .chain(
                    found
                        .distances
                        .iter()
                        .map(|at| Point::at(at.distance, column(at))),
                )
                .collect(),
        })
        .collect();
    let most = found.distances.iter().map(|at| at.highest);
    let most = most.fold(found.loss, f64::max);
    let weights = Mark {
        label: "the weights".to_owned(),
        x: 0.0,
        y: found.loss,
    };
    let figure = Lines {
        words: Words {
            title: "Loss in the directions of the methods",
            subtitle,
            x: "distance from the weights",
            y: "loss",
        },
        lines: &lines,
        marks: &[weights],
        logarithmic: found.loss > 0.0 && most > STEEP * found.loss,
    };
    plot::both(directory, DIRECTIONS, &figure)
}

/// The density of the eigenvalues, by its logarithm: nearly all of them are at zero.
fn density(directory: &Path, subtitle: &str, found: &Density) -> Result<[String; 2], Failure> {
    let (low, high) = found.range();
    let width = WIDTH * (high - low).max(f64::MIN_POSITIVE);
    let values = evenly(low - 3.0 * width, high + 3.0 * width, POINTS);
    let densities = found.curve(&values, width);
    let most = densities.iter().copied().fold(0.0, f64::max);
    let points = values.iter().zip(&densities);
    let points = points.map(|(&x, &y)| Point::at(x, if y >= LEAST * most { y } else { f64::NAN }));
    let lines = [Line {
        label: format!("mean of {} probes", found.probes.len()),
        colour: 1,
        points: points.collect(),
    }];
    let figure = Lines {
        words: Words {
            title: "Density of the Hessian's eigenvalues",
            subtitle,
            x: "eigenvalue",
            y: "density",
        },
        lines: &lines,
        marks: &[],
        logarithmic: true,
    };
    plot::both(directory, DENSITY, &figure)
}
