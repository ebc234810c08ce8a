//! Right matrices of products, in panels of a few columns.

use std::ops::Range;

use pulp::Simd;

use super::matrix::Matrix;
use super::product::{Left, PANEL, Segment, panel_width, product};
use super::transpose::{Places, Stretch, interleave};

/// Packs some rows and columns of a matrix: `[panel][row of the block][column of the panel]`, with zeros for the
/// columns that a last panel lacks.
#[inline(always)]
pub(super) fn pack<S: Simd>(
    matrix: Matrix<'_>,
    block: Range<usize>,
    columns: Range<usize>,
    panels: &mut [f32],
) {
    let (width, depth) = (panel_width::<S>(), block.len());
    if !columns.len().is_multiple_of(width) {
        panels[columns.len() / width * width * depth..].fill(0.0);
    }
    let values = &matrix.values[block.start * matrix.row + columns.start * matrix.column..];
    if matrix.column == 1 {
        for k in 0..depth {
            let row = &values[k * matrix.row..][..columns.len()];
            for (p, x) in row.chunks(width).enumerate() {
                let out = &mut panels[(p * depth + k) * width..][..x.len()];
                let (x_registers, x_rest) = S::as_simd_f32s(x);
                let (registers, rest) = S::as_mut_simd_f32s(out);
                if x_registers.len() == PANEL {
                    // A length known to the compiler spares a call for every few numbers.
                    registers[..PANEL].copy_from_slice(&x_registers[..PANEL]);
                } else {
                    registers.copy_from_slice(x_registers);
                    rest.copy_from_slice(x_rest);
                }
            }
        }
    } else {
        for (p, panel) in panels.chunks_exact_mut(depth * width).enumerate() {
            let stretch = Stretch {
                channels: width.min(columns.len() - p * width),
                plane: matrix.column,
                first: p * width * matrix.column,
                pixels: depth,
            };
            interleave::<S>(values, stretch, panel, Places::row(0, width as isize));
        }
    }
}

/// A whole matrix in panels.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    values: &'a [f32],
    rows: usize,
}

impl<'a> Panels<'a> {
    /// Packs a matrix into `room`.
    #[inline(always)]
    pub(super) fn new<S: Simd>(matrix: Matrix<'_>, room: &'a mut Vec<f32>) -> Self {
        let columns = matrix.columns.next_multiple_of(panel_width::<S>());
        room.resize(columns * matrix.rows, 0.0);
        pack::<S>(matrix, 0..matrix.rows, 0..matrix.columns, room);
        Self {
            values: room,
            rows: matrix.rows,
        }
    }
}

/// A matrix of whole vectors, to be written or added to.
pub(super) struct Target<'a> {
    pub(super) values: &'a mut [f32],
    /// Elements from one row to the next, a multiple of every [`panel_width`].
    pub(super) row: usize,
}

/// `c (+)= a b` for as many rows of `b` as `a` has columns, and for as many panels as have the first `columns` columns.
#[inline(always)]
pub(super) fn product_of_panels<S: Simd, const ADD: bool>(
    simd: S,
    a: Matrix<'_>,
    b: Panels<'_>,
    columns: usize,
    c: Target<'_>,
) {
    let (width, depth) = (panel_width::<S>(), a.columns);
    let places: Vec<_> = (0..a.rows).map(|r| r * a.row).collect();
    let a = Left {
        values: a.values,
        rows: &places,
        step: a.column,
        segments: &[Segment { offset: 0, depth }],
    };
    let panels = b.values.chunks_exact(b.rows * width);
    for (p, panel) in panels.take(columns.div_ceil(width)).enumerate() {
        let (panel, _) = S::as_simd_f32s(&panel[..depth * width]);
        let (c_panel, _) = S::as_mut_simd_f32s(&mut c.values[p * width..]);
        product::<S, ADD>(simd, a, panel, c_panel, c.row / S::F32_LANES);
    }
}
