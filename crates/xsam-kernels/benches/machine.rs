//! What this machine can do at most: arithmetic in single precision, and memory traffic. The measure for
//! what the kernels leave.
//!
//! `cargo bench --workspace --bench machine`
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Independent chains of additions: enough to hide their latency, few enough for the registers.
const CHAINS: usize = 12;
const LINKS: usize = 20_000_000;
/// Far beyond any cache.
const LENGTH: usize = 64 << 20;
const ROUNDS: usize = 5;

/// Multiplies and adds in registers; tells how many operations on numbers that were.
struct Arithmetic {
    /// What is added: twice this is where all numbers go.
    term: f32,
}

impl WithSimd for Arithmetic {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let term = simd.splat_f32s(black_box(self.term));
        let factor = simd.splat_f32s(black_box(0.5));
        let mut chains = [term; CHAINS];
        for _ in 0..LINKS {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, factor, term);
            }
        }
        for chain in chains {
            black_box(simd.reduce_sum_f32s(chain));
        }
        2.0 * (CHAINS * LINKS * S::F32_LANES) as f64
    }
}

/// The best of several rounds, in 10^9 a second, of something that tells how much it did.
fn best(mut run: impl FnMut() -> f64) -> f64 {
    let rate = |_| {
        let start = Instant::now();
        let done = run();
        done / start.elapsed().as_secs_f64() / 1e9
    };
    (0..ROUNDS).map(rate).fold(0.0, f64::max)
}

fn main() {
    let arch = Arch::new();
    let threads = rayon::current_num_threads();
    let usual = || arch.dispatch(Arithmetic { term: 0.25 });
    let one = best(usual);
    let all = best(|| rayon::broadcast(|_| usual()).iter().sum());
    let denormal = best(|| arch.dispatch(Arithmetic { term: 1e-39 }));
    println!("arithmetic, 1 thread           {one:7.1} GFLOP/s");
    println!("the same on denormal numbers   {denormal:7.1} GFLOP/s");
    println!("arithmetic, {threads} threads          {all:7.1} GFLOP/s");

    let source = vec![1.0f32; LENGTH];
    let mut target = vec![0.0f32; LENGTH];
    let chunk = LENGTH.div_ceil(threads);
    let bytes = (LENGTH * size_of::<f32>()) as f64;
    let read = best(|| {
        let sums = source.par_chunks(chunk).map(|part| {
            let (lanes, _) = part.as_chunks::<64>();
            let mut sums = [0.0; 64];
            for lanes in lanes {
                for (sum, x) in sums.iter_mut().zip(lanes) {
                    *sum += x;
                }
            }
            sums.iter().sum::<f32>()
        });
        black_box(sums.sum::<f32>());
        bytes
    });
    println!("memory read, {threads} threads         {read:7.1} GB/s");
    let copied = best(|| {
        let parts = target.par_chunks_mut(chunk).zip(source.par_chunks(chunk));
        parts.for_each(|(to, from)| to.copy_from_slice(from));
        2.0 * bytes
    });
    println!("memory read and written        {copied:7.1} GB/s");
}
