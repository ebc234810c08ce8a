//! The convolution, and the gradient of its input, which is one too.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::super::isa::arch;
use super::super::split::written_by_images;
use super::planes::{Layout, Place};
use super::{Direction, Shape, load};

/// Vectors of outputs that a tile has.
const VECTORS: usize = 3;
/// Vectors of outputs that images are taken together for, where one has fewer.
const TOGETHER: usize = 4 * VECTORS;

/// Output channels of a tile: as many as leave registers for the inputs and a weight.
#[inline(always)]
const fn channels_of_tile(lanes: usize) -> usize {
    if lanes >= 16 { 8 } else { 4 }
}

/// `y = x * w`, with `x` `[batch, input, rows, columns]` and `w` `[output, input, ..]`.
pub(crate) fn forward(shape: &Shape, x: &[f32], w: &[f32]) -> Vec<f32> {
    arch().dispatch(Convolution {
        shape,
        x,
        w,
        direction: Direction::Forward,
    })
}

/// Gradient of `x` from that of `y`, of a convolution of stride 1.
pub(crate) fn input_gradient(shape: &Shape, dy: &[f32], w: &[f32]) -> Vec<f32> {
    arch().dispatch(Convolution {
        shape: &shape.transposed(),
        x: dy,
        w,
        direction: Direction::Backward,
    })
}

struct Convolution<'a> {
    shape: &'a Shape,
    x: &'a [f32],
    w: &'a [f32],
    direction: Direction,
}

impl WithSimd for Convolution<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { shape, x, .. } = self;
        let layout = Layout::new(shape, S::F32_LANES);
        let filters = self.filters(channels_of_tile(S::F32_LANES));
        let input = (x, shape.input_image());
        // SAFETY: all vectors of all channels of the images are written.
        unsafe {
            written_by_images(shape.batch, shape.output_image(), input, |y, x| {
                simd.vectorize(Images {
                    shape,
                    layout: &layout,
                    filters: &filters,
                    x,
                    y,
                });
            })
        }
    }
}

impl Convolution<'_> {
    /// The filters in the order in which they are used: `[tile][input][tap][output of the tile]`.
    fn filters(&self, together: usize) -> Vec<f32> {
        let ([inputs, outputs], taps) = (self.shape.channels, self.shape.taps());
        let tile = inputs * taps * together;
        let mut filters = vec![0.0; outputs.div_ceil(together) * tile];
        for output in 0..outputs {
            let filters = &mut filters[output / together * tile + output % together..];
            for input in 0..inputs {
                for tap in 0..taps {
                    let from = match self.direction {
                        Direction::Forward => (output * inputs + input) * taps + tap,
                        Direction::Backward => (input * outputs + output + 1) * taps - 1 - tap,
                    };
                    filters[(input * taps + tap) * together] = self.w[from];
                }
            }
        }
        filters
    }
}

/// The convolution of some images.
struct Images<'a> {
    shape: &'a Shape,
    layout: &'a Layout,
    filters: &'a [f32],
    x: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Images<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::F32_LANES >= 16 {
            self.run::<S, { channels_of_tile(16) }>(simd);
        } else {
            self.run::<S, { channels_of_tile(1) }>(simd);
        }
    }
}

