//! Plots of how flat a minimum is.

use xsam_flatness::{Density, Distance, Faithfulness, evenly};

use crate::plot::{Drawn, Line, Lines, Mark, Point, Words};
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
pub fn draw_flatness(report: &FlatnessReport) -> Result<Drawn, Error> {
    let mut drawn = Drawn::default();
    let subtitle = format!(
        "training loss over {} samples in {} mode",
        report.samples, report.mode
    );
    if let Some(found) = &report.directions {
        drawn.both(&report.run, DIRECTIONS, &directions(&subtitle, found))?;
    }
    if let Some(found) = &report.density {
        drawn.both(&report.run, DENSITY, &density(&subtitle, found))?;
    }
    Ok(drawn)
}

/// The loss by distance in the direction of each method.
fn directions<'a>(subtitle: &'a str, found: &Faithfulness) -> Lines<'a> {
    let several = format!("g{}: ascent of {0} steps", found.ascent_steps);
    type Column = fn(&Distance) -> f64;
    let columns: [(&str, Column); 5] = [
        ("g0: the gradient (SGD)", |at| at.gradient),
        ("g1: at the ascent point (SAM)", |at| at.ascent_gradient),
        (&several, |at| at.several_steps),
        ("v(alpha) (XSAM)", |at| at.searched),
        ("highest found", |at| at.highest),
    ];
    let line = |(i, (label, column)): (usize, &(&str, Column))| {
        let start = Point::at(0.0, found.loss);
        let distances = found.distances.iter();
        let points = distances.map(|at| Point::at(at.distance, column(at)));
        Line {
            label: (*label).to_owned(),
            colour: (i + 1) % columns.len(),
            points: std::iter::once(start).chain(points).collect(),
        }
    };
    let most = found.distances.iter().map(|at| at.highest);
    let most = most.fold(found.loss, f64::max);
    Lines {
        words: Words {
            title: "Loss in the directions of the methods",
            subtitle,
            x: "distance from the weights",
            y: "loss",
        },
        lines: columns.iter().enumerate().map(line).collect(),
        marks: vec![Mark {
            label: "the weights".to_owned(),
            x: 0.0,
            y: found.loss,
        }],
        logarithmic: found.loss > 0.0 && most > STEEP * found.loss,
    }
}

/// The density of the eigenvalues, by its logarithm: nearly all of them are at zero.
fn density<'a>(subtitle: &'a str, found: &Density) -> Lines<'a> {
    let (low, high) = found.range();
    let width = WIDTH * (high - low).max(f64::MIN_POSITIVE);
    let values = evenly(low - 3.0 * width, high + 3.0 * width, POINTS);
    let densities = found.curve(&values, width);
    let most = densities.iter().copied().fold(0.0, f64::max);
    let points = values.iter().zip(&densities);
    let points = points.map(|(&x, &y)| Point::at(x, if y >= LEAST * most { y } else { f64::NAN }));
    Lines {
        words: Words {
            title: "Density of the Hessian's eigenvalues",
            subtitle,
            x: "eigenvalue",
            y: "density",
        },
        lines: vec![Line {
            label: format!("mean of {} probes", found.probes.len()),
            colour: 1,
            points: points.collect(),
        }],
        marks: Vec::new(),
        logarithmic: true,
    }
}
