//! Convolutions straight from their definition, of any kernel, stride, padding and dilation, in one
//! group.
//!
//! Channels are innermost inside, with the zero border around the image. Then the inputs of a row of
//! outputs, seen by one tap of the kernel, are a matrix in place, and nothing is gathered. The sum of
//! each tap is made by itself, which leaves the rounding of short sums.

mod bordered;
mod forward;
mod input_gradient;
mod packed;
mod weight_gradient;

use std::mem::MaybeUninit;

use pulp::Simd;

use super::product::panel_width;
use super::transpose::{Stretch, separate};

pub(crate) use forward::forward;
pub(crate) use input_gradient::input_gradient;
pub(crate) use weight_gradient::weight_gradient;

/// Pixels that are dealt with at a time, in whole rows or whole images: what is read of them for a few
/// channels, and what is written of a panel, stays in the nearest cache.
const PIXELS: usize = 256;

fn rows_at_once([rows, columns]: [usize; 2]) -> usize {
    (PIXELS / columns).clamp(1, rows)
}

fn images_at_once([rows, columns]: [usize; 2], images: usize) -> usize {
    (PIXELS / (rows * columns)).clamp(1, images)
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
