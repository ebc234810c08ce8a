//! Bias and activation of a hidden layer in one pass.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::gelu::{gelu, gelu_derivative};
use super::map::{map, update};
use super::split::{items_per_task, sum_in_order, written_by_chunks};
use crate::cpu::isa::arch;

/// What follows the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x` times the probability that a standard normal variable is below `x`.
    Gelu,
    /// The larger of `x` and 0.
    Relu,
}

/// `activation(x + bias)`, for rows as long as `bias`.
pub(crate) fn forward(x: &[f32], bias: &[f32], activation: Activation) -> Vec<f32> {
    let width = bias.len();
    if x.is_empty() {
        return Vec::new();
    }
    assert!(x.len().is_multiple_of(width), "the rows are not whole");
    let arch = arch();
    let chunk = width * items_per_task(x.len() / width, width);
    let rows = x.par_chunks(chunk);
    // SAFETY: the chunks are whole rows, and `ForwardRows` writes every element of a row.
    let written = unsafe {
        written_by_chunks(x.len(), chunk, rows, |output, x| {
            arch.dispatch(ForwardRows {
                x,
                bias,
                activation,
                output,
            })
        })
    };
    written.0
}

struct ForwardRows<'a, 'o> {
    x: &'a [f32],
    bias: &'a [f32],
    activation: Activation,
    output: &'o mut [MaybeUninit<f32>],
}

impl WithSimd for ForwardRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.bias.len();
        let zero = simd.splat_f32s(0.0);
        let outputs = self.output.chunks_exact_mut(width);
        for (x, output) in self.x.chunks_exact(width).zip(outputs) {
            match self.activation {
                Activation::Gelu => map(
                    simd,
                    [x, self.bias],
                    output,
                    #[inline(always)]
                    |[x, bias]| gelu(simd, simd.add_f32s(x, bias)),
                ),
                // A comparison leaves NaN as it is; a maximum would not.
                Activation::Relu => map(
                    simd,
                    [x, self.bias],
                    output,
                    #[inline(always)]
                    |[x, bias]| {
                        let x = simd.add_f32s(x, bias);
                        simd.select_f32s(simd.less_than_f32s(x, zero), zero, x)
                    },
                ),
            };
        }
    }
}

/// The gradients of `x` and of the bias. `kept` is the input for the GELU and the output for the ReLU.
pub(crate) fn backward(
    gradient: &[f32],
    kept: &[f32],
    bias: &[f32],
    activation: Activation,
) -> (Vec<f32>, Vec<f32>) {
    let width = bias.len();
    assert_eq!(gradient.len(), kept.len(), "the gradient has another shape");
    if kept.is_empty() {
        return (Vec::new(), vec![0.0; width]);
    }
    assert!(kept.len().is_multiple_of(width), "the rows are not whole");
    let arch = arch();
    let chunk = width * items_per_task(kept.len() / width, width);
    let rows = gradient.par_chunks(chunk).zip(kept.par_chunks(chunk));
    // SAFETY: the chunks are whole rows, and `BackwardRows` writes every element of a row.
    let (x, parts) = unsafe {
        written_by_chunks(kept.len(), chunk, rows, |dx, (gradient, kept)| {
            arch.dispatch(BackwardRows {
                gradient,
                kept,
                bias,
                activation,
                dx,
            })
        })
    };
    (x, sum_in_order(parts))
}

struct BackwardRows<'a, 'o> {
    gradient: &'a [f32],
    kept: &'a [f32],
    bias: &'a [f32],
    activation: Activation,
    dx: &'o mut [MaybeUninit<f32>],
}

impl WithSimd for BackwardRows<'_, '_> {
    /// What these rows add to the gradient of the bias.
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let width = self.bias.len();
        let zero = simd.splat_f32s(0.0);
        let mut bias_gradient = vec![0.0; width];
        for ((gradient, kept), dx) in self
            .gradient
            .chunks_exact(width)
            .zip(self.kept.chunks_exact(width))
            .zip(self.dx.chunks_exact_mut(width))
        {
            let dx = match self.activation {
                Activation::Gelu => map(
                    simd,
                    [gradient, kept, self.bias],
                    dx,
                    #[inline(always)]
                    |[gradient, x, bias]| {
                        simd.mul_f32s(gradient, gelu_derivative(simd, simd.add_f32s(x, bias)))
                    },
                ),
                Activation::Relu => map(
                    simd,
                    [gradient, kept],
                    dx,
                    #[inline(always)]
                    |[gradient, y]| simd.select_f32s(simd.equal_f32s(y, zero), zero, gradient),
                ),
            };
            update(
                simd,
                [dx],
                &mut bias_gradient,
                #[inline(always)]
                |total, [dx]| simd.add_f32s(total, dx),
            );
        }
        bias_gradient
    }
}
