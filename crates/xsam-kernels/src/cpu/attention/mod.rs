//! Attention, one head at a time.
//!
//! The probabilities of a block of queries are made, used and forgotten while they are in the cache;
//! backward makes them again from the scores and two numbers a row, as in FlashAttention (arXiv
//! 2205.14135). Unlike there a row of scores is whole, so that its maximum is known when it is needed.

mod backward;
mod forward;
mod scores;

pub(crate) use backward::backward;
pub(crate) use forward::forward;

use std::mem::MaybeUninit;

use pulp::Simd;

use super::map::map;
use super::matrix::Matrix;

/// Sizes, and which scores count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    pub(crate) batch: usize,
    pub(crate) heads: usize,
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    pub(crate) width: usize,
    /// `[batch, keys]`: not zero where nothing may attend to the key.
    pub(crate) mask: Option<&'a [u8]>,
    /// Whether the last query sees all keys, and each one before it a key less than the next.
    pub(crate) causal: bool,
    /// The factor of the scores.
    pub(crate) scale: f32,
}

impl Shape<'_> {
    /// How many keys, from the first on, `query` may see.
    fn seen(&self, query: usize) -> usize {
        if self.causal {
            (query + 1 + self.keys).saturating_sub(self.queries)
        } else {
            self.keys
        }
    }

    /// A vector of zero for each key that may be attended to and minus infinity for the others.
    fn open(&self, batch: usize) -> Vec<f32> {
        let value = |blocked: &u8| {
            if *blocked == 0 {
                0.0
            } else {
                f32::NEG_INFINITY
            }
        };
        match self.mask {
            Some(mask) => {
                let mask = &mask[batch * self.keys..(batch + 1) * self.keys];
                mask.iter().map(value).collect()
            }
            None => vec![0.0; self.keys],
        }
    }

    /// Multiplications of a product of all queries and keys of a head.
    fn product(&self) -> usize {
        self.queries * self.keys * self.width
    }
}

/// A tensor `[batch, heads, rows, width]`, dense along its last dimension alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads<'a> {
    pub(crate) values: &'a [f32],
    /// Elements from one batch, head and row to the next.
    pub(crate) strides: [usize; 3],
}

impl<'a> Heads<'a> {
    /// The rows of one head.
    fn head(&self, shape: &Shape<'_>, index: usize, rows: usize) -> Matrix<'a> {
        let (batch, head) = (index / shape.heads, index % shape.heads);
        let values = &self.values[batch * self.strides[0] + head * self.strides[1]..];
        Matrix::new(values, [rows, shape.width], [self.strides[2], 1])
    }
}

/// One row of an output, to be written.
type OutputRow<'a> = &'a mut [MaybeUninit<f32>];

/// The rows of each head of an output `[batch, rows, heads, width]`.
///
/// That order is the one in which the heads were cut from a projection and in which the next one wants
/// them, so that neither has to be copied.
fn by_head<'a>(
    output: &'a mut [MaybeUninit<f32>],
    shape: &Shape<'_>,
    rows: usize,
) -> Vec<Vec<OutputRow<'a>>> {
    let mut heads = Vec::with_capacity(shape.batch * shape.heads);
    for batch in output.chunks_exact_mut(rows * shape.heads * shape.width) {
        let first = heads.len();
        heads.resize_with(first + shape.heads, || Vec::with_capacity(rows));
        for (i, row) in batch.chunks_exact_mut(shape.width).enumerate() {
            heads[first + i % shape.heads].push(row);
        }
    }
    heads
}

/// Writes rows of sums, `stride` elements from one to the next, each times a factor of its own.
#[inline(always)]
fn write_rows<S: Simd>(
    simd: S,
    sums: &[f32],
    stride: usize,
    output: &mut [OutputRow<'_>],
    factors: impl Iterator<Item = f32>,
) {
    for ((output, sums), factor) in output
        .iter_mut()
        .zip(sums.chunks_exact(stride))
        .zip(factors)
    {
        let factor = simd.splat_f32s(factor);
        map(
            simd,
            [&sums[..output.len()]],
            output,
            #[inline(always)]
            |[sum]| simd.mul_f32s(sum, factor),
        );
    }
}
