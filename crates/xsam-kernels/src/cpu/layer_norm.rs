//! Layer norm of the rows of a matrix.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::map::{map, update};
use super::reduce::{sum, sums};
use super::split::{items_per_task, sum_in_order, written_by_chunks};
use crate::cpu::isa::arch;

/// The output, and what backward needs of each row.
pub(crate) struct Normalised {
    pub(crate) output: Vec<f32>,
    /// `[rows, 2]`: the mean and the inverse of the standard deviation.
    pub(crate) rows: Vec<f32>,
}

/// `weight * (x - mean) / sqrt(variance + epsilon) + bias`, for rows as long as `weight` and `bias`.
pub(crate) fn forward(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f64) -> Normalised {
    let width = weight.len();
    assert_eq!(bias.len(), width, "the bias has another length");
    if x.is_empty() {
        return Normalised {
            output: Vec::new(),
            rows: Vec::new(),
        };
    }
    assert!(x.len().is_multiple_of(width), "the rows are not whole");
    let arch = arch();
    let count = x.len() / width;
    let group = items_per_task(count, width);
    let mut rows = vec![0.0; 2 * count];
    let chunk = group * width;
    let inputs = x.par_chunks(chunk).zip(rows.par_chunks_mut(2 * group));
    // SAFETY: the chunks are whole rows, and `ForwardRows` writes every element of a row.
    let (output, _) = unsafe {
        written_by_chunks(x.len(), chunk, inputs, |output, (x, rows)| {
            arch.dispatch(ForwardRows {
                x,
                weight,
                bias,
                epsilon,
                output,
                rows,
            })
        })
    };
    Normalised { output, rows }
}

struct ForwardRows<'a, 'o> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f64,
    output: &'o mut [MaybeUninit<f32>],
    rows: &'o mut [f32],
}

impl WithSimd for ForwardRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.weight.len();
        let (rows, _) = self.rows.as_chunks_mut::<2>();
        let outputs = self.output.chunks_exact_mut(width);
        for ((x, output), row) in self.x.chunks_exact(width).zip(outputs).zip(rows) {
            row[0] = (sum(simd, x) / width as f64) as f32;
            let mean = simd.splat_f32s(row[0]);
            let [squares] = sums(
                simd,
                [x],
                #[inline(always)]
                |[x], [total]| {
                    let distance = simd.sub_f32s(x, mean);
                    [simd.mul_add_e_f32s(distance, distance, total)]
                },
            );
            row[1] = (1.0 / (squares / width as f64 + self.epsilon).sqrt()) as f32;
            let inverse = simd.splat_f32s(row[1]);
            map(
                simd,
                [x, self.weight, self.bias],
                output,
                #[inline(always)]
                |[x, weight, bias]| {
                    let normal = simd.mul_f32s(simd.sub_f32s(x, mean), inverse);
                    simd.mul_add_e_f32s(normal, weight, bias)
                },
            );
        }
    }
}

/// The gradients of `x`, weight and bias for the `gradient` of the output; `rows` is from [`forward`].
pub(crate) fn backward(gradient: &[f32], x: &[f32], weight: &[f32], rows: &[f32]) -> [Vec<f32>; 3] {
    let width = weight.len();
    assert_eq!(gradient.len(), x.len(), "the gradient has another shape");
    assert_eq!(x.len(), rows.len() / 2 * width, "the rows are not whole");
    if x.is_empty() {
        return [Vec::new(), vec![0.0; width], vec![0.0; width]];
    }
    let arch = arch();
    let group = items_per_task(rows.len() / 2, width);
    let chunk = group * width;
    let inputs = gradient.par_chunks(chunk).zip(x.par_chunks(chunk));
    let inputs = inputs.zip(rows.par_chunks(2 * group));
    // SAFETY: the chunks are whole rows, and `BackwardRows` writes every element of a row.
    let (x, parts) = unsafe {
        written_by_chunks(x.len(), chunk, inputs, |dx, ((gradient, x), rows)| {
            arch.dispatch(BackwardRows {
                gradient,
                x,
                weight,
                rows,
                dx,
            })
        })
    };
    let mut weight = sum_in_order(parts);
    let bias = weight.split_off(width);
    [x, weight, bias]
}

struct BackwardRows<'a, 'o> {
    gradient: &'a [f32],
    x: &'a [f32],
    weight: &'a [f32],
    rows: &'a [f32],
    dx: &'o mut [MaybeUninit<f32>],
}

impl WithSimd for BackwardRows<'_, '_> {
    /// What these rows add to the gradient of the weight, and then of the bias.
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let width = self.weight.len();
        let mut sums_of_rows = vec![0.0; 2 * width];
        let (weight_gradient, bias_gradient) = sums_of_rows.split_at_mut(width);
        // The row as it was normalised, and its gradient: both are used twice.
        let mut normal = vec![0.0; width];
        let mut scaled = vec![0.0; width];
        let (rows, _) = self.rows.as_chunks::<2>();
        for (((gradient, x), dx), &[mean, inverse]) in self
            .gradient
            .chunks_exact(width)
            .zip(self.x.chunks_exact(width))
            .zip(self.dx.chunks_exact_mut(width))
            .zip(rows)
        {
            let (means, inverses) = (simd.splat_f32s(mean), simd.splat_f32s(inverse));
            update(
                simd,
                [x],
                &mut normal,
                #[inline(always)]
                |_, [x]| simd.mul_f32s(simd.sub_f32s(x, means), inverses),
            );
            update(
                simd,
                [gradient, self.weight],
                &mut scaled,
                #[inline(always)]
                |_, [gradient, weight]| simd.mul_f32s(gradient, weight),
            );
            update(
                simd,
                [gradient, &normal],
                weight_gradient,
                #[inline(always)]
                |total, [gradient, normal]| simd.mul_add_e_f32s(gradient, normal, total),
            );
            update(
                simd,
                [gradient],
                bias_gradient,
                #[inline(always)]
                |total, [gradient]| simd.add_f32s(total, gradient),
            );
            let means = sums(
                simd,
                [&scaled, &normal],
                #[inline(always)]
                |[scaled, normal], [level, along]| {
                    [
                        simd.add_f32s(level, scaled),
                        simd.mul_add_e_f32s(scaled, normal, along),
                    ]
                },
            );
            let [level, along] = means.map(|total| simd.splat_f32s((total / width as f64) as f32));
            map(
                simd,
                [&scaled, &normal],
                dx,
                #[inline(always)]
                |[scaled, normal]| {
                    let rest = simd.sub_f32s(scaled, level);
                    let rest = simd.sub_f32s(rest, simd.mul_f32s(normal, along));
                    simd.mul_f32s(rest, inverses)
                },
            );
        }
        sums_of_rows
    }
}
