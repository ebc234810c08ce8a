//! Sums and linear combinations of long vectors, one pass over memory each.
//!
//! Sums are taken in single precision within a span, in double and in order beyond it: the same bits
//! for any number of threads.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::fresh::written;
use super::reduce::{SPAN, sums};
use super::split::{PIECE, each_piece};
use crate::cpu::isa::arch;

/// Elements combined at a time: a block that is written stays in the first-level cache until the last
/// term has been added to it.
const BLOCK: usize = 2048;

/// A factor and the vector that it multiplies.
pub(crate) type Term<'a> = (f32, &'a [f32]);

pub(crate) fn dot(x: &[f32], y: &[f32]) -> f64 {
    let [dot] = pair_sums(x, y, |x, y| Dot { x, y });
    dot
}

/// The squared norms of `a x - b y` and of `a x + b y`.
pub(crate) fn squared_chords((a, x): Term<'_>, (b, y): Term<'_>) -> [f64; 2] {
    pair_sums(x, y, |x, y| SquaredChords { a, x, b, y })
}

/// `N` sums over pairs of elements, piece by piece, each as `of_piece` takes it.
fn pair_sums<'a, const N: usize, W: WithSimd<Output = [f64; N]>>(
    x: &'a [f32],
    y: &'a [f32],
    of_piece: impl Fn(&'a [f32], &'a [f32]) -> W + Sync,
) -> [f64; N] {
    assert_eq!(x.len(), y.len(), "vectors of different length");
    let arch = arch();
    let pieces = x.chunks(PIECE).zip(y.chunks(PIECE)).collect();
    let mut totals = [0.0; N];
    for part in each_piece(pieces, |(x, y)| arch.dispatch(of_piece(x, y))) {
        for (total, part) in totals.iter_mut().zip(part) {
            *total += part;
        }
    }
    totals
}

struct Dot<'a> {
    x: &'a [f32],
    y: &'a [f32],
}

impl WithSimd for Dot<'_> {
    type Output = [f64; 1];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; 1] {
        sums(
            simd,
            [self.x, self.y],
            #[inline(always)]
            |[x, y], [total]| [simd.mul_add_e_f32s(x, y, total)],
        )
    }
}

struct SquaredChords<'a> {
    a: f32,
    x: &'a [f32],
    b: f32,
    y: &'a [f32],
}

impl WithSimd for SquaredChords<'_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; 2] {
        let (a, b) = (simd.splat_f32s(self.a), simd.splat_f32s(self.b));
        sums(
            simd,
            [self.x, self.y],
            #[inline(always)]
            |[x, y], [differences, totals]| {
                let (x, y) = (simd.mul_f32s(a, x), simd.mul_f32s(b, y));
                let (difference, total) = (simd.sub_f32s(x, y), simd.add_f32s(x, y));
                [
                    simd.mul_add_e_f32s(difference, difference, differences),
                    simd.mul_add_e_f32s(total, total, totals),
                ]
            },
        )
    }
}

/// The sum of all terms.
pub(crate) fn combine((factor, first): Term<'_>, rest: &[Term<'_>]) -> Vec<f32> {
    check_terms(first.len(), rest);
    let fill = |out: &mut [MaybeUninit<f32>]| {
        let pieces = out.chunks_mut(PIECE).zip(first.chunks(PIECE)).enumerate();
        let arch = arch();
        each_piece(pieces.collect(), |(i, (out, first))| {
            for (j, (out, first)) in out.chunks_mut(BLOCK).zip(first.chunks(BLOCK)).enumerate() {
                let block = out.write_copy_of_slice(first);
                let at = i * PIECE + j * BLOCK;
                arch.dispatch(AddTerms {
                    block,
                    factor,
                    rest,
                    at,
                });
            }
        });
    };
    // SAFETY: the blocks cover the buffer, which is as long as `first`, and each is copied over.
    unsafe { written(first.len(), fill) }
}

