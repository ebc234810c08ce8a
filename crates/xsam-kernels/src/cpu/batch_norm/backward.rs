//! The backward pass, of a forward pass with the batch's own statistics or with given ones.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    Affine, Dims, Part, Piece, Sink, Source, check, inverse_deviation, pieces, split_channels,
    widths,
};
use crate::cpu::fresh::written_all;
use crate::cpu::isa::arch;
use crate::cpu::map::{map, update};
use crate::cpu::reduce::sums;

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
    /// What has the channels of the input, in their order.
    pub(crate) parts: &'a [Part<'a>],
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) mean: &'a [f32],
    pub(crate) variance: &'a [f32],
    pub(crate) epsilon: f64,
    /// Whether the statistics were given: those of the batch follow the input, and its gradient reaches it
    /// through them too.
    pub(crate) given: bool,
    pub(crate) mask: Mask<'a>,
}

/// The gradients of a backward pass.
pub(crate) struct Gradients {
    /// Of every part whose gradient goes into a tensor of its own.
    pub(crate) parts: Vec<Vec<f32>>,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    /// With [`Mask::FromOutput`], the gradient behind the ReLU.
    pub(crate) masked: Option<Vec<f32>>,
}

/// Runs the backward pass. The gradient of a part is added to its sum, if it has one, or goes into a tensor of its own.
pub(crate) fn backward(input: Backward<'_>, sums: Vec<Option<&mut [f32]>>) -> Gradients {
    let dims = input.dims;
    let output = match input.mask {
        Mask::FromOutput(output) => Some(output),
        Mask::None | Mask::FromInput => None,
    };
    check(dims, input.parts, &[Some(input.gradient), output]);
    for per_channel in [input.weight, input.bias, input.mean, input.variance] {
        assert_eq!(per_channel.len(), dims.channels, "one number a channel");
    }
    assert_eq!(sums.len(), input.parts.len(), "a sum or none for each part");
    let mut lens = Vec::new();
    for (sum, part) in sums.iter().zip(input.parts) {
        let length = part.data.len();
        match sum {
            None => lens.push(length),
            Some(sum) => assert_eq!(sum.len(), length, "the sum has another shape"),
        }
    }
    if dims.len() == 0 {
        return Gradients {
            parts: vec![Vec::new(); lens.len()],
            weight: vec![0.0; dims.channels],
            bias: vec![0.0; dims.channels],
            masked: output.map(|_| Vec::new()),
        };
    }
    // The gradient behind the ReLU, if it is kept, is the last of the new tensors.
    lens.extend(output.map(<[f32]>::len));

    let arch = arch();
    let pieces = pieces(dims, input.parts);
    let mut of_channels = Vec::new();
    // SAFETY: the pieces cover every channel of every image of each part, and of all of them together
    // those of the gradient that is kept; `Block` writes each of its channels in both.
    let mut new = unsafe {
        written_all(&lens, |mut new| {
            let masked = output.and_then(|_| new.pop());
            of_channels = split_outputs(input, &pieces, sums, new, masked)
                .into_par_iter()
                .zip(&pieces)
                .flat_map_iter(|((dx, kept), piece)| {
                    arch.dispatch(Block {
                        input,
                        piece: piece.clone(),
                        dx,
                        masked: output
                            .zip(kept)
                            .map(|(output, kept)| (Source::new(output, dims), kept)),
                    })
                })
                .collect::<Vec<(f32, f32)>>();
        })
    };
    let masked = output.and_then(|_| new.pop());
    let (weight, bias) = of_channels.into_iter().unzip();
    Gradients {
        parts: new,
        weight,
        bias,
        masked,
    }
}

type New<'o> = Sink<'o, MaybeUninit<f32>>;

/// Where the gradient of a piece goes.
enum Dx<'o> {
    New(New<'o>),
    Sum(Sink<'o, f32>),
}

/// For every piece, where its gradient goes, and that behind the ReLU if it is kept.
fn split_outputs<'o>(
    input: Backward<'_>,
    pieces: &[Piece],
    sums: Vec<Option<&'o mut [f32]>>,
    new: Vec<&'o mut [MaybeUninit<f32>]>,
    masked: Option<&'o mut [MaybeUninit<f32>]>,
) -> Vec<(Dx<'o>, Option<New<'o>>)> {
    let dims = input.dims;
    let mut new = new.into_iter();
    let mut dxs: Vec<Dx<'o>> = Vec::with_capacity(pieces.len());
    for (p, (sum, part)) in sums.into_iter().zip(input.parts).enumerate() {
        let of_part = pieces.iter().filter(|piece| piece.part == p);
        let widths: Vec<usize> = of_part.map(|piece| piece.within.len()).collect();
        let dims = dims.with_channels(part.channels);
        match sum {
            None => {
                let cut = split_channels(new.next().unwrap_or_default(), dims, &widths).into_iter();
                dxs.extend(cut.map(|images| Dx::New(Sink::of_new(images, dims))));
            }
            Some(sum) => {
                let cut = split_channels(sum, dims, &widths).into_iter();
                dxs.extend(cut.map(|images| Dx::Sum(Sink::of_old(images, dims))));
            }
        }
    }
    let mut kept: Vec<Option<New<'o>>> = Vec::new();
    if let Some(masked) = masked {
        let cut = split_channels(masked, dims, &widths(pieces)).into_iter();
        kept.extend(cut.map(|images| Some(Sink::of_new(images, dims))));
    }
    kept.resize_with(pieces.len(), || None);
    dxs.into_iter().zip(kept).collect()
}

