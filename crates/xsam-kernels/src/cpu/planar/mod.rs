//! Convolutions of few channels, straight from their definition, along the pixels of planes.
//!
//! With few channels there is too little to compute for each number to turn images over, as the other kernels do. Here planes
//! stay planes: a vector holds neighbouring outputs of one channel, and one weight at a time is multiplied with the inputs
//! that they see through one tap of the kernel.

mod forward;
mod planes;
mod weight_gradient;

use pulp::Simd;

use super::isa::{arch, lanes};
use super::shape::{Direction, Shape};

pub(crate) use forward::{forward, input_gradient};
pub(crate) use weight_gradient::weight_gradient;

/// Whether this is the fastest way for a convolution of stride 1, in one group: as measured, with pairs of channels up to the
/// square of a vector. With more of them Winograd's saving, or sums over channels in registers, weigh more.
pub(crate) fn suits(shape: &Shape) -> bool {
    let [rows, columns] = shape.outputs();
    let [inputs, outputs] = shape.channels;
    let reach = [0, 1].map(|i| shape.dilation[i] * (shape.kernel[i] - 1));
    let lanes = lanes(arch());
    shape.stride == [1, 1]
        && !shape.dilation.contains(&0)
        && inputs * outputs <= lanes * lanes
        && rows * columns >= lanes
        && shape.padding[0] <= reach[0]
        && shape.padding[1] <= reach[1]
}

/// Whether this is the fastest way for a product of the channels of each pixel: with wide vectors, and planes of whole ones.
pub(crate) fn suits_product(shape: &Shape) -> bool {
    let pixels = shape.size[0] * shape.size[1];
    let lanes = lanes(arch());
    lanes >= 16 && pixels.is_multiple_of(lanes)
}

/// A vector that begins with `values[at]`.
///
/// # Safety
/// `values` has a whole vector there.
#[inline(always)]
unsafe fn load<S: Simd>(values: &[f32], at: usize) -> S::f32s {
    debug_assert!(at + S::F32_LANES <= values.len());
    // SAFETY: the caller vouches for it.
    unsafe { values.as_ptr().add(at).cast::<S::f32s>().read_unaligned() }
}
