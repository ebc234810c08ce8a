//! A map over two fields: a cell for each combination, the darker the better.

use serde::Serialize;

use super::axis::tenths;
use super::judged::Judged;
use crate::plot::bounds;
use xsam_lab::statistics::Spread;

/// Width of the drawing, and the room to the left of the cells, above and below them, in points.
const WIDTH: f64 = 480.0;
const LEFT: f64 = 72.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;
/// Height of a cell.
const CELL: f64 = 44.0;

/// How much of the colour the worst and the best cell have: text is to be read on both.
const FAINTEST: f64 = 0.05;
const DARKEST: f64 = 0.6;

/// A field along one side.
#[derive(Debug)]
pub(super) struct HeatAxis {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
    /// Whether a best value is chosen for each of its values.
    pub(super) is_condition: bool,
}

/// What is in a cell.
#[derive(Debug)]
pub(super) struct Value {
    /// Which value of the field along each side; none if the method lacks it.
    pub(super) x: Option<usize>,
    pub(super) y: Option<usize>,
    pub(super) spread: Spread,
    pub(super) runs: usize,
    pub(super) is_best: bool,
    /// Mean and deviation in words.
    pub(super) told: String,
    /// How many runs collapsed.
    pub(super) collapsed: usize,
}

#[derive(Debug)]
pub(super) struct Map {
    pub(super) title: String,
    pub(super) cells: Vec<Value>,
}

