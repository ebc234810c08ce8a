//! The output of attention.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::scores::{Scores, Softmax};
use super::{Heads, OutputRow, Shape, by_head, write_rows};
use crate::cpu::fresh::written;
use crate::cpu::isa::arch;
use crate::cpu::panels::{Panels, Target, product_of_panels};
use crate::cpu::product::panel_width;
use crate::cpu::split::items_per_task;

/// The output, and what backward needs of each row.
pub(crate) struct Attended {
    /// `[batch, queries, heads, width]`.
    pub(crate) output: Vec<f32>,
    /// `[batch, heads, queries, 2]`.
    pub(crate) rows: Vec<f32>,
}

/// Attention of a query to key and value.
pub(crate) fn forward(shape: &Shape<'_>, inputs: [Heads<'_>; 3]) -> Attended {
    let heads = shape.batch * shape.heads;
    let mut rows = vec![0.0; 2 * heads * shape.queries];
    let length = heads * shape.queries * shape.width;
    if length == 0 || shape.keys == 0 {
        return Attended {
            output: vec![0.0; length],
            rows,
        };
    }
    let arch = arch();
    let group = items_per_task(heads, shape.product());
    // SAFETY: `by_head` gives away every element once, and `ForwardHeads` writes every row it is given.
    let output = unsafe {
        written(length, |output| {
            by_head(output, shape, shape.queries)
                .par_chunks_mut(group)
                .zip(rows.par_chunks_mut(2 * group * shape.queries))
                .enumerate()
                .for_each(|(i, (output, rows))| {
                    arch.dispatch(ForwardHeads {
                        shape,
                        inputs,
                        first: i * group,
                        output,
                        rows,
                    });
                });
        })
    };
    Attended { output, rows }
}

/// Some heads, from `first` on.
struct ForwardHeads<'a, 'o, 'r> {
    shape: &'a Shape<'a>,
    /// Query, key and value.
    inputs: [Heads<'a>; 3],
    first: usize,
    output: &'o mut [Vec<OutputRow<'r>>],
    rows: &'o mut [f32],
}

impl WithSimd for ForwardHeads<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (shape, [query, key, value]) = (self.shape, self.inputs);
        let block = Scores::block(shape);
        let mut scores = Scores::new::<S>(shape);
        let softmax = Softmax {
            simd,
            factor: shape.scale,
        };
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        let wide = shape.width.next_multiple_of(panel_width::<S>());
        let mut sums = vec![0.0; block * wide];
        let (rows, _) = self.rows.as_chunks_mut::<2>();
        for (i, (output, rows)) in self
            .output
            .iter_mut()
            .zip(rows.chunks_exact_mut(shape.queries))
            .enumerate()
        {
            let head = self.first + i;
            let open = shape.open(head / shape.heads);
            let first_open = open.iter().position(|open| *open == 0.0);
            let query = query.head(shape, head, shape.queries);
            let key = key.head(shape, head, shape.keys);
            let keys = Panels::new::<S>(key.turned(), &mut keys);
            let value = value.head(shape, head, shape.keys);
            let values = Panels::new::<S>(value, &mut values);
            for (b, (output, rows)) in output
                .chunks_mut(block)
                .zip(rows.chunks_mut(block))
                .enumerate()
            {
                let (start, count) = (b * block, output.len());
                let reach = shape.seen(start + count - 1);
                scores.multiply(simd, query.rows(start, count), keys, reach);
                for (r, row) in rows.iter_mut().enumerate() {
                    let seen = shape.seen(start + r);
                    let any = first_open.is_some_and(|first| first < seen);
                    let (inside, beyond) = scores.row_mut(r, reach).split_at_mut(seen);
                    *row = softmax.exponentials(inside, &open[..seen], any);
                    beyond.fill(0.0);
                }
                let target = Target {
                    values: &mut sums,
                    row: wide,
                };
                let left = scores.matrix(count, reach);
                product_of_panels::<S, false>(simd, left, values, shape.width, target);
                write_rows(simd, &sums, wide, output, rows.iter().map(|row| row[1]));
            }
        }
    }
}
