//! The forward pass.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    Affine, Dims, Part, Piece, Sink, Source, check, inverse_deviation, pieces, split_channels,
    widths,
};
use crate::cpu::fresh::written;
use crate::cpu::isa::arch;
use crate::cpu::map::map;
use crate::cpu::reduce::{sum, sums};

/// The inputs of a forward pass.
#[derive(Clone, Copy)]
pub(crate) struct Forward<'a> {
    pub(crate) dims: Dims,
    /// What has the channels, in their order.
    pub(crate) parts: &'a [Part<'a>],
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) epsilon: f64,
    /// Mean and variance of the first channels; those of the others are measured.
    pub(crate) known: [&'a [f32]; 2],
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
    check(dims, input.parts, &[input.residual]);
    for per_channel in [input.weight, input.bias] {
        assert_eq!(per_channel.len(), dims.channels, "one number a channel");
    }
    let [mean, variance] = input.known;
    assert_eq!(mean.len(), variance.len(), "a variance for each mean");
    assert!(mean.len() <= dims.channels, "more means than channels");
    if dims.len() == 0 {
        let [mean, variance] = input.known.map(|known| {
            let mut all = known.to_vec();
            all.resize(dims.channels, f32::NAN);
            all
        });
        return Normalised {
            output: Vec::new(),
            mean,
            variance,
        };
    }

    let arch = arch();
    let pieces = pieces(dims, input.parts);
    let mut statistics = Vec::new();
    // SAFETY: the pieces cover every channel of every image, and `Block` writes each of its channels.
    let output = unsafe {
        written(dims.len(), |output| {
            statistics = split_channels(output, dims, &widths(&pieces))
                .into_par_iter()
                .zip(&pieces)
                .flat_map_iter(|(images, piece)| {
                    arch.dispatch(Block {
                        input,
                        piece: piece.clone(),
                        output: Sink::of_new(images, dims),
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
    piece: Piece,
    output: Sink<'o, MaybeUninit<f32>>,
}

impl WithSimd for Block<'_, '_> {
    /// Mean and variance of each channel.
    type Output = Vec<(f32, f32)>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self {
            input,
            piece,
            mut output,
        } = self;
        let dims = input.dims;
        let part = input.parts[piece.part];
        let mut x = Source::new(part.data, dims.with_channels(part.channels));
        let mut residual = input.residual.map(|residual| Source::new(residual, dims));
        // A loop and not an iterator's `map`: only what is inlined here is compiled for the vector unit.
        let mut results = Vec::with_capacity(piece.within.len());
        for (c, within) in piece.within.enumerate() {
            let channel = piece.first + c;
            x.load(within);
            if let Some(residual) = &mut residual {
                residual.load(channel);
            }
            let [mean, variance] = input.known;
            let (mean, variance) = if channel < mean.len() {
                (mean[channel], variance[channel])
            } else {
                moments(simd, &x)
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
