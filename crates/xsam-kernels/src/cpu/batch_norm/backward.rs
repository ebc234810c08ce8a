//! The backward pass, of a forward pass with the batch's own statistics.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{Affine, Dims, Sink, Source, inverse_deviation, split_channels};
use crate::cpu::fresh::written;
use crate::cpu::map::map;
use crate::cpu::reduce::sums;
use crate::cpu::split::items_per_task;

/// Where the backward pass finds the sign that the ReLU saw.
#[derive(Clone, Copy)]
pub(crate) enum Mask<'a> {
    /// There was no ReLU.
    None,
    /// Nothing was added before the ReLU: its input follows from `x` alone, and costs no memory.
    FromInput,
    /// A residual was added: from the saved output. The masked gradient is then that of the residual.
    FromOutput(&'a [f32]),
}

/// The inputs of a backward pass.
#[derive(Clone, Copy)]
pub(crate) struct Backward<'a> {
    pub(crate) dims: Dims,
    pub(crate) gradient: &'a [f32],
    pub(crate) x: &'a [f32],
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) mean: &'a [f32],
    pub(crate) variance: &'a [f32],
    pub(crate) epsilon: f64,
    pub(crate) mask: Mask<'a>,
}

/// The gradients of a backward pass.
pub(crate) struct Slopes {
    pub(crate) x: Vec<f32>,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    /// With [`Mask::FromOutput`], the gradient behind the ReLU.
    pub(crate) masked: Option<Vec<f32>>,
}

/// Runs the backward pass.
pub(crate) fn backward(input: Backward<'_>) -> Slopes {
    let dims = input.dims;
    let output = match input.mask {
        Mask::FromOutput(output) => Some(output),
        Mask::None | Mask::FromInput => None,
    };
    for data in [input.gradient, input.x].into_iter().chain(output) {
        assert_eq!(data.len(), dims.len(), "a tensor does not fill its shape");
    }
    for per_channel in [input.weight, input.bias, input.mean, input.variance] {
        assert_eq!(per_channel.len(), dims.channels, "one number a channel");
    }
    if dims.len() == 0 {
        return Slopes {
            x: Vec::new(),
            weight: vec![0.0; dims.channels],
            bias: vec![0.0; dims.channels],
            masked: output.map(|_| Vec::new()),
        };
    }

    let arch = Arch::new();
    let block = items_per_task(dims.channels, dims.per_channel());
    let mut sums = Vec::new();
    let mut run = |dx: &mut [MaybeUninit<f32>], masked: Option<&mut [MaybeUninit<f32>]>| {
        let mut kept: Vec<_> = match masked {
            Some(masked) => split_channels(masked, dims, block)
                .into_iter()
                .map(Some)
                .collect(),
            None => Vec::new(),
        };
        kept.resize_with(dims.channels.div_ceil(block), || None);
        sums = split_channels(dx, dims, block)
            .into_par_iter()
            .zip(kept)
            .enumerate()
            .flat_map_iter(|(task, (dx, kept))| {
                let first = task * block;
                arch.dispatch(Block {
                    input,
                    channels: first..dims.channels.min(first + block),
                    dx: Sink::new(dx, dims),
                    masked: output
                        .zip(kept)
                        .map(|(output, kept)| (Source::new(output, dims), Sink::new(kept, dims))),
                })
            })
            .collect::<Vec<(f32, f32)>>();
    };
    let mut masked = None;
    // SAFETY: the blocks cover every channel of every image, and `Block` writes each of its channels,
    // in the second buffer too if there is one.
    let x = unsafe {
        written(dims.len(), |dx| match output {
            Some(_) => masked = Some(written(dims.len(), |masked| run(dx, Some(masked)))),
            None => run(dx, None),
        })
    };
    let (weight, bias) = sums.into_iter().unzip();
    Slopes {
        x,
        weight,
        bias,
        masked,
    }
}

struct Block<'a, 'o> {
    input: Backward<'a>,
    channels: Range<usize>,
    dx: Sink<'o>,
    /// The output of the ReLU, and where the gradient behind it goes.
    masked: Option<(Source<'a>, Sink<'o>)>,
}

impl WithSimd for Block<'_, '_> {
    /// The gradients of weight and bias.
    type Output = Vec<(f32, f32)>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        match self.input.mask {
            Mask::FromInput => self.run::<S, true>(simd),
            Mask::None | Mask::FromOutput(_) => self.run::<S, false>(simd),
        }
    }
}

