//! Plots over the epochs of a comparison.

use std::path::Path;

use xsam_lab::columns::{Column, OverSeeds, columns};
use xsam_lab::compare::passes;
use xsam_lab::{Error, Metrics};

use super::source::ComparisonSource;
use crate::plot::{Drawn, Line, Lines, Words};
use xsam_lab::statistics::mean;

/// Draws the columns of a comparison that have a plot of their own, into its directory: mean over the finished runs of each
/// method, and range.
///
/// # Errors
/// If a file of the comparison is missing or damaged, or a plot cannot be written.
pub fn draw_comparison(directory: &Path) -> Result<Drawn, Error> {
    let source = ComparisonSource::read(directory)?;
    let summary = &source.summary;
    let runs = summary.seeds.len();
    let subtitle = format!("mean of {runs} seeds; the bands reach from lowest to highest");
    let columns = columns(&summary.scores);
    let plotted = |column: &&Column| column.over_seeds == OverSeeds::Plotted;
    let mut plotted: Vec<&Column> = columns.iter().filter(plotted).collect();
    plotted.sort_by_key(|column| column.score.is_none());
    let mut drawn = Drawn::default();
    for column in plotted {
        let methods = source.drawn().into_iter();
        let lines = methods.map(|(row, method)| (source.line_colour(row), method));
        let lines = lines.map(|(number, method)| match summary.equal_compute {
            false => method.curve(number, column, |epoch| Some(epoch as f64)),
            true => {
                let runs = method.finished();
                let passes: Vec<Vec<f64>> =
                    runs.map(|run| passes_after_each(&run.epochs)).collect();
                method.curve(number, column, |epoch| passes_until(&passes, epoch))
            }
        });
        let lines: Vec<Line> = lines.filter(|line| !line.points.is_empty()).collect();
        if lines.is_empty() {
            continue;
        }
        let figure = Lines {
            words: Words {
                title: &column.chart_of_one(&columns),
                subtitle: &subtitle,
                x: match summary.equal_compute {
                    false => "epoch",
                    true => "forward-backward passes",
                },
                y: &column.axis(),
            },
            lines,
            marks: Vec::new(),
            logarithmic: false,
        };
        drawn.svg(directory, &column.name.replace('_', "-"), &figure)?;
    }
    Ok(drawn)
}

/// Passes of a run up to the end of each of its epochs.
fn passes_after_each(rows: &[Metrics]) -> Vec<f64> {
    let of_epoch = |row: &Metrics| {
        let of = |column: &str| row.get(column).unwrap_or_default();
        passes(of("gradient_passes"), of("search_passes"))
    };
    let sum = |sum: &mut f64, row| {
        *sum += of_epoch(row);
        Some(*sum)
    };
    rows.iter().scan(0.0, sum).collect()
}

/// Passes of a method's runs up to the end of an epoch: mean over the runs.
fn passes_until(passes: &[Vec<f64>], epoch: usize) -> Option<f64> {
    let until = |run: &Vec<f64>| run.get(epoch - 1).or(run.last()).copied();
    mean(passes.iter().map(|run| until(run).unwrap_or(0.0)))
}
