//! Batch norm over `[images, channels, plane]`, fused with a residual addition and a ReLU. The channels
//! may lie in several tensors.
//!
//! Work is split by channel: the planes of one channel stay in the second-level cache between the
//! passes for the mean, the variance and the output, so memory is read once and written once. A sum
//! never crosses a task, hence the same bits for any number of threads.

mod backward;
mod forward;

pub(crate) use backward::{Backward, Mask, backward};
pub(crate) use forward::{Forward, forward};

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::Simd;

use super::split::items_per_task;

/// The dimensions of a tensor in NCHW order, with H and W (and any more) merged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dims {
    pub(crate) images: usize,
    pub(crate) channels: usize,
    pub(crate) plane: usize,
}

impl Dims {
    fn image(self) -> usize {
        self.channels * self.plane
    }

    fn len(self) -> usize {
        self.images * self.image()
    }

    fn per_channel(self) -> usize {
        self.images * self.plane
    }

    /// Whether the planes are too short for vectors to stay full.
    fn short(self) -> bool {
        self.plane < 32
    }

    /// Of a part with so many channels.
    fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }

    /// In how many stretches a channel is worked on: its planes, or, where those are short, one copy
    /// of them all.
    fn stretches(self) -> usize {
        if self.short() { 1 } else { self.images }
    }
}

/// A tensor that has some of the channels of an input: all images, of which each is `channels` planes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) channels: usize,
}

/// Checks that the parts, and the tensors `whole` of all channels, fill their shapes.
fn check(dims: Dims, parts: &[Part<'_>], whole: &[Option<&[f32]>]) {
    let channels: usize = parts.iter().map(|part| part.channels).sum();
    assert_eq!(channels, dims.channels, "the parts have other channels");
    let shaped = parts
        .iter()
        .map(|part| (part.data, dims.with_channels(part.channels)));
    let whole = whole.iter().flatten().map(|&data| (data, dims));
    for (data, dims) in shaped.chain(whole) {
        assert_eq!(data.len(), dims.len(), "a tensor does not fill its shape");
    }
}

/// Channels that one task works on.
#[derive(Clone, Debug)]
struct Piece {
    /// The part they are all of.
    part: usize,
    /// Their numbers in the part.
    within: Range<usize>,
    /// The first one's number among all channels.
    first: usize,
}

/// Cuts the channels of all parts, in their order.
fn pieces(dims: Dims, parts: &[Part<'_>]) -> Vec<Piece> {
    let block = items_per_task(dims.channels, dims.per_channel());
    let mut pieces = Vec::new();
    let mut first = 0;
    for (part, Part { channels, .. }) in parts.iter().enumerate() {
        for start in (0..*channels).step_by(block) {
            let within = start..(start + block).min(*channels);
            let length = within.len();
            pieces.push(Piece {
                part,
                within,
                first,
            });
            first += length;
        }
    }
    pieces
}

/// One channel of an input.
struct Source<'a> {
    data: &'a [f32],
    dims: Dims,
    channel: usize,
    gathered: Vec<f32>,
}

impl<'a> Source<'a> {
    fn new(data: &'a [f32], dims: Dims) -> Self {
        Self {
            data,
            dims,
            channel: 0,
            gathered: Vec::new(),
        }
    }

    fn plane(&self, image: usize) -> &'a [f32] {
        let Dims { plane, .. } = self.dims;
        &self.data[image * self.dims.image() + self.channel * plane..][..plane]
    }

    /// Turns to a channel.
    fn load(&mut self, channel: usize) {
        self.channel = channel;
        if self.dims.short() {
            self.gathered.clear();
            for image in 0..self.dims.images {
                self.gathered.extend_from_slice(self.plane(image));
            }
        }
    }

    fn stretch(&self, n: usize) -> &[f32] {
        if self.dims.short() {
            &self.gathered
        } else {
            self.plane(n)
        }
    }
}

