//! Batch norm over `[images, channels, plane]`, fused with a residual addition and a ReLU.
//!
//! Work is split by channel: the planes of one channel stay in the second-level cache between the
//! passes for the mean, the variance and the output, so memory is read once and written once. A sum
//! never crosses a task, hence the same bits for any number of threads.

mod backward;
mod forward;

pub(crate) use backward::{Backward, Mask, backward};
pub(crate) use forward::{Forward, forward};

use std::mem::MaybeUninit;

use pulp::Simd;

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

    /// In how many stretches a channel is worked on: its planes, or, where those are short, one copy
    /// of them all.
    fn stretches(self) -> usize {
        if self.short() { 1 } else { self.images }
    }
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

/// One channel of a block of channels of an output.
struct Sink<'o> {
    /// The block in each image.
    images: Vec<&'o mut [MaybeUninit<f32>]>,
    dims: Dims,
    gathered: Vec<MaybeUninit<f32>>,
}

impl<'o> Sink<'o> {
    fn new(images: Vec<&'o mut [MaybeUninit<f32>]>, dims: Dims) -> Self {
        let gathered = if dims.short() { dims.per_channel() } else { 0 };
        Self {
            images,
            dims,
            gathered: vec![MaybeUninit::uninit(); gathered],
        }
    }

    /// To be written whole; `channel` counts within the block.
    fn stretch(&mut self, channel: usize, n: usize) -> &mut [MaybeUninit<f32>] {
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

/// Cuts every image into blocks of `block` channels; element `t` holds block `t` of all images.
fn split_channels<T>(buffer: &mut [T], dims: Dims, block: usize) -> Vec<Vec<&mut [T]>> {
    let mut blocks: Vec<Vec<&mut [T]>> = Vec::new();
    blocks.resize_with(dims.channels.div_ceil(block), || {
        Vec::with_capacity(dims.images)
    });
    for image in buffer.chunks_mut(dims.image()) {
        for (task, part) in image.chunks_mut(block * dims.plane).enumerate() {
            blocks[task].push(part);
        }
    }
    blocks
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
