//! Few tiles: panels of filters, transformed a few inputs at a time, meet all tiles.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::super::fresh::written;
use super::super::product::{Left, PANEL, Segment, panel_width, panel_width_on, product};
use super::strip::{OutputStrip, Place, Strip, Tiles};
use super::{Direction, POSITIONS, Shape, cached, filters};

/// Tiles that are transformed together, of which the products take up to 12 at a time.
const TOGETHER: usize = 48;

/// Rows of tiles that are transformed together.
fn strips_in_group(shape: &Shape) -> usize {
    TOGETHER.div_ceil(shape.tiles()[1])
}

/// Inputs whose transformed filters fit in the cache.
fn inputs_at_once<S: Simd>(shape: &Shape) -> usize {
    let inputs = (cached::<S>() / (POSITIONS * panel_width::<S>())).next_multiple_of(S::F32_LANES);
    inputs.min(shape.channels[0])
}

/// All tiles of the input, transformed, a group after the other.
fn transformed(shape: &Shape, x: &[f32]) -> Vec<Tiles> {
    let strips = shape.batch * shape.tiles()[0];
    let group = strips_in_group(shape);
    let groups: Vec<_> = (0..strips).step_by(group).collect();
    groups
        .into_par_iter()
        .map(|first| {
            shape.arch().dispatch(Group {
                shape,
                x,
                strips: first..strips.min(first + group),
            })
        })
        .collect()
}

struct Group<'a> {
    shape: &'a Shape,
    x: &'a [f32],
    strips: std::ops::Range<usize>,
}

impl WithSimd for Group<'_> {
    type Output = Tiles;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Tiles {
        let Self { shape, x, strips } = self;
        let mut strip = Strip::new::<S>(shape);
        let mut tiles = Tiles::new::<S>(strips.len() * shape.tiles()[1], shape.channels[0]);
        strip.transform(simd, shape, x, strips, &mut tiles);
        tiles
    }
}

pub(super) fn convolve(shape: &Shape, x: &[f32], w: &[f32], direction: Direction) -> Vec<f32> {
    let groups = transformed(shape, x);
    let width = panel_width_on(shape.arch());
    let [rows, columns] = shape.outputs();
    // SAFETY: every panel writes its planes of all images, row of tiles by row of tiles.
    unsafe {
        written(shape.batch * shape.output_image(), |y| {
            // The planes of a panel in every image.
            let mut panels: Vec<Vec<_>> = Vec::new();
            panels.resize_with(shape.channels[1].div_ceil(width), Vec::new);
            for image in y.chunks_exact_mut(shape.output_image()) {
                let planes = image.chunks_mut(width * rows * columns);
                for (panel, planes) in panels.iter_mut().zip(planes) {
                    panel.push(planes);
                }
            }
            panels.into_par_iter().enumerate().for_each(|(p, images)| {
                shape.arch().dispatch(ConvolvePanel {
                    shape,
                    groups: &groups,
                    filters: (w, direction),
                    channel: p * width,
                    images,
                });
            });
        })
    }
}

/// The convolution of all tiles with the filters of a panel.
struct ConvolvePanel<'a> {
    shape: &'a Shape,
    groups: &'a [Tiles],
    filters: (&'a [f32], Direction),
    channel: usize,
    images: Vec<&'a mut [MaybeUninit<f32>]>,
}