impl Images<'_> {
    #[inline(always)]
    fn run<S: Simd, const CHANNELS: usize>(self, simd: S) {
        let Self {
            shape,
            layout,
            filters,
            x,
            y,
        } = self;
        let tiles = Tiles {
            shape,
            layout,
            filters,
        };
        let together = layout.images_at_once(TOGETHER, y.len() / shape.output_image());
        let given = layout.is_given(shape);
        let mut room = layout.room(if given { 0 } else { together });
        let places: Vec<_> = (0..together)
            .flat_map(|n| {
                layout.places.iter().map(move |place| Place {
                    input: n * layout.image + place.input,
                    output: n * shape.output_image() + place.output,
                    len: place.len,
                })
            })
            .collect();
        let images = x.chunks(together * shape.input_image());
        for (x, y) in images.zip(y.chunks_mut(together * shape.output_image())) {
            let x = if given {
                x
            } else {
                layout.fill(shape, x, &mut room);
                &room
            };
            let images = y.len() / shape.output_image();
            let mut places = &places[..images * layout.places.len()];
            // Three and one would leave the one to wait for its own sums.
            while !places.is_empty() {
                let now = match places.len() {
                    1 => tiles.store::<S, CHANNELS, 1>(simd, places, x, y),
                    2 | 4 => tiles.store::<S, CHANNELS, 2>(simd, places, x, y),
                    _ => tiles.store::<S, CHANNELS, VECTORS>(simd, places, x, y),
                };
                places = &places[now..];
            }
        }
    }
}

/// All output channels, some at a time, of some vectors of outputs.
#[derive(Clone, Copy)]
struct Tiles<'a> {
    shape: &'a Shape,
    layout: &'a Layout,
    filters: &'a [f32],
}

impl Tiles<'_> {
    /// Writes the outputs of the first of the places, and returns of how many.
    #[inline(always)]
    fn store<S: Simd, const CHANNELS: usize, const VECTORS: usize>(
        self,
        simd: S,
        places: &[Place],
        x: &[f32],
        y: &mut [MaybeUninit<f32>],
    ) -> usize {
        let Some(places) = places.first_chunk::<VECTORS>() else {
            return 0;
        };
        let [inputs, outputs] = self.shape.channels;
        let pixels = self.shape.output_image() / outputs;
        let seen = places.map(|place| place.input);
        let tiles = self
            .filters
            .chunks_exact(inputs * self.layout.taps.len() * CHANNELS);
        for (t, filters) in tiles.enumerate() {
            let sums = self.sums::<S, CHANNELS, VECTORS>(simd, filters, x, seen);
            for (o, sums) in (t * CHANNELS..outputs).zip(&sums) {
                for (place, sum) in places.iter().zip(sums) {
                    let y = &mut y[o * pixels + place.output..][..place.len];
                    let sum: &[f32] = pulp::bytemuck::cast_slice(std::slice::from_ref(sum));
                    if place.len == S::F32_LANES {
                        y[..S::F32_LANES].write_copy_of_slice(&sum[..S::F32_LANES]);
                    } else {
                        y.write_copy_of_slice(&sum[..place.len]);
                    }
                }
            }
        }
        VECTORS
    }

    #[inline(always)]
    fn sums<S: Simd, const CHANNELS: usize, const VECTORS: usize>(
        self,
        simd: S,
        filters: &[f32],
        x: &[f32],
        places: [usize; VECTORS],
    ) -> [[S::f32s; VECTORS]; CHANNELS] {
        let layout = self.layout;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; CHANNELS];
        let filters = filters.as_chunks::<CHANNELS>().0;
        let inputs = filters.len() / layout.taps.len();
        let last = places.into_iter().fold(0, usize::max)
            + layout.last_tap
            + (inputs - 1) * layout.channel;
        assert!(last + S::F32_LANES <= x.len());
        for (input, filters) in filters.chunks_exact(layout.taps.len()).enumerate() {
            let channel = input * layout.channel;
            for (tap, weights) in layout.taps.iter().zip(filters) {
                let mut seen = [simd.splat_f32s(0.0); VECTORS];
                for (seen, place) in seen.iter_mut().zip(places) {
                    // SAFETY: what is read last was checked above.
                    *seen = unsafe { load::<S>(x, channel + tap + place) };
                }
                for (sums, weight) in sums.iter_mut().zip(weights) {
                    let weight = simd.splat_f32s(*weight);
                    for (sum, seen) in sums.iter_mut().zip(seen) {
                        *sum = simd.mul_add_f32s(weight, seen, *sum);
                    }
                }
            }
        }
        sums
    }
}
