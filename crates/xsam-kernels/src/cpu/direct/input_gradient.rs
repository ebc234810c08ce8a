//! The gradient of the input.
//!
//! An input whose row and column leave the same remainders, divided by the stride, as another's is
//! reached through the same taps. Such inputs, a phase of the image, are computed together.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::super::product::{Left, PANEL, Segment, panel_width, product};
use super::super::shape::Shape;
use super::super::split::written_by_images;
use super::bordered::Bordered;
use super::packed::{Packed, Side};
use super::{images_at_once, rows_at_once, store};
use crate::cpu::isa::arch_for;

/// Gradient of `x` from that of `y`.
pub(crate) fn input_gradient(shape: &Shape, dy: &[f32], w: &[f32]) -> Vec<f32> {
    let filters = Packed::new(shape, w, Side::Inputs);
    let taps = [0, 1].map(|axis| Taps::of(shape, axis));
    let gradient = (dy, shape.output_image());
    // SAFETY: all rows of all channels of the images are written.
    unsafe {
        written_by_images(shape.batch, shape.input_image(), gradient, |dx, dy| {
            arch_for(shape.channels[0]).dispatch(Images {
                shape,
                filters: &filters,
                taps: &taps,
                dy,
                dx,
            });
        })
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

/// The gradient of some images.
struct Images<'a> {
    shape: &'a Shape,
    filters: &'a Packed,
    /// Along rows and columns.
    taps: &'a [Taps; 2],
    dy: &'a [f32],
    dx: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Images<'_> {
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
        let size = |inside: usize, r: usize, c: usize| {
            [
                (inside - r).div_ceil(stride[0]),
                (columns - c).div_ceil(stride[1]),
            ]
        };
        // Where each phase's gradients are. What has fewer images, or of a single one fewer rows, has
        // the first of these.
        let inside = (group * stride[0]).min(rows);
        let phases: Vec<_> = (0..stride[0].min(inside))
            .flat_map(|r| (0..stride[1].min(columns)).map(move |c| (r, c)))
            .map(|(r, c)| (r, c, gradient.places(together, size(inside, r, c), [1, 1])))
            .collect();
        let images = dx.chunks_mut(together * image);
        for (dx, dy) in images.zip(dy.chunks(together * shape.output_image())) {
            let together = dx.len() / image;
            gradient.fill::<S>(dy);
            for channel in (0..shape.channels[0]).step_by(width) {
                let filters = filters.panel::<S>(channel / width);
                for first in (0..phase_rows).step_by(group) {
                    let top = first * stride[0];
                    let inside = (group * stride[0]).min(rows - top);
                    for (r, c, places) in &phases {
                        let (r, c) = (*r, *c);
                        if r >= inside {
                            break;
                        }
                        let (down, right) = (&taps[0].of[r], &taps[1].of[c]);
                        let size = size(inside, r, c);
                        let count = together * size[0] * size[1];
                        let sums = &mut sums[..count * PANEL];
                        sums.fill(zero);
                        let corner = gradient.at(first + before[0], before[1]);
                        for (kr, below) in down {
                            for (kc, beside) in right {
                                let ahead = below * gradient.row as isize
                                    + beside * gradient.pixel as isize;
                                let depth = gradient.channels;
                                let a = Left {
                                    values: &gradient.values,
                                    rows: &places[..count],
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
                            let row = r + i / size[1] % size[0] * stride[0];
                            let column = c + i % size[1] * stride[1];
                            let image = i / (size[0] * size[1]);
                            let at = ((image * inside + row) * columns + column) * PANEL;
                            pixels[at..at + PANEL].copy_from_slice(sum);
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
