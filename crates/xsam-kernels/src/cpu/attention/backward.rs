//! The gradients of attention.

use std::iter::repeat;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::scores::{Scores, Softmax};
use super::{Heads, OutputRow, Shape, by_head, write_rows};
use crate::cpu::fresh::written;
use crate::cpu::isa::arch;
use crate::cpu::panels::{Panels, Target, product_of_panels};
use crate::cpu::product::panel_width;
use crate::cpu::split::items_per_task;

/// The gradients of query, key and value, `[batch, rows, heads, width]`, for the `gradient` of the output,
/// `[batch, heads, queries, width]`; `rows` is from the forward pass.
pub(crate) fn backward(
    shape: &Shape<'_>,
    gradient: Heads<'_>,
    inputs: [Heads<'_>; 3],
    rows: &[f32],
) -> [Vec<f32>; 3] {
    let heads = shape.batch * shape.heads;
    assert_eq!(rows.len(), 2 * heads * shape.queries, "two numbers a row");
    let (ours, theirs) = (
        heads * shape.queries * shape.width,
        heads * shape.keys * shape.width,
    );
    if ours == 0 || theirs == 0 {
        return [ours, theirs, theirs].map(|length| vec![0.0; length]);
    }
    let arch = arch();
    let group = items_per_task(heads, shape.product());
    let (mut key_gradient, mut value_gradient) = (Vec::new(), Vec::new());
    // SAFETY: `by_head` gives away every element once, and `BackwardHeads` writes every row it is given.
    let query_gradient = unsafe {
        written(ours, |dq| {
            key_gradient = written(theirs, |dk| {
                value_gradient = written(theirs, |dv| {
                    by_head(dq, shape, shape.queries)
                        .par_chunks_mut(group)
                        .zip(by_head(dk, shape, shape.keys).par_chunks_mut(group))
                        .zip(by_head(dv, shape, shape.keys).par_chunks_mut(group))
                        .zip(rows.par_chunks(2 * group * shape.queries))
                        .enumerate()
                        .for_each(|(i, (((dq, dk), dv), rows))| {
                            arch.dispatch(BackwardHeads {
                                shape,
                                gradient,
                                inputs,
                                first: i * group,
                                rows,
                                gradients: [dq, dk, dv],
                            });
                        });
                });
            });
        })
    };
    [query_gradient, key_gradient, value_gradient]
}

/// Some heads, from `first` on.
struct BackwardHeads<'a, 'o, 'r> {
    shape: &'a Shape<'a>,
    gradient: Heads<'a>,
    /// Query, key and value.
    inputs: [Heads<'a>; 3],
    first: usize,
    rows: &'a [f32],
    /// Of query, key and value.
    gradients: [&'o mut [Vec<OutputRow<'r>>]; 3],
}

impl WithSimd for BackwardHeads<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (shape, [query, key, value]) = (self.shape, self.inputs);
        let block = Scores::block(shape);
        let wide = shape.width.next_multiple_of(panel_width::<S>());
        let mut likely = Scores::new::<S>(shape);
        let mut changes = Scores::new::<S>(shape);
        let [mut keys, mut keys_turned, mut values_turned] = [const { Vec::new() }; 3];
        let [mut queries, mut gradients] = [const { Vec::new() }; 2];
        let mut query_sums = vec![0.0; block * wide];
        let mut key_sums = vec![0.0; shape.keys * wide];
        let mut value_sums = vec![0.0; shape.keys * wide];
        let softmax = Softmax {
            simd,
            factor: shape.scale,
        };
        let (rows, _) = self.rows.as_chunks::<2>();
        let [dq, dk, dv] = self.gradients;
        for (i, (((dq, dk), dv), rows)) in dq
            .iter_mut()
            .zip(dk)
            .zip(dv)
            .zip(rows.chunks_exact(shape.queries))
            .enumerate()
        {
            let head = self.first + i;
            let open = shape.open(head / shape.heads);
            let query = query.head(shape, head, shape.queries);
            let gradient = self.gradient.head(shape, head, shape.queries);
            let key = key.head(shape, head, shape.keys);
            let value = value.head(shape, head, shape.keys);
            let keys = Panels::new::<S>(key, &mut keys);
            let keys_turned = Panels::new::<S>(key.turned(), &mut keys_turned);
            let values_turned = Panels::new::<S>(value.turned(), &mut values_turned);
            key_sums.fill(0.0);
            value_sums.fill(0.0);
            for (b, (dq, rows)) in dq.chunks_mut(block).zip(rows.chunks(block)).enumerate() {
                let (start, count) = (b * block, rows.len());
                let (query, gradient) = (query.rows(start, count), gradient.rows(start, count));
                let reach = shape.seen(start + count - 1);
                likely.multiply(simd, query, keys_turned, reach);
                changes.multiply(simd, gradient, values_turned, reach);
                for (r, &row) in rows.iter().enumerate() {
                    let seen = shape.seen(start + r);
                    let (likely, beyond) = likely.row_mut(r, reach).split_at_mut(seen);
                    softmax.probabilities(likely, &open[..seen], row);
                    beyond.fill(0.0);
                    let (changes, beyond) = changes.row_mut(r, reach).split_at_mut(seen);
                    softmax.gradients(changes, likely);
                    beyond.fill(0.0);
                }
                let queries = Panels::new::<S>(query, &mut queries);
                let gradients = Panels::new::<S>(gradient, &mut gradients);
                for (left, right, values) in [
                    (&likely, gradients, &mut value_sums),
                    (&changes, queries, &mut key_sums),
                ] {
                    let left = left.matrix(count, reach).turned();
                    let target = Target { values, row: wide };
                    product_of_panels::<S, true>(simd, left, right, shape.width, target);
                }
                let left = changes.matrix(count, reach);
                let target = Target {
                    values: &mut query_sums,
                    row: wide,
                };
                product_of_panels::<S, false>(simd, left, keys, shape.width, target);
                write_rows(simd, &query_sums, wide, dq, repeat(1.0));
            }
            write_rows(simd, &key_sums, wide, dk, repeat(1.0));
            write_rows(simd, &value_sums, wide, dv, repeat(1.0));
        }
    }
}
