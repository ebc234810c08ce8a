//! A function on a plane as filled contours.

use contour::ContourBuilder;
use plotters::prelude::*;

use super::canvas::{
    Area, BELOW, Backend, Drawing, Figure, LEFT, Symbol, TEXT, chart, draw_marks, font, legend,
    of_marks, places,
};
use super::grid::Grid;
use super::levels::{colour as band_colour, levels};
use super::{Mark, Words, colour};
use xsam_lab::numbers::short;

/// A line on the plane, with its name.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) label: String,
    pub(crate) colour: usize,
    /// Whether its points are marked by dots.
    pub(crate) dots: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Filled contours, with lines and marks on them. Where a value is not finite it is grey.
#[derive(Clone, Debug)]
pub(crate) struct Contours<'a> {
    pub(crate) words: Words<'a>,
    pub(crate) grid: Grid,
    /// What the values are.
    pub(crate) what: &'a str,
    pub(crate) ways: Vec<Way>,
    pub(crate) marks: Vec<Mark>,
    /// Radius of the disc about the origin beyond which nothing is drawn.
    pub(crate) clip: Option<f64>,
}

/// Where the bar of colours is in the legend: its left end and top, and its width and height, in points.
const BAR: [i32; 4] = [16, 44, 26, 250];

const GREY: RGBColor = RGBColor(160, 160, 160);

impl Figure for Contours<'_> {
    fn draw<DB: Backend>(&self, area: &Area<DB>, unit: i32) -> Drawing {
        self.grid.check()?;
        let levels = levels(&self.grid.finite());
        let (plot, side) = places(area, self.words, unit)?;
        let plot = match self.clip {
            // A disc is round.
            Some(_) => {
                let (width, height) = plot.dim_in_pixel();
                let edge = height.min(width) as i32;
                plot.split_horizontally(edge + (LEFT - BELOW) * unit).0
            }
            None => plot,
        };
        let (xs, ys) = (Grid::range(&self.grid.xs)?, Grid::range(&self.grid.ys)?);
        let (x, y) = ((xs.start, xs.end), (ys.start, ys.end));
        let mut chart = chart(&plot, xs, ys, unit)?;
        let lowest = band_colour(0, levels.len()).filled();
        chart.draw_series([Rectangle::new([(x.0, y.0), (x.1, y.1)], lowest)])?;
        let line = BLACK.mix(0.35).stroke_width(unit as u32);
        for (number, level) in levels.iter().enumerate() {
            let fill = band_colour(number + 1, levels.len()).filled();
            let areas = above(&self.grid, *level)?;
            let filled = areas.iter().map(|a| Polygon::new(outline(a), fill));
            chart.draw_series(filled)?;
            let rings = areas.iter().flatten();
            let stretches = rings.flat_map(|ring| off_the_edge(ring, x, y));
            let lines = stretches.map(|points| PathElement::new(points, line));
            chart.draw_series(lines)?;
        }
        let odd = self.grid.odd_cells();
        let cells = odd.iter().map(|cell| Rectangle::new(*cell, GREY.filled()));
        chart.draw_series(cells)?;
        if let Some(radius) = self.clip {
            let outside = Polygon::new(outside(radius, x, y), WHITE.filled());
            chart.draw_series([outside])?;
        }
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(BLACK.mix(0.6))
            .x_desc(self.words.x)
            .y_desc(self.words.y)
            .x_labels(7)
            .y_labels(7)
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&|y| short(*y))
            .axis_desc_style(font(TEXT, unit))
            .label_style(font(TEXT - 1, unit))
            .draw()?;
        for way in &self.ways {
            let style = colour(way.colour).stroke_width(3 * unit as u32);
            let light = WHITE.mix(0.9).stroke_width(6 * unit as u32);
            for style in [light, style] {
                let line = LineSeries::new(way.points.iter().copied(), style);
                chart.draw_series(line)?;
            }
            if way.dots {
                let dots = way.points.iter();
                let dots = dots.map(|at| Circle::new(*at, 5 * unit, style.color.filled()));
                chart.draw_series(dots)?;
            }
        }
        draw_marks(&plot, &chart, &self.marks, unit)?;
        let below = self.bar(&side, &levels, unit)?;
        let ways = self.ways.iter().map(|way| {
            let colour = colour(way.colour);
            let symbol = if way.dots {
                Symbol::Dots(colour)
            } else {
                Symbol::Line(colour)
            };
            (symbol, way.label.clone())
        });
        let grey = (!odd.is_empty()).then(|| (Symbol::Patch(GREY), "not finite".to_owned()));
        let entries = of_marks(&self.marks).chain(ways).chain(grey);
        legend(&side, below, entries, unit)
    }
}

