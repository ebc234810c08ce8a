//! Curves over epochs or over alpha, as a drawing that a template prints.

use std::collections::HashMap;

use serde::Serialize;

use super::axis::{Axis, Tick, tenths};
use super::thin::{PIECES, spread_out, thinned};
use crate::plot::{Line, Point, bounds};
use xsam_lab::numbers::PAGE;

/// Size of the drawing, and the room around the plot in it, in points.
const SIZE: (f64, f64) = (480.0, 290.0);
const LEFT: f64 = 56.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;

/// Width of a letter at an axis, where pages are narrow and letters large.
const LETTER: f64 = 9.0;

/// Curves of up to so many points have a dot at each.
const FEW: usize = 12;

/// How many colours a palette has.
pub(super) const COLOURS: usize = 7;

/// Which colours curves have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    /// Those of the methods.
    Methods,
    /// From early to late. Only the highest point of each curve has a dot.
    Sequence,
}

/// What is to be drawn.
#[derive(Debug)]
pub(super) struct Curves<'a> {
    pub(super) title: &'a str,
    /// Names of the axes; that of y with its unit.
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) lines: Vec<Line>,
    pub(super) palette: Palette,
    /// Where there are values on the axis of x, and what they are called; none if it is one of numbers.
    pub(super) places: Vec<(f64, String)>,
}

/// The drawing, in points.
#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    title: String,
    x: String,
    y: String,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    strokes: Vec<Stroke>,
    hits: Vec<Hit>,
}

/// A curve of the drawing.
#[derive(Debug, Serialize)]
struct Stroke {
    label: String,
    /// Class of its colour.
    colour: String,
    /// Whether it is dashed, as those are whose colour has occurred before.
    dashed: bool,
    band: Option<String>,
    path: String,
    dots: Vec<(f64, f64)>,
}

/// A strip of the plot, and what is told where the pointer is in it.
#[derive(Debug, Serialize)]
struct Hit {
    from: f64,
    width: f64,
    at: f64,
    text: String,
}

