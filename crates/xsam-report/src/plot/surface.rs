//! A function on a plane as a surface.

use plotters::prelude::*;

use super::canvas::{Area, Backend, Drawing, Figure, TEXT, font, places};
use super::grid::Grid;
use super::levels::{colour, levels};
use super::{Words, axis, bounds};
use xsam_lab::numbers::short;

/// The surface, seen from above and from the side. What is not finite is at the top.
#[derive(Clone, Debug)]
pub(crate) struct Surface<'a> {
    pub(crate) words: Words<'a>,
    pub(crate) grid: Grid,
    /// What the values are.
    pub(crate) what: &'a str,
}

impl Figure for Surface<'_> {
    fn draw<DB: Backend>(&self, area: &Area<DB>, unit: i32) -> Drawing {
        let grid = &self.grid;
        grid.check()?;
        let finite = grid.finite();
        let [low, high] = bounds(finite.iter().copied());
        let height = axis(low, high, 0.0)?;
        let levels = levels(&finite);
        let (x, z) = (Grid::range(&grid.xs)?, Grid::range(&grid.ys)?);
        // The words' place alone: a surface has no legend, and no names at its axes.
        let axes = format!("{}; to the front: {}", self.words.x, self.words.y);
        let axes = format!("to the right: {axes}; height: {}", self.what);
        let (_, pixels) = area.dim_in_pixel();
        let below = (20 * unit, pixels as i32 - 30 * unit);
        area.draw(&Text::new(axes, below, font(TEXT - 1, unit)))?;
        places(area, self.words, unit)?;
        let (_, plot) = area.split_vertically(66 * unit);
        let (plot, _) = plot.split_vertically(pixels as i32 - 106 * unit);
        let mut chart = ChartBuilder::on(&plot)
            .margin(18 * unit)
            .build_cartesian_3d(x, height, z)?;
        chart.with_projection(|mut view| {
            view.pitch = 0.5;
            view.yaw = 0.6;
            view.scale = 0.82;
            view.into_matrix()
        });
        chart
            .configure_axes()
            .light_grid_style(BLACK.mix(0.08))
            .bold_grid_style(BLACK.mix(0.16))
            .max_light_lines(2)
            .x_labels(5)
            .y_labels(5)
            .z_labels(5)
            .x_formatter(&|x| short(*x))
            .y_formatter(&|y| short(*y))
            .z_formatter(&|z| short(*z))
            .label_style(font(TEXT - 1, unit))
            .draw()?;
        let lifted = |x: f64, z: f64| {
            let at =
                |axis: &[f64], value: f64| axis.partition_point(|v| *v < value).min(axis.len() - 1);
            let value = grid.values[at(&grid.ys, z) * grid.xs.len() + at(&grid.xs, x)];
            // Of what is not finite, the highest too.
            if value.is_finite() { value } else { high }
        };
        let shade = |y: &f64| {
            let band = levels.partition_point(|level| level <= y);
            colour(band, levels.len()).mix(0.92).filled()
        };
        let (xs, zs) = (grid.xs.iter().copied(), grid.ys.iter().copied());
        let surface = SurfaceSeries::xoz(xs, zs, lifted).style_func(&shade);
        chart.draw_series(surface)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::canvas;
    use super::*;

    #[test]
    fn a_surface_is_drawn_whatever_its_values() {
        for f in [
            |x: f64, y: f64| x * x + y * y,
            |_, _| 3.0,
            |x: f64, _| if x > 0.0 { f64::NAN } else { 1e30 * x },
        ] {
            let figure = Surface {
                words: Words::ANY,
                grid: Grid::square((-5..=5).map(f64::from).collect(), f),
                what: "value",
            };
            let text = canvas::svg(&figure).unwrap();
            assert!(text.matches("<polygon").count() >= 100 && !text.contains("NaN"));
        }
    }
}
