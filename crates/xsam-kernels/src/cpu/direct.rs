//! Convolutions straight from their definition, of any kernel, stride, padding and dilation, in one
//! group.
//!
//! Channels are innermost inside, with the zero border around the image. Then the inputs of a row of
//! outputs, seen by one tap of the kernel, are a matrix in place, and nothing is gathered. The sum of
//! each tap is made by itself, which leaves the rounding of short sums.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::fresh::written;
use super::product::{Left, PANEL, Segment, panel_width, product};
use super::shape::Shape;
use super::split::{images_per_thread, sum_in_order};
use super::transpose::{Stretch, interleave, separate};

/// Pixels that are dealt with at a time, in whole rows or whole images: what is read of them for a few
/// channels, and what is written of a panel, stays in the nearest cache.
const PIXELS: usize = 256;

/// Numbers between pixels that are read at the same channel one after the other: a line of the cache,
/// lest those of a power of two of channels all fall into the same few sets.
const GAP: usize = 16;

fn rows_at_once([rows, columns]: [usize; 2]) -> usize {
    (PIXELS / columns).clamp(1, rows)
}

fn images_at_once([rows, columns]: [usize; 2], images: usize) -> usize {
    (PIXELS / (rows * columns)).clamp(1, images)
}

/// Images with their zero borders, channels innermost: `[image][row][column][channel]`.
struct Bordered {
    values: Vec<f32>,
    /// Numbers in an image, and in a row.
    image: usize,
    row: usize,
    /// Numbers from a pixel to the next.
    pixel: usize,
    channels: usize,
    /// Rows and columns of an image.
    size: [usize; 2],
    /// Rows and columns before it.
    before: [usize; 2],
}

impl Bordered {
    /// Room for images of that `size` within `[rows, columns]`, after `before` of them.
    fn new(
        images: usize,
        (channels, pixel): (usize, usize),
        size: [usize; 2],
        before: [usize; 2],
        within: [usize; 2],
    ) -> Self {
        let row = within[1] * pixel;
        let image = within[0] * row;
        Self {
            values: vec![0.0; images * image],
            image,
            row,
            pixel,
            channels,
            size,
            before,
        }
    }

    /// Inputs of a convolution, with some numbers between two pixels.
    fn inputs(shape: &Shape, images: usize, gap: usize) -> Self {
        let within = [0, 1].map(|i| shape.size[i] + 2 * shape.padding[i]);
        let channels = shape.channels[0];
        let pixel = (channels, channels + gap);
        Self::new(images, pixel, shape.size, shape.padding, within)
    }

    fn at(&self, row: usize, column: usize) -> usize {
        row * self.row + column * self.pixel
    }

    /// Where the pixels of some rows and columns of each image are, with a stride between two.
    fn places(&self, images: usize, size: [usize; 2], stride: [usize; 2]) -> Vec<usize> {
        let [rows, columns] = size;
        (0..images * rows * columns)
            .map(|p| {
                let (row, column) = (p / columns % rows, p % columns);
                let image = p / (rows * columns) * self.image;
                image + self.at(row * stride[0], column * stride[1])
            })
            .collect()
    }

    /// Takes images `[image, channel, row, column]`; the borders stay zero.
    #[inline(always)]
    fn fill<S: Simd>(&mut self, images: &[f32]) {
        let [rows, columns] = self.size;
        let stretch = Stretch {
            channels: self.channels,
            plane: rows * columns,
            first: 0,
            pixels: rows * columns,
        };
        let corner = self.at(self.before[0], self.before[1]);
        let (row, pixel) = (self.row, self.pixel);
        let images = images.chunks_exact(self.channels * rows * columns);
        for (values, image) in self.values.chunks_exact_mut(self.image).zip(images) {
            interleave::<S>(image, stretch, values, |p| {
                corner + p / columns * row + p % columns * pixel
            });
        }
    }
}

/// Stores pixels `[image][pixel][channel of panel]` of the panel from `channel` on, into the same
/// pixels, from `first` on, of images `[image, channel, pixel]`.
#[inline(always)]
fn store<S: Simd>(
    values: &[S::f32s],
    images: &mut [MaybeUninit<f32>],
    (channels, pixels): (usize, usize),
    channel: usize,
    first: usize,
) {
    let width = panel_width::<S>();
    let count = images.len() / (channels * pixels);
    let values: &[f32] = pulp::bytemuck::cast_slice(values);
    let stretch = Stretch {
        channels: width.min(channels - channel),
        plane: pixels,
        first,
        pixels: values.len() / (count * width),
    };
    let images = images.chunks_exact_mut(channels * pixels);
    for (values, image) in values.chunks_exact(stretch.pixels * width).zip(images) {
        separate::<S>(values, width, &mut image[channel * pixels..], stretch);
    }
}

