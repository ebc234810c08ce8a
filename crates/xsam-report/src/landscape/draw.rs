//! Plots of a landscape.

use std::path::Path;

use xsam_flatness::evenly;

use super::polar::Polar;
use crate::plot::{self, Contours, Drawn, Grid, Line, Lines, Mark, Point, Surface, Way, Words};
use xsam_lab::Error;
use xsam_lab::landscape::LandscapeReport;

/// Points along each side of a drawing of a polar landscape, from above and as a surface.
const FINE: usize = 141;
const COARSE: usize = 49;

/// Colours of the ways in a plane: white lines are behind them, so that any is seen.
const WAYS: [usize; 3] = [2, 5, 4];

/// Draws a landscape into `directory`.
pub(super) fn draw(directory: &Path, report: &LandscapeReport) -> Result<Drawn, Error> {
    let mut drawn = Drawn::default();
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
        [x] => {
            let losses = report.losses();
            let points = x.values.iter().zip(&losses);
            let lines = [Line {
                label: "loss".to_owned(),
                colour: 1,
                points: points.map(|(&x, &loss)| Point::at(x, loss)).collect(),
            }];
            let marks: Vec<Mark> = report
                .marks
                .iter()
                .map(|mark| Mark {
                    label: mark.label.clone(),
                    x: mark.at[0],
                    y: between(&x.values, &losses, mark.at[0]),
                })
                .collect();
            let figure = Lines {
                words: words(&x.name, "loss"),
                lines: &lines,
                marks: &marks,
                logarithmic: false,
            };
            drawn.add(plot::both(directory, &report.name, &figure))?;
        }
        [x, y] => {
            let radius = x.values.last().copied().unwrap_or(1.0);
            let (grid, square, clip) = match report.polar {
                false => (straight(report), straight(report), None),
                true => {
                    let square = resampled(report, radius / 2f64.sqrt(), COARSE);
                    (resampled(report, radius, FINE), square, Some(radius))
                }
            };
            let (x, y) = match report.polar {
                false => (x.name.as_str(), y.name.as_str()),
                true => ("along v0", "along v1, orthogonal to v0"),
            };
            let ways: Vec<Way> = report
                .paths
                .iter()
                .enumerate()
                .map(|(i, path)| Way {
                    label: path.label.clone(),
                    colour: WAYS[i % WAYS.len()],
                    dots: path.dots,
                    points: path.points.iter().map(|at| (at[0], at[1])).collect(),
                })
                .collect();
            let marks = report.marks.iter().map(|mark| Mark {
                label: mark.label.clone(),
                x: mark.at[0],
                y: mark.at[1],
            });
            let marks: Vec<Mark> = marks.chain(highest(report)).collect();
            let contours = Contours {
                words: words(x, y),
                grid: &grid,
                what: "loss",
                ways: &ways,
                marks: &marks,
                clip,
            };
            let surface = Surface {
                words: words(x, y),
                grid: &square,
                what: "loss",
            };
            drawn.add(plot::both(directory, &report.name, &contours))?;
            let name = format!("{}-surface", report.name);
            drawn.add(plot::both(directory, &name, &surface))?;
        }
        _ => {}
    }
    Ok(drawn)
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

fn straight(report: &LandscapeReport) -> Grid {
    Grid {
        xs: report.axes[0].values.clone(),
        ys: report.axes[1].values.clone(),
        values: report.losses(),
    }
}

/// A polar landscape on a square, of which `half` is half a side.
fn resampled(report: &LandscapeReport, half: f64, points: usize) -> Grid {
    let losses = report.losses();
    let distances = &report.axes[0].values;
    let polar = Polar {
        distances,
        angles: report.axes[1].values.len(),
        centre: report.loss,
        values: &losses,
    };
    let axis = evenly(-half, half, points);
    let row = |&y: &f64| axis.iter().map(move |&x| (x, y));
    let places = axis.iter().flat_map(row);
    Grid {
        values: places.map(|(x, y)| polar.at(x, y)).collect(),
        xs: axis.clone(),
        ys: axis.clone(),
    }
}