impl Block<'_, '_> {
    /// With `MASK`, the gradient is masked by the sign that follows from the input.
    #[inline(always)]
    fn run<S: Simd, const MASK: bool>(self, simd: S) -> Vec<(f32, f32)> {
        let Self {
            input,
            channels,
            mut dx,
            mut masked,
        } = self;
        let dims = input.dims;
        let count = dims.per_channel() as f64;
        let mut gradient = Source::new(input.gradient, dims);
        let mut x = Source::new(input.x, dims);
        // A loop and not an iterator's `map`: only what is inlined here is compiled for the vector unit.
        let mut results = Vec::with_capacity(channels.len());
        for (c, channel) in channels.enumerate() {
            gradient.load(channel);
            x.load(channel);
            if let Some((output, _)) = &mut masked {
                output.load(channel);
            }
            let inverse = inverse_deviation(input.variance[channel], input.epsilon);
            let scale = f64::from(input.weight[channel]) * inverse;
            let affine = Affine {
                mean: input.mean[channel],
                scale: scale as f32,
                shift: input.bias[channel],
            };
            let (mut total, mut weighted) = (0.0, 0.0);
            for n in 0..dims.stretches() {
                let g = match &mut masked {
                    Some((output, kept)) => {
                        let rows = [gradient.stretch(n), output.stretch(n)];
                        behind_relu(simd, rows, kept.stretch(c, n))
                    }
                    None => gradient.stretch(n),
                };
                let [a, b] = gradient_sums::<S, MASK>(simd, [g, x.stretch(n)], affine);
                total += a;
                weighted += b;
            }
            let pull = Pull {
                constant: (-scale * total / count) as f32,
                slope: (-scale * inverse * inverse * weighted / count) as f32,
            };
            for n in 0..dims.stretches() {
                let g = match &mut masked {
                    // SAFETY: the loop above has written every stretch of this channel.
                    Some((_, kept)) => unsafe { kept.stretch(c, n).assume_init_ref() },
                    None => gradient.stretch(n),
                };
                let rows = [g, x.stretch(n)];
                input_gradient::<S, MASK>(simd, rows, dx.stretch(c, n), affine, pull);
            }
            dx.store(c);
            if let Some((_, kept)) = &mut masked {
                kept.store(c);
            }
            results.push(((weighted * inverse) as f32, total as f32));
        }
        results
    }
}

/// The gradient where the value the ReLU let through, or that it saw, is positive, and zero elsewhere.
#[inline(always)]
fn where_positive<S: Simd>(simd: S, g: S::f32s, y: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_or_equal_f32s(y, zero), zero, g)
}

/// Writes the gradient behind the ReLU, of a gradient and the ReLU's output.
#[inline(always)]
fn behind_relu<'o, S: Simd>(
    simd: S,
    rows: [&[f32]; 2],
    out: &'o mut [MaybeUninit<f32>],
) -> &'o [f32] {
    map(
        simd,
        rows,
        out,
        #[inline(always)]
        |[g, y]| where_positive(simd, g, y),
    )
}

/// The gradient of the affine map's output, from that behind the ReLU.
#[inline(always)]
fn of_affine<S: Simd, const MASK: bool>(
    simd: S,
    g: S::f32s,
    x: S::f32s,
    affine: Affine,
) -> S::f32s {
    if MASK {
        where_positive(simd, g, affine.apply(simd, x))
    } else {
        g
    }
}

/// The sums of the gradient, and of it times `x - mean`; rows are gradient and input.
#[inline(always)]
fn gradient_sums<S: Simd, const MASK: bool>(
    simd: S,
    rows: [&[f32]; 2],
    affine: Affine,
) -> [f64; 2] {
    sums(
        simd,
        rows,
        #[inline(always)]
        |[g, x], [total, weighted]| {
            let g = of_affine::<S, MASK>(simd, g, x, affine);
            [
                simd.add_f32s(total, g),
                simd.mul_add_e_f32s(g, affine.centred(simd, x), weighted),
            ]
        },
    )
}

/// What normalisation adds to the scaled gradient: `constant + slope * (x - mean)`.
#[derive(Clone, Copy)]
struct Pull {
    constant: f32,
    slope: f32,
}

/// Writes the gradient of the input; rows are gradient and input.
#[inline(always)]
fn input_gradient<S: Simd, const MASK: bool>(
    simd: S,
    rows: [&[f32]; 2],
    dx: &mut [MaybeUninit<f32>],
    affine: Affine,
    pull: Pull,
) {
    let scale = simd.splat_f32s(affine.scale);
    let (constant, slope) = (simd.splat_f32s(pull.constant), simd.splat_f32s(pull.slope));
    map(
        simd,
        rows,
        dx,
        #[inline(always)]
        |[g, x]| {
            let g = of_affine::<S, MASK>(simd, g, x, affine);
            let pull = simd.mul_add_e_f32s(affine.centred(simd, x), slope, constant);
            simd.mul_add_e_f32s(g, scale, pull)
        },
    );
}
