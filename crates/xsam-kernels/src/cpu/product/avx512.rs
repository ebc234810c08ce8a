//! Rows of a product in the registers of AVX-512, up to twelve at a time.
//!
//! A function of its own, so that the compiler's choice of registers does not depend on where it is inlined: 24 sums, two
//! vectors of the right matrix and one element of the left one leave five of the 32 to spare, and sums that go through
//! memory in the innermost loop cost a third of its speed.

use std::arch::x86_64::*;

use pulp::Simd;

use super::{Left, PANEL};

/// Rows that share a base address.
pub(super) const QUAD: usize = 4;
/// Numbers in a vector.
pub(super) const LANES: usize = 16;

/// The first rows of a left matrix, of which each [`QUAD`] are equally far apart.
pub(crate) struct Block<'a, const QUADS: usize> {
    left: Left<'a>,
    b: &'a [f32],
    first: [usize; QUADS],
    apart: usize,
}

impl<'a, const QUADS: usize> Block<'a, QUADS> {
    /// `None` if there are too few rows, or they are not as far apart as that.
    #[inline(always)]
    pub(super) fn new(left: Left<'a>, b: &'a [f32]) -> Option<Self> {
        let quads = left.rows.as_chunks::<QUAD>().0.first_chunk::<QUADS>()?;
        let apart = quads[0][1].checked_sub(quads[0][0])?;
        let mut regular = true;
        for quad in quads {
            for i in 1..QUAD {
                regular &= quad[i] == quad[0] + i * apart;
            }
        }
        let first = quads.map(|quad| quad[0]);
        regular.then_some(Self {
            left,
            b,
            first,
            apart,
        })
    }

    /// `c[r] (+)= sum_k a[r, k] b[k]` with `c_row` vectors from a row of `c` to the next.
    ///
    /// # Panics
    /// If a matrix is too short, or vectors are not those of AVX-512.
    #[inline(always)]
    pub(super) fn product<S: Simd, const ADD: bool>(&self, c: &mut [S::f32s], c_row: usize) {
        assert!(S::F32_LANES == LANES && c.len() >= (QUADS * QUAD - 1) * c_row + PANEL);
        // SAFETY: pulp has vectors of 16 lanes only where AVX-512 has been found, and `c` is as long as that.
        unsafe { self.product_at::<ADD>(c.as_mut_ptr().cast(), c_row * LANES) };
    }

    /// # Safety
    /// The processor has AVX-512F, and `c` points to [`PANEL`] vectors in each of the rows, `c_row` numbers apart.
    #[target_feature(enable = "avx512f")]
    #[inline(never)]
    unsafe fn product_at<const ADD: bool>(&self, c: *mut f32, c_row: usize) {
        let Left {
            values,
            step,
            segments,
            ..
        } = self.left;
        let last = self.first.into_iter().fold(0, usize::max) + (QUAD - 1) * self.apart;
        let mut b = self.b;
        let mut sums = [[[_mm512_setzero_ps(); PANEL]; QUAD]; QUADS];
        for segment in segments {
            let (now, later) = b.split_at(segment.depth * PANEL * LANES);
            b = later;
            if segment.depth == 0 {
                continue;
            }
            let values = &values[segment.offset..];
            assert!(values.len() > last + (segment.depth - 1) * step);
            let mut rows = self.first.map(|row| values.as_ptr().wrapping_add(row));
            for b in now.as_chunks::<{ PANEL * LANES }>().0 {
                // SAFETY: a row is that long, which was checked above.
                unsafe {
                    let right = [
                        _mm512_loadu_ps(b.as_ptr()),
                        _mm512_loadu_ps(b[LANES..].as_ptr()),
                    ];
                    for (row, sums) in rows.iter_mut().zip(&mut sums) {
                        for (i, sums) in sums.iter_mut().enumerate() {
                            let a = _mm512_set1_ps(*row.add(i * self.apart));
                            sums[0] = _mm512_fmadd_ps(a, right[0], sums[0]);
                            sums[1] = _mm512_fmadd_ps(a, right[1], sums[1]);
                        }
                        *row = row.wrapping_add(step);
                    }
                }
            }
        }
        for (r, sums) in sums.as_flattened().iter().enumerate() {
            for (i, sum) in sums.iter().enumerate() {
                // SAFETY: the caller vouches for `c`.
                unsafe {
                    let c = c.add(r * c_row + i * LANES);
                    let sum = if ADD {
                        _mm512_add_ps(_mm512_loadu_ps(c), *sum)
                    } else {
                        *sum
                    };
                    _mm512_storeu_ps(c, sum);
                }
            }
        }
    }
}