/// One channel of a piece of an output.
struct Sink<'o, T> {
    /// The piece in each image.
    images: Vec<&'o mut [T]>,
    dims: Dims,
    gathered: Vec<T>,
}

impl<'o> Sink<'o, MaybeUninit<f32>> {
    /// An output that is to be written whole.
    fn of_new(images: Vec<&'o mut [MaybeUninit<f32>]>, dims: Dims) -> Self {
        Self::new(images, dims, MaybeUninit::uninit())
    }
}

impl<'o> Sink<'o, f32> {
    /// An output that holds something already.
    fn of_old(images: Vec<&'o mut [f32]>, dims: Dims) -> Self {
        Self::new(images, dims, 0.0)
    }

    /// Makes what the channel holds available.
    fn load(&mut self, channel: usize) {
        let Dims { plane, .. } = self.dims;
        if self.dims.short() {
            for (image, values) in self
                .images
                .iter()
                .zip(self.gathered.chunks_exact_mut(plane))
            {
                values.copy_from_slice(&image[channel * plane..][..plane]);
            }
        }
    }
}

impl<'o, T: Copy> Sink<'o, T> {
    fn new(images: Vec<&'o mut [T]>, dims: Dims, blank: T) -> Self {
        let gathered = if dims.short() { dims.per_channel() } else { 0 };
        Self {
            images,
            dims,
            gathered: vec![blank; gathered],
        }
    }

    /// Where the values go; `channel` counts within the piece.
    fn stretch(&mut self, channel: usize, n: usize) -> &mut [T] {
        if self.dims.short() {
            &mut self.gathered
        } else {
            &mut self.images[n][channel * self.dims.plane..][..self.dims.plane]
        }
    }

    /// Puts the channel, all of whose stretches are written, where it belongs.
    fn store(&mut self, channel: usize) {
        let Dims { plane, .. } = self.dims;
        if self.dims.short() {
            for (image, values) in self
                .images
                .iter_mut()
                .zip(self.gathered.chunks_exact(plane))
            {
                image[channel * plane..][..plane].copy_from_slice(values);
            }
        }
    }
}

/// How many channels each piece has.
fn widths(pieces: &[Piece]) -> Vec<usize> {
    pieces.iter().map(|piece| piece.within.len()).collect()
}

/// Cuts every image into pieces of so many channels; element `t` holds piece `t` of all images.
fn split_channels<'o, T>(
    buffer: &'o mut [T],
    dims: Dims,
    widths: &[usize],
) -> Vec<Vec<&'o mut [T]>> {
    let mut pieces: Vec<Vec<&mut [T]>> = Vec::new();
    pieces.resize_with(widths.len(), || Vec::with_capacity(dims.images));
    for mut image in buffer.chunks_mut(dims.image().max(1)) {
        for (piece, width) in pieces.iter_mut().zip(widths) {
            let (head, tail) = image.split_at_mut(width * dims.plane);
            piece.push(head);
            image = tail;
        }
    }
    pieces
}

/// What turns one channel's input into its output: `(x - mean) * scale + shift`.
///
/// The mean comes off first: its difference from `x` is exact or nearly so, whereas `x * scale` and a
/// shift made of the mean would both be rounded to the size of a mean that may be large.
#[derive(Clone, Copy)]
struct Affine {
    mean: f32,
    scale: f32,
    shift: f32,
}

impl Affine {
    #[inline(always)]
    fn centred<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        simd.sub_f32s(x, simd.splat_f32s(self.mean))
    }

    /// The same in both directions, to the bit: the ReLU's sign is found again by it.
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let (scale, shift) = (simd.splat_f32s(self.scale), simd.splat_f32s(self.shift));
        simd.mul_add_e_f32s(self.centred(simd, x), scale, shift)
    }
}

/// One over the standard deviation.
fn inverse_deviation(variance: f32, epsilon: f64) -> f64 {
    (f64::from(variance) + epsilon).sqrt().recip()
}