impl Contours<'_> {
    /// The colours and their levels, and where there is room below them.
    fn bar<DB: Backend>(&self, side: &Area<DB>, levels: &[f64], unit: i32) -> Drawing<i32> {
        let [left, top, width, height] = BAR;
        let at = (left * unit, 12 * unit);
        side.draw(&Text::new(self.what, at, font(TEXT, unit)))?;
        let bands = levels.len() as i32 + 1;
        // From the bottom up.
        let edge = |band: i32| top + height - height * band / bands;
        for band in 0..bands {
            let corners = [
                (left * unit, edge(band + 1) * unit),
                ((left + width) * unit, edge(band) * unit),
            ];
            let fill = band_colour(band as usize, levels.len()).filled();
            side.draw(&Rectangle::new(corners, fill))?;
        }
        // Not more numbers than there is room for.
        let every = (bands * (TEXT + 2)) / height + 1;
        for (band, level) in (1..).zip(levels).filter(|(band, _)| band % every == 0) {
            let at = ((left + width + 8) * unit, (edge(band) - TEXT / 2) * unit);
            let text = Text::new(short(*level), at, font(TEXT - 2, unit));
            side.draw(&text)?;
        }
        Ok(top + height + 22)
    }
}

/// The outer ring of a connected area, and those of its holes.
type Rings = Vec<Vec<(f64, f64)>>;

/// One closed line around an area: the holes are joined to the outer ring by ways there and back.
fn outline(rings: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    let start = rings.first().and_then(|ring| ring.first());
    let closed = rings.iter().flat_map(|ring| ring.iter().chain(start));
    closed.copied().collect()
}

/// Where the function is at least `level`.
fn above(grid: &Grid, level: f64) -> Drawing<Vec<Rings>> {
    // What is not finite is drawn over; until then it is no edge.
    let values: Vec<f64> = grid
        .values
        .iter()
        .map(|v| if v.is_finite() { *v } else { level })
        .collect();
    let builder = ContourBuilder::new(grid.xs.len(), grid.ys.len(), true);
    let contours = builder.contours(&values, &[level])?;
    // A value is taken to be in the middle of a cell.
    let place = |axis: &[f64], at: f64| {
        let at = (at - 0.5).clamp(0.0, (axis.len() - 1) as f64);
        let before = (at.floor() as usize).min(axis.len() - 2);
        let share = at - before as f64;
        axis[before] * (1.0 - share) + axis[before + 1] * share
    };
    let polygons = contours.iter().flat_map(|contour| &contour.geometry().0);
    let areas = polygons.map(|polygon| {
        let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
        let rings = rings.map(|line| {
            let points = line.0.iter();
            let places = points.map(|at| (place(&grid.xs, at.x), place(&grid.ys, at.y)));
            places.collect()
        });
        rings.collect()
    });
    Ok(areas.collect())
}

