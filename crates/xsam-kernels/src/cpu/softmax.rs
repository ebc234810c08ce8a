//! Softmax of the rows of a matrix.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::exp::exp_lanes;
use super::map::{map, update};
use super::reduce::{largest, sum, sums};
use super::split::{items_per_task, written_by_chunks};
use crate::cpu::isa::arch;

/// The softmax of each row of `width` elements.
pub(crate) fn forward(x: &[f32], width: usize) -> Vec<f32> {
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
            arch.dispatch(ForwardRows { x, width, output })
        })
    };
    written.0
}

struct ForwardRows<'a, 'o> {
    x: &'a [f32],
    width: usize,
    output: &'o mut [MaybeUninit<f32>],
}

impl WithSimd for ForwardRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let outputs = self.output.chunks_exact_mut(self.width);
        for (x, output) in self.x.chunks_exact(self.width).zip(outputs) {
            let top = simd.splat_f32s(largest(simd, x));
            map(
                simd,
                [x],
                output,
                #[inline(always)]
                |[x]| exp_lanes(simd, simd.sub_f32s(x, top)),
            );
            // SAFETY: `map` has written the whole row.
            let output = unsafe { output.assume_init_mut() };
            let share = simd.splat_f32s((1.0 / sum(simd, output)) as f32);
            update(
                simd,
                [],
                output,
                #[inline(always)]
                |e, []| simd.mul_f32s(e, share),
            );
        }
    }
}

/// The gradient of `x` for that of the output, from the output.
pub(crate) fn backward(gradient: &[f32], output: &[f32], width: usize) -> Vec<f32> {
    let length = output.len();
    assert_eq!(gradient.len(), length, "the gradient has another shape");
    if output.is_empty() {
        return Vec::new();
    }
    assert!(length.is_multiple_of(width), "the rows are not whole");
    let arch = arch();
    let chunk = width * items_per_task(length / width, width);
    let rows = gradient.par_chunks(chunk).zip(output.par_chunks(chunk));
    // SAFETY: the chunks are whole rows, and `BackwardRows` writes every element of a row.
    let written = unsafe {
        written_by_chunks(output.len(), chunk, rows, |dx, (gradient, output)| {
            arch.dispatch(BackwardRows {
                gradient,
                output,
                width,
                dx,
            })
        })
    };
    written.0
}

/// Rows whose sums are taken before any of them is written.
const TOGETHER: usize = 4;

struct BackwardRows<'a, 'o> {
    gradient: &'a [f32],
    output: &'a [f32],
    width: usize,
    dx: &'o mut [MaybeUninit<f32>],
}

impl WithSimd for BackwardRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Several rows at a time: their sums do not wait for each other, and the rows are still in the
        // cache when the sums are there.
        let stretch = TOGETHER * self.width;
        for ((gradient, output), dx) in self
            .gradient
            .chunks(stretch)
            .zip(self.output.chunks(stretch))
            .zip(self.dx.chunks_mut(stretch))
        {
            let rows = gradient
                .chunks_exact(self.width)
                .zip(output.chunks_exact(self.width));
            let mut levels = [0.0; TOGETHER];
            for (level, (gradient, output)) in levels.iter_mut().zip(rows.clone()) {
                let [total] = sums(
                    simd,
                    [gradient, output],
                    #[inline(always)]
                    |[gradient, output], [total]| [simd.mul_add_e_f32s(gradient, output, total)],
                );
                *level = total as f32;
            }
            let dx = dx.chunks_exact_mut(self.width);
            for ((level, (gradient, output)), dx) in levels.iter().zip(rows).zip(dx) {
                let level = simd.splat_f32s(*level);
                map(
                    simd,
                    [gradient, output],
                    dx,
                    #[inline(always)]
                    |[gradient, output]| simd.mul_f32s(output, simd.sub_f32s(gradient, level)),
                );
            }
        }
    }
}
