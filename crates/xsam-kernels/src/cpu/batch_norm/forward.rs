//! The forward pass.

use std::mem::MaybeUninit;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{Affine, Dims, Sink, Source, inverse_deviation, split_channels};
use crate::cpu::fresh::written;
use crate::cpu::map::map;
use crate::cpu::reduce::{sum, sums};
use crate::cpu::split::items_per_task;

/// The inputs of a forward pass.
#[derive(Clone, Copy)]
pub(crate) struct Forward<'a> {
    pub(crate) dims: Dims,
    pub(crate) x: &'a [f32],
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) epsilon: f64,
    /// Mean and variance to use; without them those of the batch are taken.
    pub(crate) statistics: Option<[&'a [f32]; 2]>,
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) relu: bool,
}

/// Output, mean and (biased) variance of a forward pass.
pub(crate) struct Normalised {
    pub(crate) output: Vec<f32>,
    pub(crate) mean: Vec<f32>,
    pub(crate) variance: Vec<f32>,
}

/// Runs the forward pass. Of an empty channel, mean and variance are NaN.
pub(crate) fn forward(input: Forward<'_>) -> Normalised {
    let dims = input.dims;
    for data in [Some(input.x), input.residual].into_iter().flatten() {
        assert_eq!(data.len(), dims.len(), "a tensor does not fill its shape");
    }
    let given = input.statistics.into_iter().flatten();
    for per_channel in [input.weight, input.bias].into_iter().chain(given) {
        assert_eq!(per_channel.len(), dims.channels, "one number a channel");
    }
    if dims.len() == 0 {
        let empty = vec![f32::NAN; dims.channels];
        let [mean, variance] = match input.statistics {
            Some(given) => given.map(<[f32]>::to_vec),
            None => [empty.clone(), empty],
        };
        return Normalised {
            output: Vec::new(),
            mean,
            variance,
        };
    }

    let arch = Arch::new();
    let block = items_per_task(dims.channels, dims.per_channel());
    let mut statistics = Vec::new();
    // SAFETY: the blocks cover every channel of every image, and `Block` writes each of its channels.
    let output = unsafe {
        written(dims.len(), |output| {
            statistics = split_channels(output, dims, block)
                .into_par_iter()
                .enumerate()
                .flat_map_iter(|(task, images)| {
                    let first = task * block;
                    arch.dispatch(Block {
                        input,
                        channels: first..dims.channels.min(first + block),
                        output: Sink::new(images, dims),
                    })
                })
                .collect();
        })
    };
    let (mean, variance) = statistics.into_iter().unzip();
    Normalised {
        output,
        mean,
        variance,
    }
}

struct Block<'a, 'o> {
    input: Forward<'a>,
    channels: std::ops::Range<usize>,
    output: Sink<'o>,
}

impl WithSimd for Block<'_, '_> {
    /// Mean and variance of each channel.
    type Output = Vec<(f32, f32)>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self {
            input,
            channels,
            mut output,
        } = self;
        let dims = input.dims;
        let mut x = Source::new(input.x, dims);
        let mut residual = input.residual.map(|residual| Source::new(residual, dims));
        // A loop and not an iterator's `map`: only what is inlined here is compiled for the vector unit.
        let mut results = Vec::with_capacity(channels.len());
        for (c, channel) in channels.enumerate() {
            x.load(channel);
            if let Some(residual) = &mut residual {
                residual.load(channel);
            }
            let (mean, variance) = match input.statistics {
                Some([mean, variance]) => (mean[channel], variance[channel]),
                None => moments(simd, &x),
            };
            let inverse = inverse_deviation(variance, input.epsilon);
            let affine = Affine {
                mean,
                scale: (f64::from(input.weight[channel]) * inverse) as f32,
                shift: input.bias[channel],
            };
            for n in 0..dims.stretches() {
                let residual = residual.as_ref().map(|residual| residual.stretch(n));
                let out = output.stretch(c, n);
                normalise(simd, x.stretch(n), residual, out, affine, input.relu);
            }
            output.store(c);
            results.push((mean, variance));
        }
        results
    }
}

/// Mean and biased variance of the channel that is loaded.
#[inline(always)]
fn moments<S: Simd>(simd: S, x: &Source<'_>) -> (f32, f32) {
    let count = x.dims.per_channel() as f64;
    let mut total = 0.0;
    for n in 0..x.dims.stretches() {
        total += sum(simd, x.stretch(n));
    }
    let mean = (total / count) as f32;
    let centre = simd.splat_f32s(mean);
    let mut total = 0.0;
    for n in 0..x.dims.stretches() {
        let [squares] = sums(
            simd,
            [x.stretch(n)],
            #[inline(always)]
            |[x], [squares]| {
                let distance = simd.sub_f32s(x, centre);
                [simd.mul_add_e_f32s(distance, distance, squares)]
            },
        );
        total += squares;
    }
    (mean, (total / count) as f32)
}

/// Writes `act(affine(x) + residual)`.
#[inline(always)]
fn normalise<S: Simd>(
    simd: S,
    x: &[f32],
    residual: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
    affine: Affine,
    relu: bool,
) {
    match (residual, relu) {
        (None, false) => map(
            simd,
            [x],
            out,
            #[inline(always)]
            |[x]| affine.apply(simd, x),
        ),
        (None, true) => map(
            simd,
            [x],
            out,
            #[inline(always)]
            |[x]| rectified(simd, affine.apply(simd, x)),
        ),
        (Some(residual), false) => map(
            simd,
            [x, residual],
            out,
            #[inline(always)]
            |[x, residual]| simd.add_f32s(affine.apply(simd, x), residual),
        ),
        (Some(residual), true) => map(
            simd,
            [x, residual],
            out,
            #[inline(always)]
            |[x, residual]| rectified(simd, simd.add_f32s(affine.apply(simd, x), residual)),
        ),
    };
}

/// Not a maximum: this keeps a NaN visible on every instruction set.
#[inline(always)]
fn rectified<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_f32s(y, zero), zero, y)
}
