//! Plots of a landscape.

mod polar;

use xsam_flatness::evenly;

use crate::plot::{Contours, Drawn, Grid, Line, Lines, Mark, Point, Surface, Way, Words};
use polar::Polar;
use xsam_lab::Error;
use xsam_lab::landscape::{Axis, Landscape, LandscapeReport};

/// Points along each side of a drawing of a polar landscape, from above and as a surface.
const FINE: usize = 141;
const COARSE: usize = 49;

/// Colours of the ways in a plane: white lines are behind them, so that any is seen.
const WAYS: [usize; 3] = [2, 5, 4];

/// Draws a landscape beside its values, if all of them are known.
///
/// # Errors
/// If a file cannot be written.
pub fn draw_landscape(landscape: &Landscape) -> Result<Drawn, Error> {
    let mut drawn = Drawn::default();
    if !landscape.complete {
        return Ok(drawn);
    }
    let (directory, report) = (&landscape.directory, &landscape.report);
    let title = report.settings.title();
    let subtitle = format!(
        "mean over {} training samples in {} mode; {:.4} at the weights",
        report.items,
        report.settings.mode(),
        report.loss
    );
    let words = |x, y| Words {
        title: &title,
        subtitle: &subtitle,
        x,
        y,
    };
    match report.axes.as_slice() {
        [x] => drawn.both(
            directory,
            &report.name,
            &line(report, x, words(&x.name, "loss")),
        )?,
        [x, y] => {
            let words = match report.polar {
                false => words(&x.name, &y.name),
                true => words("along v0", "along v1, orthogonal to v0"),
            };
            let (contours, surface) = plane(report, [x, y], words);
            drawn.both(directory, &report.name, &contours)?;
            drawn.both(directory, &format!("{}-surface", report.name), &surface)?;
        }
        _ => {}
    }
    Ok(drawn)
}

/// The loss along a line.
fn line<'a>(report: &LandscapeReport, x: &Axis, words: Words<'a>) -> Lines<'a> {
    let losses = report.losses();
    let points = x.values.iter().zip(&losses);
    let points = points.map(|(&x, &loss)| Point::at(x, loss)).collect();
    let marks = report.marks.iter().map(|mark| Mark {
        label: mark.label.clone(),
        x: mark.at[0],
        y: between(&x.values, &losses, mark.at[0]),
    });
    Lines {
        words,
        marks: marks.collect(),
        lines: vec![Line {
            label: "loss".to_owned(),
            colour: 1,
            points,
        }],
        logarithmic: false,
    }
}

/// The loss in a plane, from above and as a surface.
fn plane<'a>(
    report: &LandscapeReport,
    [x, y]: [&Axis; 2],
    words: Words<'a>,
) -> (Contours<'a>, Surface<'a>) {
    let radius = x.values.last().copied().unwrap_or(1.0);
    let (grid, square, clip) = match report.polar {
        false => {
            let grid = Grid {
                xs: x.values.clone(),
                ys: y.values.clone(),
                values: report.losses(),
            };
            (grid.clone(), grid, None)
        }
        true => {
            let square = resampled(report, radius / 2f64.sqrt(), COARSE);
            (resampled(report, radius, FINE), square, Some(radius))
        }
    };
    let ways = report.paths.iter().enumerate().map(|(i, path)| Way {
        label: path.label.clone(),
        colour: WAYS[i % WAYS.len()],
        dots: path.dots,
        points: path.points.iter().map(|at| (at[0], at[1])).collect(),
    });
    let marks = report.marks.iter().map(|mark| Mark {
        label: mark.label.clone(),
        x: mark.at[0],
        y: mark.at[1],
    });
    let contours = Contours {
        words,
        grid,
        what: "loss",
        ways: ways.collect(),
        marks: marks.chain(highest(report)).collect(),
        clip,
    };
    let surface = Surface {
        words,
        grid: square,
        what: "loss",
    };
    (contours, surface)
}

/// Of XSAM's plane, where on the whole circle through the arc the loss is highest.
fn highest(report: &LandscapeReport) -> Option<Mark> {
    let plane = report.plane.as_ref()?;
    let [distances, angles] = report.axes.as_slice() else {
        return None;
    };
    let distances = &distances.values;
    let off = |ring: &usize| (distances[*ring] - plane.rho_max).abs();
    let ring = (0..distances.len()).min_by(|a, b| off(a).total_cmp(&off(b)))?;
    let losses = report.losses();
    let on_ring = angles.values.iter().enumerate();
    let on_ring = on_ring.map(|(i, angle)| (losses[i * distances.len() + ring], angle));
    let (_, angle) = on_ring
        .filter(|(loss, _)| loss.is_finite())
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let distance = distances[ring];
    Some(Mark {
        label: format!("highest at distance {distance:.3}"),
        x: distance * angle.cos(),
        y: distance * angle.sin(),
    })
}

/// The value at `x`, on the straight line between its neighbours.
fn between(xs: &[f64], values: &[f64], x: f64) -> f64 {
    let next = xs.partition_point(|v| *v < x).clamp(1, xs.len().max(2) - 1);
    match (xs.get(next - 1..=next), values.get(next - 1..=next)) {
        (Some(&[a, b]), Some(&[from, to])) => from + (to - from) * (x - a) / (b - a),
        _ => f64::NAN,
    }
}

/// A polar landscape on a square, of which `half` is half a side.
fn resampled(report: &LandscapeReport, half: f64, points: usize) -> Grid {
    let polar = Polar {
        distances: &report.axes[0].values,
        angles: report.axes[1].values.len(),
        centre: report.loss,
        values: &report.losses(),
    };
    Grid::square(evenly(-half, half, points), |x, y| polar.at(x, y))
}
