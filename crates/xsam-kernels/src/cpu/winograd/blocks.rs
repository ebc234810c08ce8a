//! Many tiles: blocks of tiles, each small enough for the cache, meet all transformed filters.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::super::fresh::written;
use super::super::product::{Left, PANEL, Segment, panel_width, panel_width_on, product};
use super::super::split::{sum_over_images, written_by_images};
use super::strip::{OutputStrip, Place, Strip, Tiles};
use super::{Direction, POSITIONS, Shape, cached, filters};

/// The most tiles in a block.
const TILES: usize = 96;

/// Rows of tiles in a block, when there are so many.
#[inline(always)]
fn strips_in_block<S: Simd>(shape: &Shape) -> usize {
    let [_, columns] = shape.tiles();
    let cached = cached::<S>() / (POSITIONS * shape.channels[0]);
    (cached.min(TILES) / columns).max(1)
}

pub(super) fn convolve(shape: &Shape, x: &[f32], w: &[f32], direction: Direction) -> Vec<f32> {
    let filters = transformed(shape, w, direction);
    // SAFETY: all channels of the images are written, row of tiles by row of tiles.
    unsafe {
        written_by_images(
            shape.batch,
            shape.output_image(),
            (x, shape.input_image()),
            |y, x| {
                shape.arch().dispatch(Convolve {
                    shape,
                    filters: &filters,
                    x,
                    y,
                });
            },
        )
    }
}

/// All filters, transformed: `[panel][position][input][channel of panel]`.
fn transformed(shape: &Shape, w: &[f32], direction: Direction) -> Vec<f32> {
    let width = panel_width_on(shape.arch());
    let panel = POSITIONS * shape.channels[0] * width;
    let mut filters = vec![0.0; shape.channels[1].div_ceil(width) * panel];
    filters
        .par_chunks_mut(panel)
        .enumerate()
        .for_each(|(p, out)| {
            shape.arch().dispatch(FilterPanel {
                shape,
                w,
                direction,
                first: p * width,
                out,
            });
        });
    filters
}

struct FilterPanel<'a> {
    shape: &'a Shape,
    w: &'a [f32],
    direction: Direction,
    first: usize,
    out: &'a mut [f32],
}

impl WithSimd for FilterPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (out, _) = S::as_mut_simd_f32s(self.out);
        let (filters, inputs) = ((self.w, self.direction), 0..self.shape.channels[0]);
        filters::transform(simd, self.shape, filters, self.first, inputs, out);
    }
}

/// The convolution of some images with transformed filters.
struct Convolve<'a> {
    shape: &'a Shape,
    filters: &'a [f32],
    x: &'a [f32],
    y: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            shape,
            filters,
            x,
            y,
        } = self;
        let width = panel_width::<S>();
        let [tile_rows, tile_columns] = shape.tiles();
        let strips = y.len() / shape.output_image() * tile_rows;
        let block = strips_in_block::<S>(shape);
        let [rows, columns] = shape.outputs();

        let mut strip = Strip::new::<S>(shape);
        let mut tiles = Tiles::new::<S>(block * tile_columns, shape.channels[0]);
        let mut sums = vec![simd.splat_f32s(0.0); POSITIONS * block * tile_columns * PANEL];
        let mut output = OutputStrip::new::<S>(shape);
        let (filters, _) = S::as_simd_f32s(filters);
        let depth = shape.channels[0] * PANEL;

        for first in (0..strips).step_by(block) {
            let strips = first..strips.min(first + block);
            let count = strips.len() * tile_columns;
            strip.transform(simd, shape, x, strips.clone(), &mut tiles);
            for (p, filters) in filters.chunks_exact(POSITIONS * depth).enumerate() {
                for (position, filters) in filters.chunks_exact(depth).enumerate() {
                    let a = Left {
                        values: tiles.position(position),
                        rows: &tiles.rows[..count],
                        step: 1,
                        segments: &[Segment {
                            offset: 0,
                            depth: shape.channels[0],
                        }],
                    };
                    let c = &mut sums[position * count * PANEL..][..count * PANEL];
                    product::<S, false>(simd, a, filters, c, PANEL);
                }
                for (s, at) in strips.clone().enumerate() {
                    let place = Place {
                        channel: p * width,
                        r: at % tile_rows,
                    };
                    let image =
                        &mut y[at / tile_rows * shape.output_image()..][..shape.output_image()];
                    let planes = &mut image[p * width * rows * columns..];
                    let sums = (&sums[..], count, s * tile_columns);
                    output.store(simd, shape, sums, planes, place);
                }
            }
        }
    }
}

pub(super) fn weight_gradient(shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (x, dy) = ((x, shape.input_image()), (dy, shape.output_image()));
    let sums = sum_over_images(shape.batch, x, dy, |x, dy| {
        shape.arch().dispatch(Products { shape, x, dy })
    });
    let width = panel_width_on(shape.arch());
    // SAFETY: all taps of the filters of every panel are written.
    unsafe {
        written(shape.weights(), |dw| {
            dw.par_chunks_mut(width * shape.channels[0] * 9)
                .zip(sums.par_chunks(POSITIONS * shape.channels[0] * width))
                .for_each(|(out, sums)| {
                    shape.arch().dispatch(Inverse { shape, sums, out });
                });
        })
    }
}

/// Products in transformed space over some images: `[panel][position][input][channel of panel]`.
struct Products<'a> {
    shape: &'a Shape,
    x: &'a [f32],
    dy: &'a [f32],
}

impl WithSimd for Products<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { shape, x, dy } = self;
        let width = panel_width::<S>();
        let [tile_rows, tile_columns] = shape.tiles();
        let strips = dy.len() / shape.output_image() * tile_rows;
        let block = strips_in_block::<S>(shape);
        let panel = POSITIONS * shape.channels[0] * width;

        let mut strip = Strip::new::<S>(shape);
        let mut tiles = Tiles::new::<S>(block * tile_columns, shape.channels[0]);
        let mut output = OutputStrip::new::<S>(shape);
        let mut right = vec![simd.splat_f32s(0.0); POSITIONS * block * tile_columns * PANEL];
        let mut sums = vec![0.0; shape.channels[1].div_ceil(width) * panel];
        let rows: Vec<_> = (0..shape.channels[0]).collect();

        for first in (0..strips).step_by(block) {
            let strips = first..strips.min(first + block);
            let count = strips.len() * tile_columns;
            strip.transform(simd, shape, x, strips.clone(), &mut tiles);
            for (p, sums) in sums.chunks_exact_mut(panel).enumerate() {
                let gradient = (dy, p * width);
                output.load(simd, shape, gradient, strips.clone(), &mut right);
                let (sums, _) = S::as_mut_simd_f32s(sums);
                for (position, sums) in sums.chunks_exact_mut(shape.channels[0] * PANEL).enumerate()
                {
                    let a = Left {
                        values: tiles.position(position),
                        rows: &rows,
                        step: tiles.channels,
                        segments: &[Segment {
                            offset: 0,
                            depth: count,
                        }],
                    };
                    let b = &right[position * count * PANEL..][..count * PANEL];
                    product::<S, true>(simd, a, b, sums, PANEL);
                }
            }
        }
        sums
    }
}

/// From the products of a panel to its filters.
struct Inverse<'a> {
    shape: &'a Shape,
    sums: &'a [f32],
    out: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Inverse<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (sums, _) = S::as_simd_f32s(self.sums);
        filters::adjoint(simd, self.shape, sums, 0..self.shape.channels[0], self.out);
    }
}