/// [`combine`] in the buffer of the first term.
pub(crate) fn combine_in_place(factor: f32, first: &mut [f32], rest: &[Term<'_>]) {
    check_terms(first.len(), rest);
    let arch = arch();
    let pieces = first.chunks_mut(PIECE).enumerate().collect();
    each_piece(pieces, |(i, piece)| {
        for (j, block) in piece.chunks_mut(BLOCK).enumerate() {
            let at = i * PIECE + j * BLOCK;
            arch.dispatch(AddTerms {
                block,
                factor,
                rest,
                at,
            });
        }
    });
}

fn check_terms(len: usize, terms: &[Term<'_>]) {
    let fits = terms.iter().all(|(_, term)| term.len() == len);
    assert!(fits, "vectors of different length");
}

/// Multiplies a block by `factor` and adds the part of each term that begins `at` the same place.
struct AddTerms<'a, 'o> {
    block: &'o mut [f32],
    factor: f32,
    rest: &'a [Term<'a>],
    at: usize,
}

impl WithSimd for AddTerms<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.factor != 1.0 {
            let factor = simd.splat_f32s(self.factor);
            let (head, tail) = S::as_mut_simd_f32s(self.block);
            for out in head {
                *out = simd.mul_f32s(factor, *out);
            }
            for out in tail {
                *out *= self.factor;
            }
        }
        let range: Range<usize> = self.at..self.at + self.block.len();
        let (head, tail) = S::as_mut_simd_f32s(self.block);
        for &(factor, term) in self.rest {
            let (x, x_tail) = S::as_simd_f32s(&term[range.clone()]);
            let factors = simd.splat_f32s(factor);
            // Not fused: the same bits as a multiplication and an addition by themselves.
            for (out, &x) in head.iter_mut().zip(x) {
                *out = simd.add_f32s(simd.mul_f32s(factors, x), *out);
            }
            for (out, &x) in tail.iter_mut().zip(x_tail) {
                *out += factor * x;
            }
        }
    }
}

/// `t^2 g` and the squared norm of `t g`, where `t = |w| + offset`.
pub(crate) fn scaled_ascent(g: &[f32], w: &[f32], offset: f32) -> (Vec<f32>, f64) {
    assert_eq!(g.len(), w.len(), "vectors of different length");
    let mut squared_norm = 0.0;
    let fill = |out: &mut [MaybeUninit<f32>]| {
        let inputs = g.chunks(PIECE).zip(w.chunks(PIECE));
        let pieces = out.chunks_mut(PIECE).zip(inputs).collect();
        let arch = arch();
        let parts = each_piece(pieces, |(out, (g, w))| {
            arch.dispatch(ScaledAscent { g, w, offset, out })
        });
        squared_norm = parts.iter().sum();
    };
    // SAFETY: the pieces cover the buffer, which is as long as `g` and `w`, and `ScaledAscent` writes
    // all of each.
    let direction = unsafe { written(g.len(), fill) };
    (direction, squared_norm)
}

struct ScaledAscent<'a, 'o> {
    g: &'a [f32],
    w: &'a [f32],
    offset: f32,
    out: &'o mut [MaybeUninit<f32>],
}

impl WithSimd for ScaledAscent<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let offset = simd.splat_f32s(self.offset);
        let inputs = self.g.chunks(SPAN).zip(self.w.chunks(SPAN));
        let mut total = 0.0;
        for (out, (g, w)) in self.out.chunks_mut(SPAN).zip(inputs) {
            let ((g, g_tail), (w, w_tail)) = (S::as_simd_f32s(g), S::as_simd_f32s(w));
            let (out, out_tail) = S::as_uninit_mut_simd_f32s(out);
            // The two stores an element leave time enough for the additions to follow each other.
            let mut lanes = simd.splat_f32s(0.0);
            for (out, (&g, &w)) in out.iter_mut().zip(g.iter().zip(w)) {
                let scale = simd.add_f32s(simd.abs_f32s(w), offset);
                let scaled = simd.mul_f32s(scale, g);
                out.write(simd.mul_f32s(scale, scaled));
                lanes = simd.mul_add_e_f32s(scaled, scaled, lanes);
            }
            let mut part = simd.reduce_sum_f32s(lanes);
            for (out, (&g, &w)) in out_tail.iter_mut().zip(g_tail.iter().zip(w_tail)) {
                let scale = w.abs() + self.offset;
                let scaled = scale * g;
                out.write(scale * scaled);
                part += scaled * scaled;
            }
            total += f64::from(part);
        }
        total
    }
}
