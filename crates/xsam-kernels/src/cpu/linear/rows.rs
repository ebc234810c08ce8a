//! Some rows of a product.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd, bytemuck};

use super::pack::pack_left;
use crate::cpu::matrix::Matrix;
use crate::cpu::product::{Left, PANEL, Segment, Sums, panel_width, product_into};

/// A block of the common dimension, and the panels of the right matrix in it.
pub(super) struct Block<'a> {
    pub(super) depth: Range<usize>,
    pub(super) panels: &'a [f32],
}

/// Multiplies rows with the panels of some blocks, one after the other.
pub(super) struct MultiplyRows<'a, 't, 'o> {
    pub(super) a: Matrix<'a>,
    pub(super) blocks: Vec<Block<'a>>,
    pub(super) bias: Option<&'a [f32]>,
    /// The rows of the result. The block that begins at 0 writes them all, the others add to them.
    pub(super) c: &'t mut [&'o mut [MaybeUninit<f32>]],
}

impl WithSimd for MultiplyRows<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = panel_width::<S>();
        for Block { depth, panels } in self.blocks {
            let segment = [Segment {
                offset: 0,
                depth: depth.len(),
            }];
            let begins = depth.start == 0;
            let packed = pack_left(self.a, depth);
            let a = Left {
                values: &packed.values,
                rows: &packed.rows,
                step: packed.step,
                segments: &segment,
            };
            let panels = panels.chunks_exact(segment[0].depth * width);
            for (p, panel) in panels.enumerate() {
                let first = p * width;
                let mut bias = [simd.splat_f32s(0.0); PANEL];
                if let Some(row) = self.bias {
                    let row = &row[first..];
                    let count = row.len().min(width);
                    bytemuck::cast_slice_mut(&mut bias)[..count].copy_from_slice(&row[..count]);
                }
                let mut tile = Tile::<S> {
                    c: &mut *self.c,
                    first,
                    begins,
                    bias,
                };
                let (panel, _) = S::as_simd_f32s(panel);
                product_into(simd, a, panel, &mut tile);
            }
        }
    }
}

/// The columns of the result that belong to a panel.
struct Tile<'t, 'o, S: Simd> {
    c: &'t mut [&'o mut [MaybeUninit<f32>]],
    first: usize,
    /// Whether sums are written, with the bias; else they are added to what is there.
    begins: bool,
    bias: [S::f32s; PANEL],
}

impl<S: Simd> Sums<S> for Tile<'_, '_, S> {
    #[inline(always)]
    fn take<const ROWS: usize>(&mut self, simd: S, first: usize, sums: &[[S::f32s; PANEL]; ROWS]) {
        for (r, sums) in sums.iter().enumerate() {
            let c = &mut self.c[first + r][self.first..];
            let (registers, _) = S::as_uninit_mut_simd_f32s(&mut *c);
            if registers.len() >= PANEL {
                for ((c, sum), bias) in registers.iter_mut().zip(sums).zip(&self.bias) {
                    let other = if self.begins {
                        *bias
                    } else {
                        // SAFETY: the block that begins has written it.
                        unsafe { c.assume_init() }
                    };
                    c.write(simd.add_f32s(other, *sum));
                }
            } else {
                let (sums, bias): (&[f32], &[f32]) =
                    (bytemuck::cast_slice(sums), bytemuck::cast_slice(&self.bias));
                for ((c, sum), bias) in c.iter_mut().zip(sums).zip(bias) {
                    let other = if self.begins {
                        *bias
                    } else {
                        // SAFETY: as above.
                        unsafe { c.assume_init() }
                    };
                    c.write(other + *sum);
                }
            }
        }
    }
}
