//! The gradient of the filters.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::super::product::{Left, PANEL, Segment, panel_width, panel_width_on, product};
use super::super::shape::Shape;
use super::super::split::sum_over_images;
use super::super::transpose::{Places, Stretch, interleave};
use super::bordered::Bordered;
use super::{images_at_once, rows_at_once};
use crate::cpu::isa::arch_for;

/// Numbers between pixels that are read at the same channel one after the other: a line of the cache,
/// lest those of a power of two of channels all fall into the same few sets.
const GAP: usize = 16;

/// Gradient of `w` from the input and the gradient of `y`.
pub(crate) fn weight_gradient(shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let arch = arch_for(shape.channels[1]);
    let (x, dy) = ((x, shape.input_image()), (dy, shape.output_image()));
    let sums = sum_over_images(shape.batch, x, dy, |x, dy| {
        arch.dispatch(Products { shape, x, dy })
    });
    filters(shape, panel_width_on(arch), &sums)
}

/// From sums of panels of that width to filters `[output, input, rows, columns]`.
fn filters(shape: &Shape, width: usize, sums: &[f32]) -> Vec<f32> {
    let ([inputs, outputs], taps) = (shape.channels, shape.taps());
    let mut filters = vec![0.0; outputs * inputs * taps];
    filters
        .par_chunks_mut(width * inputs * taps)
        .zip(sums.par_chunks(taps * inputs * width))
        .for_each(|(filters, panel)| {
            for (c, filters) in filters.chunks_exact_mut(inputs * taps).enumerate() {
                for (i, filter) in filters.chunks_exact_mut(taps).enumerate() {
                    for (tap, w) in filter.iter_mut().enumerate() {
                        *w = panel[(tap * inputs + i) * width + c];
                    }
                }
            }
        });
    filters
}

/// Neighbouring taps of a row of the kernel, whose inputs lie side by side: a whole row, or single
/// taps if it is dilated.
#[derive(Clone, Copy)]
struct Runs {
    row: usize,
    column: usize,
    columns: usize,
}

impl Runs {
    fn of(shape: &Shape) -> impl Iterator<Item = Self> + use<> {
        let [rows, columns] = shape.kernel;
        let run = if shape.dilation[1] == 1 { columns } else { 1 };
        (0..rows).flat_map(move |row| {
            (0..columns).step_by(run).map(move |column| Self {
                row,
                column,
                columns: run,
            })
        })
    }
}

/// Sums over some images: `[panel][row of kernel][column of kernel][input][channel of panel]`.
struct Products<'a> {
    shape: &'a Shape,
    x: &'a [f32],
    dy: &'a [f32],
}

impl WithSimd for Products<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { shape, x, dy } = self;
        let width = panel_width::<S>();
        let [rows, columns] = shape.outputs();
        let [inputs, outputs] = shape.channels;
        let taps = shape.taps();
        let panel = taps * inputs * width;
        let mut sums = vec![0.0; outputs.div_ceil(width) * panel];
        let image = shape.output_image();
        let together = images_at_once([rows, columns], dy.len() / image);
        let mut bordered = Bordered::inputs(shape, together, GAP);
        let mut gradient = vec![0.0; together * rows * columns * width];
        let mut segments = Vec::with_capacity(together * rows);
        let side_by_side: Vec<_> = (0..shape.kernel[1])
            .flat_map(|column| (0..inputs).map(move |i| (column, i)))
            .map(|(column, i)| bordered.at(0, column) + i)
            .collect();
        let group = rows_at_once([rows, columns]) * together;
        let images = x.chunks(together * shape.input_image());
        for (x, dy) in images.zip(dy.chunks(together * image)) {
            bordered.fill::<S>(x);
            for (p, sums) in sums.chunks_exact_mut(panel).enumerate() {
                let stretch = Stretch {
                    channels: width.min(outputs - p * width),
                    plane: rows * columns,
                    first: p * width * rows * columns,
                    pixels: rows * columns,
                };
                let pixels = rows * columns * width;
                let planes = dy.chunks_exact(image);
                for (gradient, dy) in gradient.chunks_exact_mut(pixels).zip(planes) {
                    // What the last panel has beyond the last channel is never looked at.
                    interleave::<S>(dy, stretch, gradient, Places::row(0, width as isize));
                }
                let (gradient, _) = S::as_simd_f32s(&gradient[..dy.len() / image * pixels]);
                let (sums, _) = S::as_mut_simd_f32s(sums);
                for (g, gradient) in gradient.chunks(group * columns * PANEL).enumerate() {
                    for runs in Runs::of(shape) {
                        segments.clear();
                        segments.extend((0..gradient.len() / (columns * PANEL)).map(|r| {
                            let (n, r) = ((g * group + r) / rows, (g * group + r) % rows);
                            let row = r * shape.stride[0] + runs.row * shape.dilation[0];
                            let column = runs.column * shape.dilation[1];
                            Segment {
                                offset: n * bordered.image + bordered.at(row, column),
                                depth: columns,
                            }
                        }));
                        let a = Left {
                            values: &bordered.values,
                            rows: &side_by_side[..runs.columns * inputs],
                            step: shape.stride[1] * bordered.pixel,
                            segments: &segments,
                        };
                        let tap = runs.row * shape.kernel[1] + runs.column;
                        let count = runs.columns * inputs * PANEL;
                        let sums = &mut sums[tap * inputs * PANEL..][..count];
                        product::<S, true>(simd, a, gradient, sums, PANEL);
                    }
                }
            }
        }
        sums
    }
}
