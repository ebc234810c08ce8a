//! Dropout by position: the same elements go whatever the thread, the instruction set or the direction.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::split::{items_per_task, written_by_chunks};
use crate::cpu::isa::arch;

/// Which elements stay.
///
/// In each block of elements the low halves of the 64 bits of a splitmix64 sequence decide over the first
/// half of the elements, and the high halves over the others. The generator is that of Steele, Lea
/// and Flood, "Fast splittable pseudorandom number generators", 2014: a number of the sequence follows
/// from its place alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask {
    start: u64,
    /// An element whose 32 bits are below this goes.
    threshold: u32,
}

impl Mask {
    /// For a `probability` to go that is at least 0 and below 1.
    pub(crate) fn new(probability: f64, seed: u64) -> Self {
        Self {
            // Neighbouring seeds are to have nothing in common.
            start: mix(seed),
            threshold: (probability * 2f64.powi(32)) as u32,
        }
    }

    /// Writes `x` times `factor` for the elements that stay, and times 0 for the others; plus `base`, if there is
    /// one.
    pub(crate) fn apply(self, base: Option<&[f32]>, x: &[f32], factor: f32) -> Vec<f32> {
        assert!(
            base.is_none_or(|base| base.len() == x.len()),
            "the vectors have different lengths"
        );
        let arch = arch();
        let chunk = BLOCK * items_per_task(x.len().div_ceil(BLOCK), BLOCK);
        let chunks = x.par_chunks(chunk).enumerate();
        // SAFETY: `ApplyFrom` writes every element.
        let written = unsafe {
            written_by_chunks(x.len(), chunk, chunks, |output, (i, x)| {
                let start = i * chunk;
                arch.dispatch(ApplyFrom {
                    mask: self,
                    start,
                    x,
                    base: base.map(|base| &base[start..][..x.len()]),
                    factor,
                    output,
                })
            })
        };
        written.0
    }

    /// The factors of the block of elements that begins at `start`.
    #[inline(always)]
    fn block(self, start: usize, factor: f32) -> [f32; BLOCK] {
        let mut bits = [0; BLOCK / 2];
        for (i, bits) in bits.iter_mut().enumerate() {
            let place = (start / 2 + i) as u64;
            *bits = mix(self.start.wrapping_add(place.wrapping_mul(STEP)));
        }
        let mut factors = [0.0; BLOCK];
        let (low, high) = factors.split_at_mut(BLOCK / 2);
        let decide = |bits: u32| if bits < self.threshold { 0.0 } else { factor };
        for (low, bits) in low.iter_mut().zip(&bits) {
            *low = decide(*bits as u32);
        }
        for (high, bits) in high.iter_mut().zip(&bits) {
            *high = decide((bits >> 32) as u32);
        }
        factors
    }
}

/// The elements from `start` on, the first of a block.
struct ApplyFrom<'a, 'o> {
    mask: Mask,
    start: usize,
    x: &'a [f32],
    /// What the result is added to.
    base: Option<&'a [f32]>,
    factor: f32,
    output: &'o mut [MaybeUninit<f32>],
}

impl WithSimd for ApplyFrom<'_, '_> {
    type Output = ();

    // Only integers of fixed numbers of places: the compiler makes the vectors.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (blocks, rest) = self.x.as_chunks::<BLOCK>();
        let (output_blocks, output_rest) = self.output.as_chunks_mut::<BLOCK>();
        let base = self.base.map(<[f32]>::as_chunks::<BLOCK>);
        for (i, (x, output)) in blocks.iter().zip(output_blocks).enumerate() {
            let factors = self.mask.block(self.start + i * BLOCK, self.factor);
            put(x, base.map(|(base, _)| &base[i][..]), &factors, output);
        }
        let last = self.start + blocks.len() * BLOCK;
        let factors = self.mask.block(last, self.factor);
        put(rest, base.map(|(_, base)| base), &factors, output_rest);
    }
}

#[inline(always)]
fn put(x: &[f32], base: Option<&[f32]>, factors: &[f32; BLOCK], output: &mut [MaybeUninit<f32>]) {
    let kept = x.iter().zip(factors).map(|(x, factor)| x * factor);
    match base {
        None => output.iter_mut().zip(kept).for_each(|(output, kept)| {
            output.write(kept);
        }),
        Some(base) => {
            for ((output, kept), base) in output.iter_mut().zip(kept).zip(base) {
                output.write(base + kept);
            }
        }
    }
}

/// Elements taken together: a number known to the compiler, which makes vectors of it.
const BLOCK: usize = 64;

/// The odd number that splitmix64 counts by.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// What splitmix64 makes of its counter.
#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        let number = |place: u64| mix(1_234_567u64.wrapping_add(place.wrapping_mul(STEP)));
        // The numbers that are commonly given for this seed.
        assert_eq!(number(1), 6_457_827_717_110_365_317);
        assert_eq!(number(2), 3_203_168_211_198_807_973);
    }
}