/// The parts of a ring that do not run along the edge of the plot.
fn off_the_edge(ring: &[(f64, f64)], x: (f64, f64), y: (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let along = |a: (f64, f64), b: (f64, f64)| {
        [x.0, x.1].iter().any(|edge| a.0 == *edge && b.0 == *edge)
            || [y.0, y.1].iter().any(|edge| a.1 == *edge && b.1 == *edge)
    };
    let mut stretches = Vec::new();
    let mut stretch = Vec::new();
    for pair in ring.windows(2) {
        if along(pair[0], pair[1]) {
            stretches.push(std::mem::take(&mut stretch));
            continue;
        }
        if stretch.is_empty() {
            stretch.push(pair[0]);
        }
        stretch.push(pair[1]);
    }
    stretches.push(stretch);
    stretches.retain(|stretch| stretch.len() > 1);
    stretches
}

/// The rectangle without the disc.
fn outside(radius: f64, x: (f64, f64), y: (f64, f64)) -> Vec<(f64, f64)> {
    let mut outline = vec![(x.0, y.0), (x.1, y.0), (x.1, y.1), (x.0, y.1), (x.0, y.0)];
    // The other way round, so that the disc is left out by either rule of filling.
    outline.extend((0..=360).map(|degree| {
        let angle = -f64::from(degree).to_radians() - 0.75 * std::f64::consts::PI;
        (radius * angle.cos(), radius * angle.sin())
    }));
    outline.push((x.0, y.0));
    outline
}

impl Grid {
    /// The rectangles around the values that are not finite.
    fn odd_cells(&self) -> Vec<[(f64, f64); 2]> {
        let halves = |axis: &[f64], i: usize| {
            let middle = |a: usize, b: usize| 0.5 * (axis[a] + axis[b]);
            let from = middle(i.saturating_sub(1), i);
            (from, middle(i, (i + 1).min(axis.len() - 1)))
        };
        let values = self.values.iter().enumerate();
        let odd = values.filter(|(_, value)| !value.is_finite());
        odd.map(|(at, _)| {
            let (x0, x1) = halves(&self.xs, at % self.xs.len());
            let (y0, y1) = halves(&self.ys, at / self.xs.len());
            [(x0, y0), (x1, y1)]
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::f64::consts::PI;

    use image::RgbImage;

    use super::super::canvas;
    use super::*;

    fn grid(n: usize, f: impl Fn(f64, f64) -> f64) -> Grid {
        let axis = (0..n).map(|i| -1.0 + 2.0 * i as f64 / (n - 1) as f64);
        Grid::square(axis.collect(), f)
    }

    /// Twice the signed area, by the shoelace formula: bridges there and back cancel.
    fn area(outline: &[(f64, f64)]) -> f64 {
        let next = outline.iter().cycle().skip(1);
        let pairs = outline.iter().zip(next);
        0.5 * pairs.map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>().abs()
    }

    #[test]
    fn what_is_above_a_level_is_the_square_without_the_disc() {
        let bowl = grid(81, |x, y| x.hypot(y));
        for radius in [0.3, 0.5, 0.8] {
            let areas = above(&bowl, radius).unwrap();
            assert_eq!(areas.len(), 1);
            assert_eq!(areas[0].len(), 2);
            let expected = 4.0 - PI * radius * radius;
            let found = area(&outline(&areas[0]));
            assert!(
                (found - expected).abs() < 0.02 * expected,
                "{found} {expected}"
            );
        }
        let hill = grid(81, |x, y| -x.hypot(y));
        let areas = above(&hill, -0.5).unwrap();
        let found: f64 = areas.iter().map(|a| area(&outline(a))).sum();
        assert!((found - PI * 0.25).abs() < 0.02, "{found}");
    }

    fn picture(figure: &impl Figure) -> RgbImage {
        let bytes = canvas::png(figure).unwrap();
        image::load_from_memory(&bytes).unwrap().into_rgb8()
    }

    fn contours(grid: &Grid, clip: Option<f64>) -> Contours<'static> {
        Contours {
            words: Words::ANY,
            grid: grid.clone(),
            what: "value",
            ways: Vec::new(),
            marks: Vec::new(),
            clip,
        }
    }

    #[test]
    fn every_band_has_its_colour_and_holes_are_open() {
        let bowl = grid(41, |x, y| x.hypot(y));
        let levels = levels(&bowl.finite());
        let count = |picture: &RgbImage, band: usize| {
            let RGBColor(r, g, b) = band_colour(band, levels.len());
            picture.pixels().filter(|p| p.0 == [r, g, b]).count()
        };
        let drawn = picture(&contours(&bowl, None));
        assert_eq!(drawn.dimensions(), (2000, 1360));
        for band in 0..=levels.len() {
            assert!(count(&drawn, band) > 500, "{band}");
        }
        // The lowest band is a disc in the middle, not what is left beside the others; beyond the disc that is cut out
        // there is nothing but the bar of colours.
        let beyond = levels.partition_point(|level| *level <= 1.15);
        let clipped = picture(&contours(&bowl, Some(1.0)));
        assert!(count(&clipped, 0) > 500);
        assert!(2 * count(&clipped, beyond) < count(&drawn, beyond));
    }

    #[test]
    fn values_that_are_not_finite_are_grey_and_say_so() {
        let holed = grid(21, |x, y| if x > 0.5 && y > 0.5 { f64::NAN } else { x + y });
        let text = canvas::svg(&contours(&holed, None)).unwrap();
        assert!(
            text.contains("not finite") && text.contains("#A0A0A0"),
            "{}",
            text.len()
        );
        assert!(!text.contains("NaN"));
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let none = grid(5, |_, _| f64::INFINITY);
        let short = Grid {
            xs: vec![0.0],
            ys: vec![0.0, 1.0],
            values: vec![1.0, 2.0],
        };
        let folded = Grid {
            xs: vec![0.0, 0.0],
            ys: vec![0.0, 1.0],
            values: vec![1.0; 4],
        };
        for grid in [none, short, folded] {
            assert!(canvas::svg(&contours(&grid, None)).is_err());
        }
        let flat = grid(5, |_, _| 2.0);
        assert!(canvas::svg(&contours(&flat, None)).is_ok());
    }
}