/// The filters of each panel of the side that is computed, in the order in which they are used:
/// `[panel][row of kernel][column of kernel][channel summed over][channel of panel]`.
struct Packed {
    values: Vec<f32>,
    panel: usize,
}

impl Packed {
    /// From filters `[output, input, rows, columns]`, with panels of outputs, or else of inputs.
    fn new<S: Simd>(shape: &Shape, w: &[f32], of_outputs: bool) -> Self {
        let width = panel_width::<S>();
        let [inputs, outputs] = shape.channels;
        let taps = shape.kernel[0] * shape.kernel[1];
        let (count, depth) = if of_outputs {
            (outputs, inputs)
        } else {
            (inputs, outputs)
        };
        let panel = taps * depth * width;
        let mut values = vec![0.0; count.div_ceil(width) * panel];
        values
            .par_chunks_mut(panel)
            .enumerate()
            .for_each(|(p, out)| {
                Arch::new().dispatch(PackPanel {
                    channels: p * width..count.min((p + 1) * width),
                    inputs,
                    taps,
                    w,
                    of_outputs,
                    out,
                });
            });
        Self { values, panel }
    }

    fn panel<S: Simd>(&self, p: usize) -> &[S::f32s] {
        S::as_simd_f32s(&self.values[p * self.panel..(p + 1) * self.panel]).0
    }
}

/// A panel of [`Packed`].
struct PackPanel<'a> {
    channels: Range<usize>,
    inputs: usize,
    taps: usize,
    w: &'a [f32],
    of_outputs: bool,
    out: &'a mut [f32],
}

impl WithSimd for PackPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (width, taps) = (panel_width::<S>(), self.taps);
        let filters = self.inputs * taps;
        let first = self.channels.start;
        if self.of_outputs {
            let stretch = Stretch {
                channels: self.channels.len(),
                plane: filters,
                first: first * filters,
                pixels: filters,
            };
            interleave::<S>(self.w, stretch, self.out, |p| {
                (p % taps * self.inputs + p / taps) * width
            });
            return;
        }
        let outputs = self.w.len() / filters;
        for o in 0..outputs {
            let stretch = Stretch {
                channels: self.channels.len(),
                plane: taps,
                first: o * filters + first * taps,
                pixels: taps,
            };
            interleave::<S>(self.w, stretch, self.out, |tap| (tap * outputs + o) * width);
        }
    }
}

/// `y = x * w`, with `x` `[batch, input, rows, columns]` and `w` `[output, input, ..]`.
pub(crate) fn forward(shape: &Shape, x: &[f32], w: &[f32]) -> Vec<f32> {
    let images = images_per_thread(shape.batch);
    // SAFETY: every thread writes all rows of all channels of its images.
    unsafe {
        written(shape.batch * shape.output_image(), |y| {
            Arch::new().dispatch(Forward {
                shape,
                w,
                images,
                x,
                y,
            });
        })
    }
}

struct Forward<'a> {
    shape: &'a Shape,
    w: &'a [f32],
    images: usize,
    x: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            shape,
            w,
            images,
            x,
            y,
        } = self;
        let filters = Packed::new::<S>(shape, w, true);
        y.par_chunks_mut(images * shape.output_image())
            .zip(x.par_chunks(images * shape.input_image()))
            .for_each(|(y, x)| {
                Arch::new().dispatch(ForwardImages {
                    shape,
                    filters: &filters,
                    x,
                    y,
                });
            });
    }
}

