//! Plots over the epochs of a comparison.

use std::path::Path;

use xsam_lab::columns::{Column, OverSeeds, columns};
use xsam_lab::compare::passes;
use xsam_lab::{Error, Metrics};

use super::source::{ComparisonSource, MethodSource};
use crate::curve::over_epochs;
use crate::plot::{self, Drawn, Line, Lines, Words};

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
        let curve = |(m, method)| curve(m, method, column, summary.equal_compute);
        let lines: Vec<Line> = source
            .methods
            .iter()
            .enumerate()
            .filter_map(curve)
            .collect();
        if lines.is_empty() {
            continue;
        }
        let words = Words {
            title: &column.chart_of_one(&columns),
            subtitle: &subtitle,
            x: match summary.equal_compute {
                false => "epoch",
                true => "forward-backward passes",
            },
            y: &column.axis(),
        };
        let figure = Lines {
            words,
            lines: &lines,
            marks: &[],
            logarithmic: false,
        };
        let name = column.name.replace('_', "-");
        drawn.add(plot::svg(directory, &name, &figure).map(|file| [file]))?;
    }
    Ok(drawn)
}

/// The curve of a method, if it has the column: over epochs, or over passes.
fn curve(m: usize, method: &MethodSource, column: &Column, over_passes: bool) -> Option<Line> {
    let runs: Vec<&[Metrics]> = method.finished().map(|run| &*run.epochs).collect();
    let passes: Vec<Vec<f64>> = runs.iter().map(|rows| passes_after_each(rows)).collect();
    let points = over_epochs(&runs, column, |epoch| match over_passes {
        false => Some(epoch as f64),
        true => passes_until(&passes, epoch),
    });
    (!points.is_empty()).then(|| Line {
        label: method.label().to_owned(),
        colour: m,
        points,
    })
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
    let until = passes
        .iter()
        .map(|run| run.get(epoch - 1).or(run.last()).copied().unwrap_or(0.0));
    (!passes.is_empty()).then(|| until.sum::<f64>() / passes.len() as f64)
}
