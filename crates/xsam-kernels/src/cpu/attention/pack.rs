//! Matrices in panels, as right ones of products.

use pulp::Simd;

use super::Rows;
use super::panels::Panels;
use crate::cpu::product::{PANEL, panel_width};
use crate::cpu::transpose::{Stretch, interleave};

/// Fills panels with the first `rows` rows of a matrix: `[panel][row][column of the panel]`.
#[inline(always)]
pub(super) fn pack<'p, S: Simd>(
    matrix: Rows<'_>,
    rows: usize,
    panels: &'p mut Vec<f32>,
) -> Panels<'p> {
    let width = panel_width::<S>();
    panels.resize(matrix.width.next_multiple_of(width) * rows, 0.0);
    for (p, panel) in panels.chunks_exact_mut(rows * width).enumerate() {
        for (r, out) in panel.chunks_exact_mut(width).enumerate() {
            let row = &matrix.row(r)[p * width..];
            let (registers, _) = S::as_simd_f32s(row);
            if registers.len() >= PANEL {
                // A length known to the compiler spares a call for every few numbers.
                let (out, _) = S::as_mut_simd_f32s(out);
                out[..PANEL].copy_from_slice(&registers[..PANEL]);
            } else {
                out[..row.len()].copy_from_slice(row);
                out[row.len()..].fill(0.0);
            }
        }
    }
    Panels {
        values: panels,
        rows,
    }
}

/// Fills panels with the first `rows` rows of a matrix, turned over: `[panel][column][row of the panel]`.
#[inline(always)]
pub(super) fn pack_turned<'p, S: Simd>(
    matrix: Rows<'_>,
    rows: usize,
    panels: &'p mut Vec<f32>,
) -> Panels<'p> {
    let width = panel_width::<S>();
    panels.resize(rows.next_multiple_of(width) * matrix.width, 0.0);
    for (p, panel) in panels.chunks_exact_mut(matrix.width * width).enumerate() {
        let inside = width.min(rows - p * width);
        if inside < width {
            panel.fill(0.0);
        }
        let stretch = Stretch {
            channels: inside,
            plane: matrix.stride,
            first: p * width * matrix.stride,
            pixels: matrix.width,
        };
        interleave::<S>(matrix.values, stretch, panel, |column| column * width);
    }
    Panels {
        values: panels,
        rows: matrix.width,
    }
}
