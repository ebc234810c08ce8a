//! A row for each method: the values of its runs on one axis, or a bar.

use serde::Serialize;

use super::axis::{Axis, Tick, tenths};
use super::curves::COLOURS;
use crate::plot::bounds;
use xsam_lab::statistics::Spread;

/// Width of the drawing and of the room to either side, in points.
const WIDTH: f64 = 480.0;
const SIDE: f64 = 16.0;
/// Height of a row, of what is above the first row, and of the ticks below the last one.
const ROW: f64 = 50.0;
const HEAD: f64 = 6.0;
const FOOT: f64 = 30.0;
/// Characters of a label that there is room for.
const LABEL: usize = 28;

#[derive(Debug)]
pub(super) struct Row {
    pub(super) label: String,
    /// Its value in words.
    pub(super) value: String,
    pub(super) colour: usize,
    /// Its runs, each with what is told of it.
    pub(super) runs: Vec<(f64, String)>,
    /// Their mean and deviation, if the mean is finite.
    pub(super) spread: Option<Spread>,
}

/// The drawing, in points.
#[derive(Debug, Serialize)]
pub(super) struct RowsDrawing {
    title: String,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    /// Where the axis is, if there is one.
    axis: Option<f64>,
    ticks: Vec<Tick>,
    rows: Vec<DrawnRow>,
}

#[derive(Debug, Serialize)]
struct DrawnRow {
    label: String,
    value: String,
    colour: String,
    y: f64,
    dots: Vec<(f64, String)>,
    /// Mean, and a standard deviation to either side of it.
    mean: Option<f64>,
    from: f64,
    to: f64,
    /// Width of the bar.
    bar: Option<f64>,
}

/// The runs of each method as dots on one axis, with mean and standard deviation. None without any value.
pub(super) fn dots(title: &str, rows: &[Row]) -> Option<RowsDrawing> {
    let reach = rows.iter().flat_map(|row| {
        let spread = row.spread.into_iter();
        let ends = spread.flat_map(|s| [s.mean - s.deviation, s.mean + s.deviation]);
        let runs = row.runs.iter().filter(|_| row.spread.is_some());
        ends.chain(runs.map(|(value, _)| *value))
    });
    let [low, high] = bounds(reach);
    if low > high {
        return None;
    }
    let axis = Axis::around([low, high], [SIDE, WIDTH - SIDE]);
    let drawn = |(i, row): (usize, &Row)| {
        let runs = row.runs.iter();
        let edge = |sign: f64| row.spread.map(|s| axis.at(s.mean + sign * s.deviation));
        DrawnRow {
            dots: runs.map(|(v, told)| (axis.at(*v), told.clone())).collect(),
            mean: row.spread.map(|spread| axis.at(spread.mean)),
            from: edge(-1.0).unwrap_or_default(),
            to: edge(1.0).unwrap_or_default(),
            ..DrawnRow::new(i, row)
        }
    };
    let drawing = RowsDrawing::new(title, rows.iter().enumerate().map(drawn).collect());
    Some(RowsDrawing {
        axis: Some(drawing.height),
        ticks: axis.ticks(),
        height: drawing.height + FOOT,
        ..drawing
    })
}

/// A bar for the mean of each method, from zero. None without any value above it.
pub(super) fn bars(title: &str, rows: &[Row]) -> Option<RowsDrawing> {
    let means = rows.iter().filter_map(|row| Some(row.spread?.mean));
    let most = means.reduce(f64::max).filter(|most| *most > 0.0)?;
    let drawn = |(i, row): (usize, &Row)| DrawnRow {
        bar: row.spread.map(|spread| {
            let share = spread.mean.max(0.0) / most;
            tenths((WIDTH - 2.0 * SIDE) * share)
        }),
        ..DrawnRow::new(i, row)
    };
    let drawn = rows.iter().enumerate().map(drawn);
    Some(RowsDrawing::new(title, drawn.collect()))
}

impl RowsDrawing {
    /// The drawing without an axis.
    fn new(title: &str, rows: Vec<DrawnRow>) -> Self {
        Self {
            title: title.to_owned(),
            width: WIDTH,
            height: HEAD + rows.len() as f64 * ROW,
            left: SIDE,
            right: WIDTH - SIDE,
            axis: None,
            ticks: Vec::new(),
            rows,
        }
    }
}

impl DrawnRow {
    /// The row without its marks.
    fn new(number: usize, row: &Row) -> Self {
        let mut label: String = row.label.chars().take(LABEL).collect();
        if row.label.chars().count() > LABEL {
            label.push('…');
        }
        Self {
            label,
            value: row.value.clone(),
            colour: format!("c{}", row.colour % COLOURS),
            y: HEAD + number as f64 * ROW,
            dots: Vec::new(),
            mean: None,
            from: 0.0,
            to: 0.0,
            bar: None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn row(label: &str, values: &[f64]) -> Row {
        Row {
            label: label.to_owned(),
            value: String::new(),
            colour: 0,
            runs: values.iter().map(|v| (*v, v.to_string())).collect(),
            spread: Spread::of(values.iter().copied()),
        }
    }

    #[test]
    fn dots_are_at_their_values() {
        let drawing = dots("Accuracy", &[row("a", &[70.0, 80.0]), row("b", &[])]).unwrap();
        let first = &drawing.rows[0];
        let labels: Vec<&str> = drawing.ticks.iter().map(|t| &*t.label).collect();
        assert_eq!(
            labels,
            ["66", "68", "70", "72", "74", "76", "78", "80", "82", "84"]
        );
        assert_eq!(first.dots[0].0, drawing.ticks[2].at);
        assert_eq!(first.dots[1].0, drawing.ticks[7].at);
        let middle = f64::midpoint(first.dots[0].0, first.dots[1].0);
        assert!((first.mean.unwrap() - middle).abs() <= 0.1);
        assert!(drawing.rows[1].mean.is_none() && drawing.rows[1].dots.is_empty());
        assert!(dots("Accuracy", &[row("b", &[])]).is_none());
    }

    #[test]
    fn bars_are_in_proportion() {
        let rows = [
            row("a", &[1.0, 3.0]),
            row(&"b".repeat(99), &[1.0]),
            row("c", &[]),
        ];
        let drawing = bars("Time", &rows).unwrap();
        let widths: Vec<Option<f64>> = drawing.rows.iter().map(|row| row.bar).collect();
        assert_eq!(widths, [Some(448.0), Some(224.0), None]);
        assert_eq!(drawing.rows[1].label.chars().count(), LABEL + 1);
        assert!(bars("Time", &[row("a", &[0.0])]).is_none());
    }
}
