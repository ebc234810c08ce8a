//! Rows of tiles: from images to transformed tiles, and back.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::Simd;

use super::super::product::{PANEL, panel_width};
use super::super::transpose::{Places, Stretch, interleave, separate};
use super::transform::{Transforms, every};
use super::{POSITIONS, Shape, TILE, WINDOW};

/// Transformed tiles: `[position][tile][channel]`.
pub(super) struct Tiles {
    values: Vec<f32>,
    /// From one position to the next.
    stride: usize,
    /// Channels, in whole vectors.
    pub(super) channels: usize,
    /// Where each tile begins in a position.
    pub(super) rows: Vec<usize>,
}

impl Tiles {
    #[inline(always)]
    pub(super) fn new<S: Simd>(tiles: usize, channels: usize) -> Self {
        let channels = channels.next_multiple_of(S::F32_LANES);
        // One vector more, lest all positions of a tile fall into the same set of the cache.
        let stride = tiles * channels + S::F32_LANES;
        Self {
            values: vec![0.0; POSITIONS * stride],
            stride,
            channels,
            rows: (0..tiles).map(|t| t * channels).collect(),
        }
    }

    #[inline(always)]
    pub(super) fn position(&self, position: usize) -> &[f32] {
        &self.values[position * self.stride..(position + 1) * self.stride]
    }
}

/// Six rows of an image, channels innermost: `[row][column][channel]`.
pub(super) struct Strip {
    values: Vec<f32>,
    /// Columns, with the padding on both sides and what the last tile needs.
    columns: usize,
    /// Channels, in whole vectors.
    channels: usize,
}

impl Strip {
    #[inline(always)]
    pub(super) fn new<S: Simd>(shape: &Shape) -> Self {
        let columns = TILE * shape.tiles()[1] + WINDOW - TILE;
        let channels = shape.channels[0].next_multiple_of(S::F32_LANES);
        Self {
            values: vec![0.0; WINDOW * columns * channels],
            columns,
            channels,
        }
    }

    /// Transforms rows of tiles of the input, counted through all images, into `tiles`.
    #[inline(always)]
    pub(super) fn transform<S: Simd>(
        &mut self,
        simd: S,
        shape: &Shape,
        x: &[f32],
        strips: Range<usize>,
        tiles: &mut Tiles,
    ) {
        let [tile_rows, tile_columns] = shape.tiles();
        for (s, at) in strips.enumerate() {
            let image = &x[at / tile_rows * shape.input_image()..][..shape.input_image()];
            self.fill::<S>(shape, image, at % tile_rows);
            self.transform_columns(simd);
            self.transform_rows(simd, tiles, s * tile_columns);
        }
    }

    /// The columns beside the image are zero from the beginning, and stay so.
    #[inline(always)]
    fn fill<S: Simd>(&mut self, shape: &Shape, image: &[f32], r: usize) {
        let [rows, columns] = shape.size;
        let [top, left] = shape.padding;
        let (width, channels) = (self.columns, self.channels);
        let above = top.saturating_sub(r * TILE).min(WINDOW);
        let start = (r * TILE + above).saturating_sub(top).min(rows);
        let inside = (WINDOW - above).min(rows - start);
        let row = width * channels;
        self.values[..above * row].fill(0.0);
        self.values[(above + inside) * row..].fill(0.0);
        let stretch = Stretch {
            channels: shape.channels[0],
            plane: rows * columns,
            first: start * columns,
            pixels: inside * columns,
        };
        let first = (above * width + left) * channels;
        let places = Places::rows(first, channels as isize, row, columns);
        interleave::<S>(image, stretch, &mut self.values, places);
    }

    #[inline(always)]
    fn transform_columns<S: Simd>(&mut self, simd: S) {
        let transforms = Transforms::new(simd);
        let (values, _) = S::as_mut_simd_f32s(&mut self.values);
        let row = values.len() / WINDOW;
        let [a, b, c, d, e, f] = rows_mut(values, row);
        for i in 0..row {
            let t = transforms.input([a[i], b[i], c[i], d[i], e[i], f[i]]);
            [a[i], b[i], c[i], d[i], e[i], f[i]] = t;
        }
    }

    #[inline(always)]
    fn transform_rows<S: Simd>(&mut self, simd: S, tiles: &mut Tiles, first: usize) {
        let transforms = Transforms::new(simd);
        let lanes = S::F32_LANES;
        let (vectors, row) = (self.channels / lanes, self.columns * self.channels / lanes);
        let (values, _) = S::as_simd_f32s(&self.values);
        let stride = tiles.stride / lanes;
        let (out, _) = S::as_mut_simd_f32s(&mut tiles.values);
        for (r, out) in out.chunks_exact_mut(WINDOW * stride).enumerate() {
            let row = &values[r * row..(r + 1) * row];
            let [a, b, c, d, e, f] = rows_mut(out, stride);
            for t in 0..(self.columns - (WINDOW - TILE)) / TILE {
                let source = &row[t * TILE * vectors..][..WINDOW * vectors];
                let at = (first + t) * vectors;
                for v in 0..vectors {
                    let x = every(source, v, vectors);
                    let i = at + v;
                    [a[i], b[i], c[i], d[i], e[i], f[i]] = transforms.input(x);
                }
            }
        }
    }
}

