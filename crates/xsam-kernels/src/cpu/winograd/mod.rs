//! 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): 2.25 multiplications where there were 9.
//!
//! Tensors are NCHW outside. Inside, channels are innermost, so that every transform works on whole
//! vectors of channels. Tiles of 6x6 inputs and all filters are transformed, multiplied position by
//! position over the channels, a panel of output channels at a time, and transformed back.
//!
//! Two orders of the work keep what is used again in the cache: where there are many tiles, blocks of
//! tiles meet all filters ([`blocks`]); where there are few, panels of filters meet all tiles
//! ([`panels`]), and a transformed filter is used at once and never stored.

mod blocks;
mod filters;
mod panels;
mod strip;
#[cfg(test)]
mod tests;
mod transform;

use pulp::{Arch, Simd};

use super::shape::{Direction, Shape};
use crate::cpu::isa::arch_for;

/// Positions of a transformed tile.
const POSITIONS: usize = 36;
/// Edge of an output tile.
const TILE: usize = 4;
/// Edge of an input tile.
const WINDOW: usize = 6;
/// Numbers that are to stay in a core's cache: half of the 512 KiB that a small one of AVX2 has, and of the 1 MiB of AVX-512.
/// Sums are split by it: were it the size of this very cache, another processor would give other bits.
#[inline(always)]
fn cached<S: Simd>() -> usize {
    if S::F32_LANES >= 16 { 1 << 17 } else { 1 << 16 }
}
/// The most numbers that all transformed tiles together may take, 64 MiB, to be held at once.
const HELD: usize = 1 << 24;

impl Shape {
    /// Numbers in all filters.
    fn weights(&self) -> usize {
        self.channels[1] * self.channels[0] * self.taps()
    }

    /// Rows and columns of tiles in an image.
    fn tiles(&self) -> [usize; 2] {
        self.outputs().map(|n| n.div_ceil(TILE))
    }

    /// What it is computed on.
    fn arch(&self) -> Arch {
        arch_for(self.channels[1])
    }

    /// Whether the tiles are so few that reading them again for each panel of filters costs less
    /// than reading the filters again for each block of tiles.
    fn has_few_tiles(&self) -> bool {
        let [rows, columns] = self.tiles();
        let tiles = self.batch * rows * columns;
        tiles <= self.channels[1] && tiles * self.channels[0] * POSITIONS <= HELD
    }
}

/// Products of an input and a filter in each position of a tile.
pub(crate) fn products(shape: &Shape) -> usize {
    let [rows, columns] = shape.tiles();
    shape.batch * rows * columns * shape.channels[0] * shape.channels[1]
}

/// `y = x * w`, with `x` `[batch, input, rows, columns]` and `w` `[output, input, 3, 3]`.
pub(crate) fn forward(shape: &Shape, x: &[f32], w: &[f32]) -> Vec<f32> {
    convolve(shape, x, w, Direction::Forward)
}

/// Gradient of `x` from that of `y`.
pub(crate) fn input_gradient(shape: &Shape, dy: &[f32], w: &[f32]) -> Vec<f32> {
    convolve(&shape.transposed(), dy, w, Direction::Backward)
}

fn convolve(shape: &Shape, x: &[f32], w: &[f32], direction: Direction) -> Vec<f32> {
    if shape.has_few_tiles() {
        panels::convolve(shape, x, w, direction)
    } else {
        blocks::convolve(shape, x, w, direction)
    }
}

/// Gradient of the filters `[output, input, 3, 3]`, from the input and the gradient of the output:
/// `dW = G^T ((B^T x B) * (A dy A^T)) G`, summed over tiles.
pub(crate) fn weight_gradient(shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    if shape.has_few_tiles() {
        panels::weight_gradient(shape, x, dy)
    } else {
        blocks::weight_gradient(shape, x, dy)
    }
}
