//! The gradients of attention.

use std::iter::repeat;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::pack::{pack, pack_turned};
use super::panels::{Target, product_of_panels};
use super::scores::{Scores, Softmax};
use super::{Heads, OutputRow, Shape, by_head, write_rows};
use crate::cpu::fresh::written;
use crate::cpu::isa::arch;
use crate::cpu::product::panel_width;
use crate::cpu::split::items_per_task;

/// The gradients of query, key and value, `[batch, rows, heads, width]`.
pub(crate) struct Slopes {
    pub(crate) query: Vec<f32>,
    pub(crate) key: Vec<f32>,
    pub(crate) value: Vec<f32>,
}

/// The gradients for the `gradient` of the output, `[batch, heads, queries, width]`; `rows` is from the
/// forward pass.
pub(crate) fn backward(
    shape: &Shape<'_>,
    gradient: Heads<'_>,
    [query, key, value]: [Heads<'_>; 3],
    rows: &[f32],
) -> Slopes {
    let heads = shape.batch * shape.heads;
    assert_eq!(rows.len(), 2 * heads * shape.queries, "two numbers a row");
    let (ours, theirs) = (
        heads * shape.queries * shape.width,
        heads * shape.keys * shape.width,
    );
    if ours == 0 || theirs == 0 {
        return Slopes {
            query: vec![0.0; ours],
            key: vec![0.0; theirs],
            value: vec![0.0; theirs],
        };
    }
    let arch = arch();
    let group = items_per_task(heads, shape.product());
    let (mut key_slope, mut value_slope) = (Vec::new(), Vec::new());
    // SAFETY: `by_head` gives away every element once, and `BackwardHeads` writes every row it is given.
    let query_slope = unsafe {
        written(ours, |dq| {
            key_slope = written(theirs, |dk| {
                value_slope = written(theirs, |dv| {
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
                                query,
                                key,
                                value,
                                first: i * group,
                                rows,
                                slopes: [dq, dk, dv],
                            });
                        });
                });
            });
        })
    };
    Slopes {
        query: query_slope,
        key: key_slope,
        value: value_slope,
    }
}

/// Some heads, from `first` on.
struct BackwardHeads<'a, 'o, 'r> {
    shape: &'a Shape<'a>,
    gradient: Heads<'a>,
    query: Heads<'a>,
    key: Heads<'a>,
    value: Heads<'a>,
    first: usize,
    rows: &'a [f32],
    /// Of query, key and value.
    slopes: [&'o mut [Vec<OutputRow<'r>>]; 3],
}

impl WithSimd for BackwardHeads<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let shape = self.shape;
        let block = Scores::block(shape);
        let wide = shape.width.next_multiple_of(panel_width::<S>());
        let mut likely = Scores::new::<S>(shape);
        let mut slopes = Scores::new::<S>(shape);
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
        let [dq, dk, dv] = self.slopes;
        for (i, (((dq, dk), dv), rows)) in dq
            .iter_mut()
            .zip(dk)
            .zip(dv)
            .zip(rows.chunks_exact(shape.queries))
            .enumerate()
        {
            let head = self.first + i;
            let open = shape.open(head / shape.heads);
            let query = self.query.head(shape, head);
            let gradient = self.gradient.head(shape, head);
            let key = self.key.head(shape, head);
            let value = self.value.head(shape, head);
            let keys = pack::<S>(key, shape.keys, &mut keys);
            let keys_turned = pack_turned::<S>(key, shape.keys, &mut keys_turned);
            let values_turned = pack_turned::<S>(value, shape.keys, &mut values_turned);
            key_sums.fill(0.0);
            value_sums.fill(0.0);
            for (b, (dq, rows)) in dq.chunks_mut(block).zip(rows.chunks(block)).enumerate() {
                let (start, count) = (b * block, rows.len());
                let (query, gradient) = (query.from(start), gradient.from(start));
                let reach = shape.seen(start + count - 1);
                likely.multiply(simd, query, count, keys_turned, reach);
                slopes.multiply(simd, gradient, count, values_turned, reach);
                for (r, &row) in rows.iter().enumerate() {
                    let seen = shape.seen(start + r);
                    let (likely, beyond) = likely.row_mut(r, reach).split_at_mut(seen);
                    softmax.probabilities(likely, &open[..seen], row);
                    beyond.fill(0.0);
                    let (slopes, beyond) = slopes.row_mut(r, reach).split_at_mut(seen);
                    softmax.slopes(slopes, likely);
                    beyond.fill(0.0);
                }
                let queries = pack::<S>(query, count, &mut queries);
                let gradients = pack::<S>(gradient, count, &mut gradients);
                for (left, right, values) in [
                    (&likely, gradients, &mut value_sums),
                    (&slopes, queries, &mut key_sums),
                ] {
                    let (left, size) = (left.over_queries(reach), [count, shape.width]);
                    let target = Target { values, row: wide };
                    product_of_panels::<S, true>(simd, left, right, size, target);
                }
                let (left, size) = (slopes.over_keys(count), [reach, shape.width]);
                let target = Target {
                    values: &mut query_sums,
                    row: wide,
                };
                product_of_panels::<S, false>(simd, left, keys, size, target);
                write_rows(simd, &query_sums, wide, dq, repeat(1.0));
            }
            write_rows(simd, &key_sums, wide, dk, repeat(1.0));
            write_rows(simd, &value_sums, wide, dv, repeat(1.0));
        }
    }
}
