//! The scores of a block of queries.

use pulp::Simd;

use super::Shape;
use crate::cpu::exp::exp_lanes;
use crate::cpu::map::update;
use crate::cpu::matrix::Matrix;
use crate::cpu::panels::{Panels, Target, product_of_panels};
use crate::cpu::product::panel_width;
use crate::cpu::reduce::{largest, sum, sums};

/// Numbers for each pair of a query of a block and a key.
pub(super) struct Scores {
    values: Vec<f32>,
    /// Elements from one query to the next.
    stride: usize,
}

impl Scores {
    /// How many queries a block has: enough to make use of packed panels, few enough for the scores to
    /// stay in the cache.
    pub(super) fn block(shape: &Shape<'_>) -> usize {
        /// Elements of a block of scores that stays in cache.
        const CACHED: usize = 1 << 14;
        // Behind the diagonal nothing is computed, and short blocks have less of it.
        let most = if shape.causal { 24 } else { 96 };
        (CACHED / shape.keys.max(1) / 12 * 12).clamp(12, most)
    }

    #[inline(always)]
    pub(super) fn new<S: Simd>(shape: &Shape<'_>) -> Self {
        let width = panel_width::<S>();
        // A panel more than needed: rows a power of two apart would share their places in the cache.
        let stride = shape.keys.next_multiple_of(width) + width;
        Self {
            values: vec![0.0; Self::block(shape) * stride],
            stride,
        }
    }

    /// The products of some rows with the first `keys` of the keys in `turned`.
    #[inline(always)]
    pub(super) fn multiply<S: Simd>(
        &mut self,
        simd: S,
        left: Matrix<'_>,
        turned: Panels<'_>,
        keys: usize,
    ) {
        let target = Target {
            values: &mut self.values,
            row: self.stride,
        };
        product_of_panels::<S, false>(simd, left, turned, keys, target);
    }

    /// The first `keys` numbers of a query.
    #[inline(always)]
    pub(super) fn row_mut(&mut self, query: usize, keys: usize) -> &mut [f32] {
        &mut self.values[query * self.stride..][..keys]
    }

    /// The numbers of the first queries and keys.
    #[inline(always)]
    pub(super) fn matrix(&self, queries: usize, keys: usize) -> Matrix<'_> {
        Matrix::new(&self.values, [queries, keys], [self.stride, 1])
    }
}

/// What backward needs of a row: the largest score, and the inverse of the sum of the exponentials of the
/// distances from it. Both are zero if the row sees no key.
pub(super) type RowScale = [f32; 2];

/// The factor of the scores, and what turns them into probabilities.
pub(super) struct Softmax<S: Simd> {
    pub(super) simd: S,
    pub(super) factor: f32,
}

impl<S: Simd> Softmax<S> {
    /// The score times its factor where `open` is zero, else what `open` is: minus infinity.
    #[inline(always)]
    fn scaled(&self, score: S::f32s, open: S::f32s) -> S::f32s {
        let simd = self.simd;
        let scaled = simd.mul_f32s(score, simd.splat_f32s(self.factor));
        let is_open = simd.equal_f32s(open, simd.splat_f32s(0.0));
        simd.select_f32s(is_open, scaled, open)
    }

    /// Turns scores into exponentials; `any` says whether a key is open.
    #[inline(always)]
    pub(super) fn exponentials(&self, row: &mut [f32], open: &[f32], any: bool) -> RowScale {
        let simd = self.simd;
        if !any {
            row.fill(0.0);
            return [0.0; 2];
        }
        update(
            simd,
            [open],
            row,
            #[inline(always)]
            |score, [open]| self.scaled(score, open),
        );
        let top = largest(simd, row);
        let tops = simd.splat_f32s(top);
        update(
            simd,
            [],
            row,
            #[inline(always)]
            |score, []| exp_lanes(simd, simd.sub_f32s(score, tops)),
        );
        [top, (1.0 / sum(simd, row)) as f32]
    }

    /// Turns scores into the probabilities that they were in the forward pass.
    #[inline(always)]
    pub(super) fn probabilities(&self, row: &mut [f32], open: &[f32], [top, share]: RowScale) {
        let simd = self.simd;
        let (tops, shares) = (simd.splat_f32s(top), simd.splat_f32s(share));
        update(
            simd,
            [open],
            row,
            #[inline(always)]
            |score, [open]| {
                let distance = simd.sub_f32s(self.scaled(score, open), tops);
                simd.mul_f32s(exp_lanes(simd, distance), shares)
            },
        );
    }

    /// Turns the gradients of probabilities into those of the scores before their factor.
    #[inline(always)]
    pub(super) fn gradients(&self, row: &mut [f32], probabilities: &[f32]) {
        let simd = self.simd;
        let [level] = sums(
            simd,
            [row, probabilities],
            #[inline(always)]
            |[gradient, probability], [total]| [simd.mul_add_e_f32s(gradient, probability, total)],
        );
        let level = simd.splat_f32s(level as f32);
        let factor = simd.splat_f32s(self.factor);
        update(
            simd,
            [probabilities],
            row,
            #[inline(always)]
            |gradient, [probability]| {
                let gradient = simd.mul_f32s(probability, simd.sub_f32s(gradient, level));
                simd.mul_f32s(gradient, factor)
            },
        );
    }
}
