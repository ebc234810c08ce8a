//! Products of whole matrices, of which the right one is packed in panels.

use pulp::Simd;

use crate::cpu::product::{Left, Segment, panel_width, product};

/// The left matrix of a product: `a[r, k]` is `values[r * row + k * step]`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) row: usize,
    pub(super) step: usize,
}

/// The right matrix of a product, in panels: `[panel][row][column of the panel]`.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    pub(super) values: &'a [f32],
    /// Rows of the whole matrix.
    pub(super) rows: usize,
}

/// A matrix of whole vectors, to be written or added to.
pub(super) struct Target<'a> {
    pub(super) values: &'a mut [f32],
    /// Elements from one row to the next, a multiple of every [`panel_width`].
    pub(super) row: usize,
}

/// `c (+)= a b` for the first `depth` rows of `b`, and for as many panels as have the first `columns`
/// columns.
#[inline(always)]
pub(super) fn product_of_panels<S: Simd, const ADD: bool>(
    simd: S,
    a: Matrix<'_>,
    b: Panels<'_>,
    [depth, columns]: [usize; 2],
    c: Target<'_>,
) {
    let width = panel_width::<S>();
    let places: Vec<_> = (0..a.rows).map(|r| r * a.row).collect();
    let a = Left {
        values: a.values,
        rows: &places,
        step: a.step,
        segments: &[Segment { offset: 0, depth }],
    };
    let panels = b.values.chunks_exact(b.rows * width);
    for (p, panel) in panels.take(columns.div_ceil(width)).enumerate() {
        let (panel, _) = S::as_simd_f32s(&panel[..depth * width]);
        let (c_panel, _) = S::as_mut_simd_f32s(&mut c.values[p * width..]);
        product::<S, ADD>(simd, a, panel, c_panel, c.row / S::F32_LANES);
    }
}