impl Curves<'_> {
    /// The drawing; none if there is no finite value.
    pub(super) fn drawing(mut self) -> Option<Drawing> {
        let finite = |p: &Point| [p.x, p.mean, p.low, p.high].iter().all(|v| v.is_finite());
        self.lines
            .iter_mut()
            .for_each(|line| line.points.retain(finite));
        self.lines.retain(|line| !line.points.is_empty());
        let points = || self.lines.iter().flat_map(|line| &line.points);
        points().next()?;

        let (width, height) = SIZE;
        let (right, bottom) = (width - RIGHT, height - BOTTOM);
        let whole = points().all(|point| point.x.fract() == 0.0);
        let named = self.places.iter().map(|(place, _)| *place);
        let x = Axis::between(
            bounds(points().map(|p| p.x).chain(named)),
            whole,
            [LEFT, right],
        );
        let y = bounds(points().flat_map(|p| [p.low, p.high]));
        let y = Axis::around(y, [bottom, TOP]);
        Some(Drawing {
            title: self.title.to_owned(),
            x: self.x.to_owned(),
            y: self.y.to_owned(),
            width,
            height,
            left: LEFT,
            right,
            top: TOP,
            bottom,
            x_ticks: match self.places.is_empty() {
                true => x.ticks(),
                false => self.named_ticks(&x),
            },
            y_ticks: y.ticks(),
            strokes: self
                .lines
                .iter()
                .map(|line| self.stroke(line, &x, &y))
                .collect(),
            hits: self.hits(&x, y.digits() + 1),
        })
    }

    /// A tick at each named place that has room for its label.
    fn named_ticks(&self, axis: &Axis) -> Vec<Tick> {
        let mut ticks: Vec<Tick> = Vec::new();
        let mut end = f64::NEG_INFINITY;
        for (place, label) in &self.places {
            let (at, half) = (axis.at(*place), label.chars().count() as f64 * LETTER / 2.0);
            if at - half > end {
                end = at + half + LETTER;
                let label = label.clone();
                ticks.push(Tick { at, label });
            }
        }
        ticks
    }

    fn stroke(&self, line: &Line, x: &Axis, y: &Axis) -> Stroke {
        let place = |at: f64, value: f64| format!("{} {}", x.at(at), y.at(value));
        let through = |places: Vec<String>| format!("M{}", places.join("L"));
        let points = &thinned(&line.points);
        let band = points.iter().any(|p| p.high > p.low).then(|| {
            let upper = points.iter().map(|p| place(p.x, p.high));
            let lower = points.iter().rev().map(|p| place(p.x, p.low));
            format!("{}Z", through(upper.chain(lower).collect()))
        });
        let highest = points.iter().max_by(|a, b| {
            // Of equals the first, as in a search.
            a.mean.total_cmp(&b.mean).then(b.x.total_cmp(&a.x))
        });
        // That of a method without the field that is swept.
        let is_level = !self.places.is_empty()
            && points.len() > 1
            && points
                .iter()
                .all(|p| p.mean == points[0].mean && p.low == points[0].low);
        let dots: Vec<&Point> = match self.palette {
            _ if is_level => Vec::new(),
            Palette::Sequence => highest.into_iter().collect(),
            Palette::Methods if points.len() <= FEW => points.iter().collect(),
            Palette::Methods => Vec::new(),
        };
        Stroke {
            label: line.label.clone(),
            colour: self.palette.class(line.colour, self.lines.len()),
            dashed: is_level || self.palette == Palette::Methods && line.colour >= COLOURS,
            band,
            path: through(points.iter().map(|p| place(p.x, p.mean)).collect()),
            dots: dots.iter().map(|p| (x.at(p.x), y.at(p.mean))).collect(),
        }
    }

    /// For each x that has a value, or for as many as can be pointed at, a strip that reaches half the way to its
    /// neighbours.
    fn hits(&self, axis: &Axis, digits: usize) -> Vec<Hit> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let mut places: Vec<f64> = points.map(|point| point.x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let places = spread_out(&places, PIECES);
        let found: Vec<HashMap<u64, &Point>> = self.lines.iter().map(by_place).collect();
        let between = |a: f64, b: f64| f64::midpoint(axis.at(a), axis.at(b));
        let strip = |(i, &x): (usize, &f64)| {
            let from = i.checked_sub(1).map(|before| between(places[before], x));
            let to = places.get(i + 1).map(|&after| between(x, after));
            let from = from.unwrap_or(LEFT);
            let to = to.unwrap_or(SIZE.0 - RIGHT);
            let name = self.places.iter().find(|(place, _)| *place == x);
            let name = name.map_or_else(|| x.to_string(), |(_, name)| name.clone());
            let mut text = format!("{} {name}", self.x);
            for (line, found) in self.lines.iter().zip(&found) {
                if let Some(point) = found.get(&place(x)) {
                    let value = |value: f64| PAGE.fixed(value, digits);
                    text.push_str(&format!("\n{}: {}", line.label, value(point.mean)));
                    if point.high > point.low {
                        let (low, high) = (value(point.low), value(point.high));
                        text.push_str(&format!(" ({low} to {high})"));
                    }
                }
            }
            Hit {
                from: tenths(from),
                width: tenths(to - from),
                at: axis.at(x),
                text,
            }
        };
        places.iter().enumerate().map(strip).collect()
    }
}

impl Palette {
    /// Class of the colour of a curve, one of `of`.
    pub(super) fn class(self, number: usize, of: usize) -> String {
        match self {
            Self::Methods => format!("c{}", number % COLOURS),
            Self::Sequence => {
                // As far apart as they can be.
                let last = of.saturating_sub(1).max(1);
                format!("s{}", (number * (COLOURS - 1) + last / 2) / last % COLOURS)
            }
        }
    }
}

/// The points of a line by where they are, of several at one place the first.
fn by_place(line: &Line) -> HashMap<u64, &Point> {
    let points = line.points.iter().rev();
    points.map(|point| (place(point.x), point)).collect()
}