struct Block<'a, 'o> {
    input: Backward<'a>,
    piece: Piece,
    dx: Dx<'o>,
    /// The output of the ReLU, and where the gradient behind it goes.
    masked: Option<(Source<'a>, New<'o>)>,
}

impl WithSimd for Block<'_, '_> {
    /// The gradients of weight and bias.
    type Output = Vec<(f32, f32)>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        match (self.input.mask, self.input.given) {
            (Mask::FromInput, false) => self.run::<S, true, false>(simd),
            (Mask::None | Mask::FromOutput(_), false) => self.run::<S, false, false>(simd),
            (Mask::FromInput, true) => self.run::<S, true, true>(simd),
            (Mask::None | Mask::FromOutput(_), true) => self.run::<S, false, true>(simd),
        }
    }
}

impl Block<'_, '_> {
    /// With `MASK`, the gradient is masked by the sign that follows from the input; with `GIVEN`, the
    /// statistics do not follow the input.
    #[inline(always)]
    fn run<S: Simd, const MASK: bool, const GIVEN: bool>(self, simd: S) -> Vec<(f32, f32)> {
        let Self {
            input,
            piece,
            mut dx,
            mut masked,
        } = self;
        let dims = input.dims;
        let count = dims.per_channel() as f64;
        let mut gradient = Source::new(input.gradient, dims);
        let part = input.parts[piece.part];
        let mut x = Source::new(part.data, dims.with_channels(part.channels));
        // A loop and not an iterator's `map`: only what is inlined here is compiled for the vector unit.
        let mut results = Vec::with_capacity(piece.within.len());
        for (c, within) in piece.within.enumerate() {
            let channel = piece.first + c;
            gradient.load(channel);
            x.load(within);
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
            if let Dx::Sum(sum) = &mut dx {
                sum.load(c);
            }
            let pull = Pull {
                constant: (-scale * total / count) as f32,
                factor: (-scale * inverse * inverse * weighted / count) as f32,
            };
            let dx_of = InputGradient::new(simd, affine, pull);
            for n in 0..dims.stretches() {
                let g = match &mut masked {
                    // SAFETY: the loop above has written every stretch of this channel.
                    Some((_, kept)) => unsafe { kept.stretch(c, n).assume_init_ref() },
                    None => gradient.stretch(n),
                };
                let rows = [g, x.stretch(n)];
                match &mut dx {
                    Dx::New(new) => {
                        map(
                            simd,
                            rows,
                            new.stretch(c, n),
                            #[inline(always)]
                            |rows| dx_of.at::<MASK, GIVEN>(rows),
                        );
                    }
                    Dx::Sum(sum) => update(
                        simd,
                        rows,
                        sum.stretch(c, n),
                        #[inline(always)]
                        |sum, rows| simd.add_f32s(sum, dx_of.at::<MASK, GIVEN>(rows)),
                    ),
                }
            }
            match &mut dx {
                Dx::New(new) => new.store(c),
                Dx::Sum(sum) => sum.store(c),
            }
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

/// What normalisation adds to the scaled gradient: `constant + factor * (x - mean)`.
#[derive(Clone, Copy)]
struct Pull {
    constant: f32,
    factor: f32,
}

/// The gradient of the input, a register at a time.
#[derive(Clone, Copy)]
struct InputGradient<S: Simd> {
    simd: S,
    affine: Affine,
    scale: S::f32s,
    constant: S::f32s,
    factor: S::f32s,
}

impl<S: Simd> InputGradient<S> {
    #[inline(always)]
    fn new(simd: S, affine: Affine, pull: Pull) -> Self {
        Self {
            simd,
            affine,
            scale: simd.splat_f32s(affine.scale),
            constant: simd.splat_f32s(pull.constant),
            factor: simd.splat_f32s(pull.factor),
        }
    }

    /// Where the gradient behind the ReLU, or before it with `MASK`, and the input are these.
    #[inline(always)]
    fn at<const MASK: bool, const GIVEN: bool>(self, [g, x]: [S::f32s; 2]) -> S::f32s {
        let simd = self.simd;
        let g = of_affine::<S, MASK>(simd, g, x, self.affine);
        if GIVEN {
            return simd.mul_f32s(g, self.scale);
        }
        let centred = self.affine.centred(simd, x);
        let pull = simd.mul_add_e_f32s(centred, self.factor, self.constant);
        simd.mul_add_e_f32s(g, self.scale, pull)
    }
}