/// The drawing, in points.
#[derive(Debug, Serialize)]
pub(super) struct HeatDrawing {
    title: String,
    x: String,
    y: String,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    bottom: f64,
    x_labels: Vec<(f64, String)>,
    y_labels: Vec<(f64, String)>,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Cell {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    opacity: f64,
    text: String,
    /// Class of its frame; empty without one.
    frame: &'static str,
    told: String,
}

/// The maps of methods, with the same colour for the same score.
pub(super) fn drawings(maps: Vec<Map>, axes: [HeatAxis; 2], score: &Judged) -> Vec<HeatDrawing> {
    let means = maps.iter().flat_map(|map| &map.cells);
    let range = bounds(means.map(|cell| score.sign() * cell.spread.mean));
    let maps = maps.into_iter().filter(|map| !map.cells.is_empty());
    maps.map(|map| drawing(map, &axes, range, score)).collect()
}

/// Whether two cells touch, and the one is chosen against the other.
fn are_neighbours(a: &Value, b: &Value, [x, y]: &[HeatAxis; 2]) -> bool {
    let near = |a: Option<usize>, b: Option<usize>, axis: &HeatAxis| {
        let distance = a.zip(b).map_or(0, |(a, b)| a.abs_diff(b));
        distance <= usize::from(!axis.is_condition)
    };
    near(a.x, b.x, x) && near(a.y, b.y, y)
}

/// Whether a cell is within a standard error of the best one.
fn is_level(cell: &Value, best: &Value, sign: f64) -> bool {
    let error = best.spread.deviation / (best.runs.max(1) as f64).sqrt();
    sign * (best.spread.mean - cell.spread.mean) <= error
}

fn drawing(map: Map, axes: &[HeatAxis; 2], range: [f64; 2], score: &Judged) -> HeatDrawing {
    let Map { title, cells } = map;
    let [x, y] = axes;
    let has_x = cells.iter().any(|cell| cell.x.is_some());
    let has_y = cells.iter().any(|cell| cell.y.is_some());
    let columns = if has_x { x.labels.len() } else { 1 };
    let rows = if has_y { y.labels.len() } else { 1 };
    let width = (WIDTH - LEFT) / columns as f64;
    let bottom = TOP + rows as f64 * CELL;
    // The lowest value is at the bottom, as on any axis.
    let left = |i: usize| LEFT + i as f64 * width;
    let top = |i: usize| bottom - (i + 1) as f64 * CELL;
    let [low, high] = range.map(|end| end);
    let best: Vec<&Value> = cells.iter().filter(|cell| cell.is_best).collect();
    let drawn = cells.iter().map(|cell| {
        let share = match high > low {
            true => (score.sign() * cell.spread.mean - low) / (high - low),
            false => 1.0,
        };
        let is_near = || {
            let mut best = best.iter();
            best.any(|best| are_neighbours(cell, best, axes) && is_level(cell, best, score.sign()))
        };
        let frame = match cell.is_best {
            true => "best",
            false if is_near() => "near",
            false => "",
        };
        let at = |axis: &HeatAxis, i: Option<usize>| {
            i.map(|i| format!("{} {}", axis.name, axis.labels[i]))
        };
        let at: Vec<String> = [at(x, cell.x), at(y, cell.y)]
            .into_iter()
            .flatten()
            .collect();
        let collapsed = match cell.collapsed {
            0 => String::new(),
            n => format!("\n{n} of {} runs collapsed", cell.runs),
        };
        Cell {
            x: tenths(left(cell.x.unwrap_or_default())),
            y: tenths(top(cell.y.unwrap_or_default())),
            width: tenths(width),
            height: CELL,
            opacity: (100.0 * (FAINTEST + share * (DARKEST - FAINTEST))).round() / 100.0,
            text: score.fixed(Some(cell.spread.mean)),
            frame,
            told: format!("{}\n{}{collapsed}", at.join(", "), cell.told),
        }
    });
    let labels = |has: bool, axis: &HeatAxis, middle: &dyn Fn(usize) -> f64| match has {
        true => {
            let labels = axis.labels.iter().enumerate();
            labels
                .map(|(i, label)| (tenths(middle(i)), label.clone()))
                .collect()
        }
        false => Vec::new(),
    };
    HeatDrawing {
        title,
        x: if has_x { x.name.clone() } else { String::new() },
        y: if has_y { y.name.clone() } else { String::new() },
        width: WIDTH,
        height: bottom + BOTTOM,
        left: LEFT,
        right: WIDTH,
        bottom,
        x_labels: labels(has_x, x, &|i| left(i) + width / 2.0),
        y_labels: labels(has_y, y, &|i| top(i) + CELL / 2.0),
        // Frames lie above the cells beside them.
        cells: {
            let mut drawn: Vec<Cell> = drawn.collect();
            drawn.sort_by_key(|cell| match cell.frame {
                "" => 0,
                "near" => 1,
                _ => 2,
            });
            drawn
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use xsam_lab::Score;

    fn axis(name: &str, count: usize, is_condition: bool) -> HeatAxis {
        HeatAxis {
            name: name.to_owned(),
            labels: (0..count).map(|i| i.to_string()).collect(),
            is_condition,
        }
    }

    fn value(x: usize, y: usize, mean: f64, is_best: bool) -> Value {
        Value {
            x: Some(x),
            y: Some(y),
            spread: Spread {
                mean,
                deviation: 2.0,
            },
            runs: 4,
            is_best,
            told: format!("{mean}"),
            collapsed: 0,
        }
    }

    fn frames(is_condition: bool) -> Vec<(f64, f64, &'static str)> {
        // The standard error is 1.
        let cells = vec![
            value(0, 0, 90.0, true),
            value(1, 0, 89.2, false),
            value(1, 1, 88.0, false),
            value(0, 1, 89.1, false),
            value(2, 1, 89.9, false),
        ];
        let map = Map {
            title: "m".to_owned(),
            cells,
        };
        let axes = [axis("rho", 3, false), axis("k", 2, is_condition)];
        let score = Judged::by(&[Score::percent("accuracy", "")]);
        let drawing = drawings(vec![map], axes, &score).pop().unwrap();
        assert_eq!(drawing.cells.len(), 5);
        let worst = drawing
            .cells
            .iter()
            .find(|cell| cell.text == "88.0")
            .unwrap();
        let best = drawing.cells.last().unwrap();
        assert_eq!(
            (best.frame, best.opacity, worst.opacity),
            ("best", DARKEST, FAINTEST)
        );
        assert!(best.y > worst.y, "the lowest value is at the bottom");
        let framed = drawing.cells.iter().filter(|cell| !cell.frame.is_empty());
        framed.map(|cell| (cell.x, cell.y, cell.frame)).collect()
    }

    #[test]
    fn neighbours_within_a_standard_error_are_framed() {
        let (low, high) = (TOP + CELL, TOP);
        let (left, next) = (LEFT, LEFT + 136.0);
        // The one that is nearly as good is no neighbour.
        let expected = [
            (next, low, "near"),
            (left, high, "near"),
            (left, low, "best"),
        ];
        assert_eq!(frames(false), expected);
        // Under another condition another one is chosen.
        assert_eq!(frames(true), [(next, low, "near"), (left, low, "best")]);
    }

    #[test]
    fn a_method_without_a_field_has_one_row() {
        let mut alone = value(1, 0, 50.0, true);
        alone.y = None;
        let map = Map {
            title: String::new(),
            cells: vec![alone],
        };
        let empty = Map {
            title: String::new(),
            cells: Vec::new(),
        };
        let axes = [axis("rho", 3, false), axis("rho_max", 2, false)];
        let score = Judged::by(&[Score::percent("accuracy", "")]);
        let drawings = drawings(vec![map, empty], axes, &score);
        let [drawing] = &drawings[..] else {
            panic!("{drawings:?}")
        };
        assert_eq!(drawing.height, TOP + CELL + BOTTOM);
        assert_eq!((drawing.x_labels.len(), drawing.y_labels.len()), (3, 0));
        assert_eq!(drawing.cells[0].told, "rho 1\n50");
    }
}
