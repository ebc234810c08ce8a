//! Matrices laid out in the order in which a product reads them.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::cpu::isa::arch;
use crate::cpu::matrix::Matrix;
use crate::cpu::panels::pack;
use crate::cpu::product::panel_width_on;

/// Panels that are packed together: of a row of the matrix they take several cache lines.
const TOGETHER: usize = 4;

/// Packs some panels of a right matrix.
pub(super) struct PackPanels<'a, 'p> {
    matrix: Matrix<'a>,
    /// Rows of the matrix.
    block: Range<usize>,
    columns: Range<usize>,
    panels: &'p mut [f32],
}

impl<'a, 'p> PackPanels<'a, 'p> {
    /// The parts of the work for a block of rows.
    pub(super) fn all(
        matrix: Matrix<'a>,
        block: Range<usize>,
        columns: Range<usize>,
        panels: &'p mut [f32],
    ) -> impl Iterator<Item = Self> {
        let width = TOGETHER * panel_width_on(arch());
        panels
            .chunks_mut(width * block.len())
            .zip(columns.clone().step_by(width))
            .map(move |(panels, first)| Self {
                matrix,
                block: block.clone(),
                columns: first..columns.end.min(first + width),
                panels,
            })
    }
}

impl WithSimd for PackPanels<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        pack::<S>(self.matrix, self.block, self.columns, self.panels);
    }
}

/// A left matrix, as [`Left`](crate::cpu::product::Left) wants it.
pub(super) struct Packed {
    pub(super) values: Vec<f32>,
    /// Where each row begins.
    pub(super) rows: Vec<usize>,
    /// From a column to the next.
    pub(super) step: usize,
}

/// Rows that lie together where the matrix has them so.
const BUNDLE: usize = 6;

/// Packs the columns `block` of `matrix`.
#[inline(always)]
pub(super) fn pack_left(matrix: Matrix<'_>, block: Range<usize>) -> Packed {
    let depth = block.len();
    let from = &matrix.values[block.start * matrix.column..];
    if matrix.column == 1 {
        // Whole rows, a cache line between them: those of a wide matrix share their places in the cache.
        let stride = depth + 16;
        let mut values = vec![0.0; matrix.rows * stride];
        for (r, row) in values.chunks_exact_mut(stride).enumerate() {
            row[..depth].copy_from_slice(&from[r * matrix.row..][..depth]);
        }
        return Packed {
            values,
            rows: (0..matrix.rows).map(|r| r * stride).collect(),
            step: 1,
        };
    }
    let mut values = vec![0.0; matrix.rows.next_multiple_of(BUNDLE) * depth];
    for k in 0..depth {
        let column = &from[k * matrix.column..][..matrix.rows];
        let (bundles, rest) = column.as_chunks::<BUNDLE>();
        for (b, bundle) in bundles.iter().enumerate() {
            values[(b * depth + k) * BUNDLE..][..BUNDLE].copy_from_slice(bundle);
        }
        if !rest.is_empty() {
            values[(bundles.len() * depth + k) * BUNDLE..][..rest.len()].copy_from_slice(rest);
        }
    }
    Packed {
        values,
        rows: (0..matrix.rows)
            .map(|r| r / BUNDLE * BUNDLE * depth + r % BUNDLE)
            .collect(),
        step: BUNDLE,
    }
}
