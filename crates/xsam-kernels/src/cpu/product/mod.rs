//! Products of small dense matrices, a panel of columns at a time: the innermost loop of every
//! convolution and linear layer here.

#[cfg(target_arch = "x86_64")]
mod avx512;

use pulp::{Arch, Simd};

use super::isa::lanes;
#[cfg(target_arch = "x86_64")]
use avx512::{Block, QUAD};

/// Vectors across a panel of output channels.
pub(crate) const PANEL: usize = 2;

/// Channels of a panel.
#[inline(always)]
pub(crate) fn panel_width<S: Simd>() -> usize {
    PANEL * S::F32_LANES
}

/// [`panel_width`] of an instruction set: for what is laid out before any kernel runs.
pub(crate) fn panel_width_on(arch: Arch) -> usize {
    PANEL * lanes(arch)
}

/// The left matrix of a product: `a[r, k]` is `values[rows[r] + k * step]`, counted from the offset
/// of the segment, where `k` runs through the segments one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) rows: &'a [usize],
    pub(crate) step: usize,
    pub(crate) segments: &'a [Segment],
}

/// A stretch of the common dimension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// Where it begins in the left matrix.
    pub(crate) offset: usize,
    pub(crate) depth: usize,
}

/// Where the sums of a product go.
pub(crate) trait Sums<S: Simd> {
    /// Takes those of the rows from `first` on.
    fn take<const ROWS: usize>(&mut self, simd: S, first: usize, sums: &[[S::f32s; PANEL]; ROWS]);

    /// Takes those of a block, whose rows begin with `first`.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn take_block<const QUADS: usize>(&mut self, simd: S, first: usize, block: &Block<'_, QUADS>) {
        let mut sums = [[[simd.splat_f32s(0.0); PANEL]; QUAD]; QUADS];
        block.product::<S, false>(sums.as_flattened_mut().as_flattened_mut(), PANEL);
        for (q, sums) in sums.iter().enumerate() {
            self.take(simd, first + q * QUAD, sums);
        }
    }
}

/// `c[r] (+)= sum_k a[r, k] b[k]`, where `b` has [`PANEL`] vectors for each `k`, and `c` as many for
/// each row, with `c_row` vectors from a row to the next.
#[inline(always)]
pub(crate) fn product<S: Simd, const ADD: bool>(
    simd: S,
    a: Left<'_>,
    b: &[S::f32s],
    c: &mut [S::f32s],
    c_row: usize,
) {
    product_into(simd, a, b, &mut Vectors::<S, ADD> { c, c_row });
}

struct Vectors<'a, S: Simd, const ADD: bool> {
    c: &'a mut [S::f32s],
    c_row: usize,
}

impl<S: Simd, const ADD: bool> Sums<S> for Vectors<'_, S, ADD> {
    #[inline(always)]
    fn take<const ROWS: usize>(&mut self, simd: S, first: usize, sums: &[[S::f32s; PANEL]; ROWS]) {
        // By index: over chunks of a length known only at run time the compiler would not unroll, and would
        // keep all sums in memory.
        for (r, sums) in sums.iter().enumerate() {
            let c = &mut self.c[(first + r) * self.c_row..][..PANEL];
            for (sum, c) in sums.iter().zip(c) {
                *c = if ADD { simd.add_f32s(*c, *sum) } else { *sum };
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn take_block<const QUADS: usize>(&mut self, _: S, first: usize, block: &Block<'_, QUADS>) {
        block.product::<S, ADD>(&mut self.c[first * self.c_row..], self.c_row);
    }
}

/// Hands `sum_k a[r, k] b[k]` of every row to `c`, some rows at a time; `b` has [`PANEL`] vectors for each `k`.
#[inline(always)]
pub(crate) fn product_into<S: Simd>(simd: S, mut a: Left<'_>, b: &[S::f32s], c: &mut impl Sums<S>) {
    // As many rows at a time as there are registers for, and never so few that the additions wait for each
    // other if it can be avoided.
    let mut first = 0;
    while !a.rows.is_empty() {
        let rows = match in_registers(simd, a, b, first, c) {
            0 => some_rows(simd, a, b, first, c),
            rows => rows,
        };
        a.rows = &a.rows[rows..];
        first += rows;
    }
}

/// The rows that begin, if vectors are those of AVX-512 and each four of the rows are equally far apart; returns how many.
#[inline(always)]
fn in_registers<S: Simd>(
    simd: S,
    a: Left<'_>,
    b: &[S::f32s],
    first: usize,
    c: &mut impl Sums<S>,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if S::F32_LANES == avx512::LANES {
        let b = pulp::bytemuck::cast_slice(b);
        if let Some(block) = Block::<3>::new(a, b) {
            c.take_block(simd, first, &block);
            return 3 * QUAD;
        }
        if let Some(block) = Block::<2>::new(a, b) {
            c.take_block(simd, first, &block);
            return 2 * QUAD;
        }
        if let Some(block) = Block::<1>::new(a, b) {
            c.take_block(simd, first, &block);
            return QUAD;
        }
    }
    0
}

/// Some of the rows, wherever they are; returns how many.
#[inline(always)]
fn some_rows<S: Simd>(
    simd: S,
    a: Left<'_>,
    b: &[S::f32s],
    first: usize,
    c: &mut impl Sums<S>,
) -> usize {
    let rows = match a.rows.len() {
        // The next ones may be regular.
        4.. if S::F32_LANES >= 16 => 4,
        7 | 8 => 4,
        6.. => 6,
        rest => rest,
    };
    match rows {
        6 => c.take(simd, first, &block::<S, 6>(simd, a, b)),
        5 => c.take(simd, first, &block::<S, 5>(simd, a, b)),
        4 => c.take(simd, first, &block::<S, 4>(simd, a, b)),
        3 => c.take(simd, first, &block::<S, 3>(simd, a, b)),
        2 => c.take(simd, first, &block::<S, 2>(simd, a, b)),
        _ => c.take(simd, first, &block::<S, 1>(simd, a, b)),
    }
    rows
}

#[inline(always)]
fn block<S: Simd, const ROWS: usize>(
    simd: S,
    a: Left<'_>,
    b: &[S::f32s],
) -> [[S::f32s; PANEL]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); PANEL]; ROWS];
    let mut rows = [0; ROWS];
    rows.copy_from_slice(&a.rows[..ROWS]);
    let last = rows.iter().fold(0, |last, row| last.max(*row));
    let mut b = b;
    for segment in a.segments {
        let (now, later) = b.split_at(segment.depth * PANEL);
        b = later;
        if segment.depth == 0 {
            continue;
        }
        // The one check that makes all reads below valid.
        let values = &a.values[segment.offset..];
        assert!(values.len() > last + (segment.depth - 1) * a.step);
        for (k, b) in now.as_chunks::<PANEL>().0.iter().enumerate() {
            for (row, sums) in rows.iter().zip(&mut sums) {
                // SAFETY: k < depth, and the largest such index was checked above.
                let a = simd.splat_f32s(unsafe { *values.get_unchecked(row + k * a.step) });
                for (sum, &b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_f32s(a, b, *sum);
                }
            }
        }
    }
    sums
}
