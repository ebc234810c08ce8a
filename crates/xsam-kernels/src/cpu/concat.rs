//! Rows of two matrices side by side.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::fresh::written;
use super::split::items_per_task;

/// `rows` rows, each made of `widths[0]` elements of `a` and `widths[1]` of `b`.
pub(crate) fn join(a: &[f32], b: &[f32], rows: usize, widths: [usize; 2]) -> Vec<f32> {
    for (data, width) in [a, b].into_iter().zip(widths) {
        assert_eq!(data.len(), rows * width, "a matrix has another shape");
    }
    let width = widths[0] + widths[1];
    // SAFETY: the rows cover the buffer, and both halves of each are written.
    unsafe {
        written(rows * width, |out: &mut [MaybeUninit<f32>]| {
            // No chunk has length zero: empty rows are none, in an empty buffer.
            out.par_chunks_exact_mut(width.max(1))
                .with_min_len(items_per_task(rows, width))
                .enumerate()
                .for_each(|(row, out)| {
                    let (left, right) = out.split_at_mut(widths[0]);
                    left.write_copy_of_slice(&a[row * widths[0]..][..widths[0]]);
                    right.write_copy_of_slice(&b[row * widths[1]..][..widths[1]]);
                });
        })
    }
}

/// The inverse of [`join`].
pub(crate) fn part(joined: &[f32], rows: usize, widths: [usize; 2]) -> (Vec<f32>, Vec<f32>) {
    let width = widths[0] + widths[1];
    assert_eq!(joined.len(), rows * width, "the matrix has another shape");
    let cut = |from: usize, length: usize| {
        // SAFETY: the rows cover the buffer, and each is written whole.
        unsafe {
            written(rows * length, |out: &mut [MaybeUninit<f32>]| {
                out.par_chunks_exact_mut(length.max(1))
                    .with_min_len(items_per_task(rows, length))
                    .enumerate()
                    .for_each(|(row, out)| {
                        out.write_copy_of_slice(&joined[row * width + from..][..length]);
                    });
            })
        }
    };
    (cut(0, widths[0]), cut(widths[0], widths[1]))
}