impl WithSimd for ConvolvePanel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            shape,
            groups,
            filters,
            channel,
            mut images,
        } = self;
        let [tile_rows, tile_columns] = shape.tiles();
        let strips = shape.batch * tile_rows;
        let group = strips_in_group(shape);
        let zero = simd.splat_f32s(0.0);
        let inputs = inputs_at_once::<S>(shape);
        let mut transformed = vec![zero; POSITIONS * inputs * PANEL];
        let mut sums = vec![zero; POSITIONS * strips * tile_columns * PANEL];
        let mut output = OutputStrip::new::<S>(shape);
        let group_sums = POSITIONS * group * tile_columns * PANEL;

        for begin in (0..shape.channels[0]).step_by(inputs) {
            let inputs = begin..shape.channels[0].min(begin + inputs);
            let depth = inputs.len() * PANEL;
            let b = &mut transformed[..POSITIONS * depth];
            filters::transform(simd, shape, filters, channel, inputs.clone(), b);
            for (tiles, sums) in groups.iter().zip(sums.chunks_mut(group_sums)) {
                let count = sums.len() / (POSITIONS * PANEL);
                let sums = sums.chunks_exact_mut(count * PANEL);
                for ((position, sums), b) in sums.enumerate().zip(b.chunks_exact(depth)) {
                    let a = Left {
                        values: tiles.position(position),
                        rows: &tiles.rows[..count],
                        step: 1,
                        segments: &[Segment {
                            offset: begin,
                            depth: inputs.len(),
                        }],
                    };
                    if begin == 0 {
                        product::<S, false>(simd, a, b, sums, PANEL);
                    } else {
                        product::<S, true>(simd, a, b, sums, PANEL);
                    }
                }
            }
        }
        for (g, sums) in sums.chunks(group_sums).enumerate() {
            let count = sums.len() / (POSITIONS * PANEL);
            for s in 0..count / tile_columns {
                let at = g * group + s;
                let place = Place {
                    channel,
                    r: at % tile_rows,
                };
                let planes = &mut *images[at / tile_rows];
                let sums = (sums, count, s * tile_columns);
                output.store(simd, shape, sums, planes, place);
            }
        }
    }
}

pub(super) fn weight_gradient(shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let groups = transformed(shape, x);
    let width = panel_width_on(shape.arch());
    // SAFETY: every panel writes all taps of its filters.
    unsafe {
        written(shape.weights(), |dw| {
            dw.par_chunks_mut(width * shape.channels[0] * 9)
                .enumerate()
                .for_each(|(p, out)| {
                    shape.arch().dispatch(GradientPanel {
                        shape,
                        groups: &groups,
                        dy,
                        channel: p * width,
                        out,
                    });
                });
        })
    }
}

/// The gradient of the filters of a panel.
struct GradientPanel<'a> {
    shape: &'a Shape,
    groups: &'a [Tiles],
    dy: &'a [f32],
    channel: usize,
    out: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for GradientPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            shape,
            groups,
            dy,
            channel,
            out,
        } = self;
        let [tile_rows, tile_columns] = shape.tiles();
        let strips = shape.batch * tile_rows;
        let count = strips * tile_columns;
        let zero = simd.splat_f32s(0.0);
        let mut output = OutputStrip::new::<S>(shape);
        let mut right = vec![zero; POSITIONS * count * PANEL];
        output.load(simd, shape, (dy, channel), 0..strips, &mut right);

        let inputs = inputs_at_once::<S>(shape);
        let rows: Vec<_> = (0..inputs).collect();
        let mut sums = vec![zero; POSITIONS * inputs * PANEL];
        let group = strips_in_group(shape) * tile_columns;
        for begin in (0..shape.channels[0]).step_by(inputs) {
            let inputs = begin..shape.channels[0].min(begin + inputs);
            let sums = &mut sums[..POSITIONS * inputs.len() * PANEL];
            for (position, sums) in sums.chunks_exact_mut(inputs.len() * PANEL).enumerate() {
                for (g, tiles) in groups.iter().enumerate() {
                    let depth = group.min(count - g * group);
                    let a = Left {
                        values: tiles.position(position),
                        rows: &rows[..inputs.len()],
                        step: tiles.channels,
                        segments: &[Segment {
                            offset: begin,
                            depth,
                        }],
                    };
                    let b = &right[(position * count + g * group) * PANEL..][..depth * PANEL];
                    if g == 0 {
                        product::<S, false>(simd, a, b, sums, PANEL);
                    } else {
                        product::<S, true>(simd, a, b, sums, PANEL);
                    }
                }
            }
            filters::adjoint(simd, shape, sums, inputs, out);
        }
    }
}