struct ForwardImages<'a> {
    shape: &'a Shape,
    filters: &'a Packed,
    x: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for ForwardImages<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            shape,
            filters,
            x,
            y,
        } = self;
        let width = panel_width::<S>();
        let [rows, columns] = shape.outputs();
        let (pixels, image) = (rows * columns, shape.output_image());
        let taps = shape.kernel[0] * shape.kernel[1];
        let together = images_at_once([rows, columns], y.len() / image);
        let group = rows_at_once([rows, columns]);
        let mut inputs = Bordered::inputs(shape, together, 0);
        let places = inputs.places(together, [group, columns], shape.stride);
        let mut sums = vec![simd.splat_f32s(0.0); places.len() * PANEL];
        let images = y.chunks_mut(together * image);
        for (y, x) in images.zip(x.chunks(together * shape.input_image())) {
            inputs.fill::<S>(x);
            for channel in (0..shape.channels[1]).step_by(width) {
                let filters = filters.panel::<S>(channel / width);
                for first in (0..rows).step_by(group) {
                    let count = group.min(rows - first) * columns * (y.len() / image);
                    let sums = &mut sums[..count * PANEL];
                    for n in 0..taps {
                        let (kr, kc) = (n % shape.kernel[0], n / shape.kernel[0]);
                        let row = first * shape.stride[0] + kr * shape.dilation[0];
                        let depth = shape.channels[0];
                        let a = Left {
                            values: &inputs.values,
                            rows: &places[..count],
                            step: 1,
                            segments: &[Segment {
                                offset: inputs.at(row, kc * shape.dilation[1]),
                                depth,
                            }],
                        };
                        let tap = kr * shape.kernel[1] + kc;
                        let b = &filters[tap * depth * PANEL..][..depth * PANEL];
                        if n == 0 {
                            product::<S, false>(simd, a, b, sums, PANEL);
                        } else {
                            product::<S, true>(simd, a, b, sums, PANEL);
                        }
                    }
                    let of = (shape.channels[1], pixels);
                    store::<S>(sums, y, of, channel, first * columns);
                }
            }
        }
    }
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

/// Gradient of `x` from that of `y`.
pub(crate) fn input_gradient(shape: &Shape, dy: &[f32], w: &[f32]) -> Vec<f32> {
    let images = images_per_thread(shape.batch);
    // SAFETY: every thread writes all rows of all channels of its images.
    unsafe {
        written(shape.batch * shape.input_image(), |dx| {
            Arch::new().dispatch(InputGradient {
                shape,
                w,
                images,
                dy,
                dx,
            });
        })
    }
}

struct InputGradient<'a> {
    shape: &'a Shape,
    w: &'a [f32],
    images: usize,
    dy: &'a [f32],
    dx: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            shape,
            w,
            images,
            dy,
            dx,
        } = self;
        let filters = Packed::new::<S>(shape, w, false);
        let taps = [0, 1].map(|axis| Taps::of(shape, axis));
        dx.par_chunks_mut(images * shape.input_image())
            .zip(dy.par_chunks(images * shape.output_image()))
            .for_each(|(dx, dy)| {
                Arch::new().dispatch(InputGradientImages {
                    shape,
                    filters: &filters,
                    taps: &taps,
                    dy,
                    dx,
                });
            });
    }
}

/// Along one axis: which taps of the kernel lead from which outputs to an input.
struct Taps {
    /// For inputs whose index leaves that remainder when divided by the stride: each tap, and how far
    /// its output is from the input's index divided by the stride.
    of: Vec<Vec<(usize, isize)>>,
    /// Zeros needed before the outputs and after them.
    before: usize,
    after: usize,
}

impl Taps {
    fn of(shape: &Shape, axis: usize) -> Self {
        let (stride, padding) = (shape.stride[axis] as isize, shape.padding[axis] as isize);
        let of: Vec<Vec<_>> = (0..stride)
            .map(|phase| {
                (0..shape.kernel[axis])
                    .map(|k| (k, phase + padding - (k * shape.dilation[axis]) as isize))
                    .filter(|(_, ahead)| ahead.rem_euclid(stride) == 0)
                    .map(|(k, ahead)| (k, ahead.div_euclid(stride)))
                    .collect()
            })
            .collect();
        let aheads = || of.iter().flatten().map(|(_, ahead)| *ahead);
        let before = aheads().map(|ahead| -ahead).max().unwrap_or(0).max(0);
        let last = (shape.size[axis] as isize - 1) / stride + aheads().max().unwrap_or(0);
        let after = last - (shape.outputs()[axis] as isize - 1);
        Self {
            before: before as usize,
            after: after.max(0) as usize,
            of,
        }
    }
}