/// Six rows of equal length.
#[inline(always)]
fn rows_mut<T>(values: &mut [T], row: usize) -> [&mut [T]; WINDOW] {
    let (a, rest) = values.split_at_mut(row);
    let (b, rest) = rest.split_at_mut(row);
    let (c, rest) = rest.split_at_mut(row);
    let (d, rest) = rest.split_at_mut(row);
    let (e, f) = rest.split_at_mut(row);
    [a, b, c, d, e, &mut f[..row]]
}

/// Four rows of a panel of output channels, channels innermost: `[row][column][channel of panel]`.
pub(super) struct OutputStrip {
    values: Vec<f32>,
    tiles: usize,
}

/// Which rows of which channels of an image.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) channel: usize,
    pub(super) r: usize,
}

impl OutputStrip {
    #[inline(always)]
    pub(super) fn new<S: Simd>(shape: &Shape) -> Self {
        let tiles = shape.tiles()[1];
        Self {
            values: vec![0.0; TILE * TILE * tiles * panel_width::<S>()],
            tiles,
        }
    }

    /// Transforms sums `[position][tile][channel of panel]` back, of which there are `count` tiles in
    /// a position and those of this row begin at `first`; and stores them into `planes`, which begin
    /// with the panel's first channel.
    #[inline(always)]
    pub(super) fn store<S: Simd>(
        &mut self,
        simd: S,
        shape: &Shape,
        (sums, count, first): (&[S::f32s], usize, usize),
        planes: &mut [MaybeUninit<f32>],
        Place { channel, r }: Place,
    ) {
        let transforms = Transforms::new(simd);
        let width = panel_width::<S>();
        let [rows, columns] = shape.outputs();
        let (out, _) = S::as_mut_simd_f32s(&mut self.values);
        let position = count * PANEL;
        for t in 0..self.tiles {
            let wide = TILE.min(columns - TILE * t);
            for half in 0..PANEL {
                let at = (first + t) * PANEL + half;
                let mut turned = [[simd.splat_f32s(0.0); WINDOW]; TILE];
                for k in 0..WINDOW {
                    let m = every(sums, at + k * position, WINDOW * position);
                    for (turned, y) in turned.iter_mut().zip(transforms.output(m)) {
                        turned[k] = y;
                    }
                }
                for (i, m) in turned.into_iter().enumerate() {
                    let y = transforms.output(m);
                    for (k, y) in y.into_iter().take(wide).enumerate() {
                        out[(i * columns + TILE * t + k) * PANEL + half] = y;
                    }
                }
            }
        }
        let stretch = Stretch {
            channels: width.min(shape.channels[1] - channel),
            plane: rows * columns,
            first: r * TILE * columns,
            pixels: TILE.min(rows - r * TILE) * columns,
        };
        separate::<S>(&self.values, width, planes, stretch);
    }

    /// Transforms rows of tiles of the gradient of the output, counted through all images, for the
    /// panel that begins with `channel`, into `out`: `[position][tile][channel of panel]`.
    #[inline(always)]
    pub(super) fn load<S: Simd>(
        &mut self,
        simd: S,
        shape: &Shape,
        (dy, channel): (&[f32], usize),
        strips: Range<usize>,
        out: &mut [S::f32s],
    ) {
        let [tile_rows, tile_columns] = shape.tiles();
        let count = strips.len() * tile_columns;
        for (s, at) in strips.enumerate() {
            let place = Place {
                channel,
                r: at % tile_rows,
            };
            let image = &dy[at / tile_rows * shape.output_image()..][..shape.output_image()];
            self.load_row(
                simd,
                shape,
                (image, place),
                (&mut *out, count, s * tile_columns),
            );
        }
    }

    /// Of `count` tiles in a position those of this row begin at `first`.
    #[inline(always)]
    fn load_row<S: Simd>(
        &mut self,
        simd: S,
        shape: &Shape,
        (image, Place { channel, r }): (&[f32], Place),
        (out, count, first): (&mut [S::f32s], usize, usize),
    ) {
        let transforms = Transforms::new(simd);
        let width = panel_width::<S>();
        let [rows, columns] = shape.outputs();
        let row = TILE * self.tiles;
        let inside = TILE.min(rows - r * TILE);
        self.values[inside * row * width..].fill(0.0);
        let stretch = Stretch {
            channels: width.min(shape.channels[1] - channel),
            plane: rows * columns,
            first: (channel * rows + r * TILE) * columns,
            pixels: inside * columns,
        };
        // What a panel has beyond the last channel, and a row beyond the last column, is not
        // touched: the one is never looked at, the other zero from the beginning.
        let places = Places::rows(0, width as isize, row * width, columns);
        interleave::<S>(image, stretch, &mut self.values, places);
        let (values, _) = S::as_simd_f32s(&self.values);
        for t in 0..self.tiles {
            for half in 0..PANEL {
                let mut turned = [[simd.splat_f32s(0.0); TILE]; WINDOW];
                for k in 0..TILE {
                    let at = (TILE * t + k) * PANEL + half;
                    let y = every(values, at, row * PANEL);
                    for (turned, z) in turned.iter_mut().zip(transforms.output_adjoint(y)) {
                        turned[k] = z;
                    }
                }
                for (i, y) in turned.into_iter().enumerate() {
                    for (k, z) in transforms.output_adjoint(y).into_iter().enumerate() {
                        out[((WINDOW * i + k) * count + first + t) * PANEL + half] = z;
                    }
                }
            }
        }
    }
}
