//! The convolution itself.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::super::product::{Left, PANEL, Segment, panel_width, product};
use super::super::shape::Shape;
use super::super::split::written_by_images;
use super::bordered::Bordered;
use super::packed::{Packed, Side};
use super::{images_at_once, rows_at_once, store};
use crate::cpu::isa::arch_for;

/// `y = x * w`, with `x` `[batch, input, rows, columns]` and `w` `[output, input, ..]`.
pub(crate) fn forward(shape: &Shape, x: &[f32], w: &[f32]) -> Vec<f32> {
    let filters = Packed::new(shape, w, Side::Outputs);
    let input = (x, shape.input_image());
    // SAFETY: all rows of all channels of the images are written.
    unsafe {
        written_by_images(shape.batch, shape.output_image(), input, |y, x| {
            arch_for(shape.channels[1]).dispatch(Images {
                shape,
                filters: &filters,
                x,
                y,
            });
        })
    }
}

/// The convolution of some images.
struct Images<'a> {
    shape: &'a Shape,
    filters: &'a Packed,
    x: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Images<'_> {
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
        let taps = shape.taps();
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