struct InputGradientImages<'a> {
    shape: &'a Shape,
    filters: &'a Packed,
    /// Along rows and columns.
    taps: &'a [Taps; 2],
    dy: &'a [f32],
    dx: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for InputGradientImages<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            shape,
            filters,
            taps,
            dy,
            dx,
        } = self;
        let width = panel_width::<S>();
        let [rows, columns] = shape.size;
        let outputs = shape.outputs();
        let before = [taps[0].before, taps[1].before];
        let within = [0, 1].map(|i| before[i] + outputs[i] + taps[i].after);
        let image = shape.input_image();
        let together = images_at_once(shape.size, dx.len() / image);
        let mut gradient = Bordered::new(
            together,
            (shape.channels[1], shape.channels[1]),
            outputs,
            before,
            within,
        );
        let zero = simd.splat_f32s(0.0);
        // A group of rows and columns of a phase, and what they are in the image.
        let stride = shape.stride;
        let phase_rows = rows.div_ceil(stride[0]);
        let group = rows_at_once([phase_rows, columns]);
        let mut sums = vec![zero; together * group * columns.div_ceil(stride[1]) * PANEL];
        let mut pixels = vec![zero; together * group * stride[0] * columns * PANEL];
        let images = dx.chunks_mut(together * image);
        for (dx, dy) in images.zip(dy.chunks(together * shape.output_image())) {
            let together = dx.len() / image;
            gradient.fill::<S>(dy);
            for channel in (0..shape.channels[0]).step_by(width) {
                let filters = filters.panel::<S>(channel / width);
                for first in (0..phase_rows).step_by(group) {
                    let top = first * stride[0];
                    let inside = (group * stride[0]).min(rows - top);
                    for (r, down) in taps[0].of.iter().enumerate().take(inside) {
                        for (c, right) in taps[1].of.iter().enumerate().take(columns) {
                            let phase = [
                                (inside - r).div_ceil(stride[0]),
                                (columns - c).div_ceil(stride[1]),
                            ];
                            let places = gradient.places(together, phase, [1, 1]);
                            let sums = &mut sums[..places.len() * PANEL];
                            sums.fill(zero);
                            let corner = gradient.at(first + before[0], before[1]);
                            for (kr, below) in down {
                                for (kc, beside) in right {
                                    let ahead = below * gradient.row as isize
                                        + beside * gradient.pixel as isize;
                                    let depth = gradient.channels;
                                    let a = Left {
                                        values: &gradient.values,
                                        rows: &places,
                                        step: 1,
                                        segments: &[Segment {
                                            offset: corner.wrapping_add_signed(ahead),
                                            depth,
                                        }],
                                    };
                                    let tap = kr * shape.kernel[1] + kc;
                                    let b = &filters[tap * depth * PANEL..][..depth * PANEL];
                                    product::<S, true>(simd, a, b, sums, PANEL);
                                }
                            }
                            for (i, sum) in sums.as_chunks::<PANEL>().0.iter().enumerate() {
                                let row = r + i / phase[1] % phase[0] * stride[0];
                                let column = c + i % phase[1] * stride[1];
                                let image = i / (phase[0] * phase[1]);
                                let at = ((image * inside + row) * columns + column) * PANEL;
                                pixels[at..at + PANEL].copy_from_slice(sum);
                            }
                        }
                    }
                    let pixels = &pixels[..together * inside * columns * PANEL];
                    let of = (shape.channels[0], rows * columns);
                    store::<S>(pixels, dx, of, channel, top * columns);
                }
            }
        }
    }
}

/// Gradient of `w` from the input and the gradient of `y`.
pub(crate) fn weight_gradient(shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let images = images_per_thread(shape.batch);
    // Each thread sums over its own images; then the sums are added in the order of the images.
    let sums = x
        .par_chunks(images * shape.input_image())
        .zip(dy.par_chunks(images * shape.output_image()))
        .map(|(x, dy)| Arch::new().dispatch(WeightGradient { shape, x, dy }))
        .collect();
    let sums = sum_in_order(sums);
    Arch::new().dispatch(Unpack { shape, sums: &sums })
}

/// Sums over some images: `[panel][row of kernel][column of kernel][input][channel of panel]`.
struct WeightGradient<'a> {
    shape: &'a Shape,
    x: &'a [f32],
    dy: &'a [f32],
}

impl WithSimd for WeightGradient<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { shape, x, dy } = self;
        let width = panel_width::<S>();
        let [rows, columns] = shape.outputs();
        let [inputs, outputs] = shape.channels;
        let taps = shape.kernel[0] * shape.kernel[1];
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
                    interleave::<S>(dy, stretch, gradient, |p| p * width);
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

/// From sums to filters `[output, input, rows, columns]`.
struct Unpack<'a> {
    shape: &'a Shape,
    sums: &'a [f32],
}

impl WithSimd for Unpack<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        let width = panel_width::<S>();
        let [inputs, outputs] = self.shape.channels;
        let taps = self.shape.kernel[0] * self.shape.kernel[1];
        let mut filters = vec![0.0; outputs * inputs * taps];
        filters
            .par_chunks_mut(width * inputs * taps)
            .zip(self.sums.par_chunks(taps * inputs * width))
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
}
