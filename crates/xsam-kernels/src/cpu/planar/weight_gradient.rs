//! The gradient of the filters.

use pulp::{Simd, WithSimd};

use super::super::isa::arch;
use super::super::split::sum_over_images;
use super::planes::Layout;
use super::{Shape, load};

/// Output channels of a tile.
const CHANNELS: usize = 4;
/// Vectors of outputs for which a sum stays in its register, if there are so many.
const VECTORS: usize = 64;

/// Weights of an output channel in a tile: as many as leave registers for the gradients and an input.
#[inline(always)]
const fn weights_of_tile(lanes: usize) -> usize {
    if lanes >= 16 { 6 } else { 3 }
}

/// Gradient of `w` `[output, input, ..]` from the input and the gradient of `y`.
pub(crate) fn weight_gradient(shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (x, dy) = ((x, shape.input_image()), (dy, shape.output_image()));
    sum_over_images(shape.batch, x, dy, |x, dy| {
        arch().dispatch(Images { shape, x, dy })
    })
}

/// The sum over some images.
struct Images<'a> {
    shape: &'a Shape,
    x: &'a [f32],
    dy: &'a [f32],
}

impl WithSimd for Images<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        if S::F32_LANES >= 16 {
            self.run::<S, { weights_of_tile(16) }>(simd)
        } else {
            self.run::<S, { weights_of_tile(1) }>(simd)
        }
    }
}

impl Images<'_> {
    #[inline(always)]
    fn run<S: Simd, const WEIGHTS: usize>(self, simd: S) -> Vec<f32> {
        let Self { shape, x, dy } = self;
        let layout = Layout::new(shape, S::F32_LANES);
        let [inputs, outputs] = shape.channels;
        let together = layout.images_at_once(VECTORS, dy.len() / shape.output_image());
        let mut room = layout.room(together);
        // What the first output sees of each weight's input.
        let weights: Vec<_> = (0..inputs)
            .flat_map(|i| layout.taps.iter().map(move |tap| i * layout.channel + tap))
            .collect();
        let tiles = weights.len().div_ceil(WEIGHTS);
        let zero = [[simd.splat_f32s(0.0); WEIGHTS]; CHANNELS];
        let mut sums = vec![zero; outputs.div_ceil(CHANNELS) * tiles];
        let images = x.chunks(together * shape.input_image());
        for (x, dy) in images.zip(dy.chunks(together * shape.output_image())) {
            layout.fill(shape, x, &mut room);
            for (c, sums) in sums.chunks_exact_mut(tiles).enumerate() {
                for (t, sums) in sums.iter_mut().enumerate() {
                    let mut seen = [0; WEIGHTS];
                    for (i, seen) in seen.iter_mut().enumerate() {
                        *seen = weights[(t * WEIGHTS + i).min(weights.len() - 1)];
                    }
                    let tile = Tile {
                        shape,
                        layout: &layout,
                        x: &room,
                        dy,
                    };
                    tile.add(simd, c * CHANNELS, seen, sums);
                }
            }
        }
        let mut gradient = vec![0.0; outputs * weights.len()];
        for (o, gradient) in gradient.chunks_exact_mut(weights.len()).enumerate() {
            for (i, w) in gradient.iter_mut().enumerate() {
                let tile = &sums[o / CHANNELS * tiles + i / WEIGHTS];
                *w = simd.reduce_sum_f32s(tile[o % CHANNELS][i % WEIGHTS]);
            }
        }
        gradient
    }
}

/// Some weights of some output channels.
#[derive(Clone, Copy)]
struct Tile<'a> {
    shape: &'a Shape,
    layout: &'a Layout,
    x: &'a [f32],
    dy: &'a [f32],
}

impl Tile<'_> {
    /// Adds the products of all images to the sums of the channels from `first` on.
    #[inline(always)]
    fn add<S: Simd, const WEIGHTS: usize>(
        self,
        simd: S,
        first: usize,
        seen: [usize; WEIGHTS],
        sums: &mut [[S::f32s; WEIGHTS]; CHANNELS],
    ) {
        let Self {
            shape,
            layout,
            x,
            dy,
        } = self;
        let (image, outputs) = (shape.output_image(), shape.channels[1]);
        let pixels = image / outputs;
        let mut planes = [0; CHANNELS];
        for (c, plane) in planes.iter_mut().enumerate() {
            *plane = (first + c).min(outputs - 1) * pixels;
        }
        let last = layout.places.last().map_or(0, |place| place.input);
        let last = last + seen.into_iter().fold(0, usize::max);
        let mut total = *sums;
        for (n, dy) in dy.chunks_exact(image).enumerate() {
            let x = &x[n * layout.image..];
            assert!(last + S::F32_LANES <= x.len());
            for place in &layout.places {
                let mut gradients = [simd.splat_f32s(0.0); CHANNELS];
                if place.len == S::F32_LANES {
                    for (gradient, plane) in gradients.iter_mut().zip(planes) {
                        // SAFETY: the vector lies in the plane, and the plane in the image.
                        *gradient = unsafe { load::<S>(dy, plane + place.output) };
                    }
                } else {
                    for (gradient, plane) in gradients.iter_mut().zip(planes) {
                        let dy = &dy[plane + place.output..][..place.len];
                        *gradient = simd.partial_load_f32s(dy);
                    }
                }
                for (w, seen) in seen.into_iter().enumerate() {
                    // SAFETY: what is read last was checked above.
                    let input = unsafe { load::<S>(x, place.input + seen) };
                    for (total, gradient) in total.iter_mut().zip(gradients) {
                        total[w] = simd.mul_add_f32s(gradient, input, total[w]);
                    }
                }
            }
        }
        *sums = total;
    }
}