/// Where a point is; the zeros are one place.
fn place(x: f64) -> u64 {
    (x + 0.0).to_bits()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn line(colour: usize, points: &[(f64, f64)]) -> Line {
        Line {
            label: format!("m{colour}"),
            colour,
            points: points.iter().map(|&(x, y)| Point::at(x, y)).collect(),
        }
    }

    fn curves(lines: Vec<Line>) -> Curves<'static> {
        Curves {
            title: "Loss",
            x: "epoch",
            y: "loss",
            lines,
            palette: Palette::Methods,
            places: Vec::new(),
        }
    }

    #[test]
    fn named_places_are_the_ticks_and_a_level_line_is_dashed() {
        let mut over = curves(vec![
            line(0, &[(0.0, 0.7), (1.0, 0.7)]),
            line(1, &[(0.0, 0.8), (0.01, 0.9), (1.0, 0.9)]),
        ]);
        let places = [(0.0, "small"), (0.01, "hidden"), (1.0, "large")];
        over.places = places.map(|(at, name)| (at, name.to_owned())).into();
        over.x = "size";
        let drawing = over.drawing().unwrap();
        let ticks: Vec<&str> = drawing.x_ticks.iter().map(|tick| &*tick.label).collect();
        assert_eq!(ticks, ["small", "large"]);
        assert_eq!(drawing.hits[1].text, "size hidden\nm1: 0.900");
        let strokes = &drawing.strokes;
        assert!(strokes[0].dashed && strokes[0].dots.is_empty());
        assert!(!strokes[1].dashed && strokes[1].dots.len() == 3);
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        assert!(curves(Vec::new()).drawing().is_none());
        assert!(
            curves(vec![line(0, &[(1.0, f64::NAN)])])
                .drawing()
                .is_none()
        );
        let some = [(1.0, 2.0), (2.0, f64::INFINITY), (3.0, 1.0)];
        let drawing = curves(vec![line(0, &some)]).drawing().unwrap();
        assert_eq!(drawing.hits.len(), 2);
        let text = format!("{drawing:?}");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn a_page_does_not_grow_with_very_many_epochs() {
        let points: Vec<(f64, f64)> = (1..=100_000).map(|i| (f64::from(i), 1.0)).collect();
        let lines = vec![line(0, &points), line(1, &points[..50_000])];
        let drawing = curves(lines).drawing().unwrap();
        let last = drawing.hits.last().unwrap();
        assert_eq!(drawing.hits.len(), PIECES);
        assert_eq!(drawing.hits[0].text, "epoch 1\nm0: 1.00\nm1: 1.00");
        assert_eq!(last.text, "epoch 100000\nm0: 1.00");
        assert!((last.from + last.width - (SIZE.0 - RIGHT)).abs() < 0.2);
        let size: usize = drawing.strokes.iter().map(|s| s.path.len()).sum();
        assert!(size < 40_000, "{size}");
    }

    #[test]
    fn hover_tells_all_values_of_an_epoch() {
        let mut second = line(8, &[(2.0, 0.25)]);
        second.points[0].low = 0.125;
        let drawing = curves(vec![line(0, &[(1.0, 1.0), (2.0, 0.5)]), second]);
        let drawing = drawing.drawing().unwrap();
        assert_eq!(drawing.hits[0].text, "epoch 1\nm0: 1.00");
        let text = "epoch 2\nm0: 0.50\nm8: 0.25 (0.12 to 0.25)";
        assert_eq!(drawing.hits[1].text, text);
        // The strips cover the plot.
        let end = drawing.hits[1].from + drawing.hits[1].width;
        assert_eq!((drawing.hits[0].from, end), (LEFT, SIZE.0 - RIGHT));
        // The ninth method has the second colour again, in dashes.
        let strokes = &drawing.strokes;
        assert!(!strokes[0].dashed && strokes[1].dashed);
        assert_eq!((&*strokes[0].colour, &*strokes[1].colour), ("c0", "c1"));
        assert!(strokes[0].band.is_none() && strokes[1].band.is_some());
    }

    #[test]
    fn of_equally_high_points_the_first_is_marked() {
        let mut search = curves(vec![line(0, &[(0.0, 1.0), (1.0, 3.0), (2.0, 3.0)])]);
        search.palette = Palette::Sequence;
        let drawing = search.drawing().unwrap();
        let middle = f64::midpoint(LEFT, SIZE.0 - RIGHT);
        assert_eq!(drawing.strokes[0].dots, [(middle, TOP)]);
    }

    #[test]
    fn a_sequence_uses_its_palette_from_end_to_end() {
        let classes = |of: usize| -> Vec<String> {
            (0..of).map(|i| Palette::Sequence.class(i, of)).collect()
        };
        assert_eq!(classes(1), ["s0"]);
        assert_eq!(classes(2), ["s0", "s6"]);
        assert_eq!(classes(7).join(" "), "s0 s1 s2 s3 s4 s5 s6");
    }
}
