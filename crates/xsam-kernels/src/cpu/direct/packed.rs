//! Filters in the order in which they are used.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::super::product::{panel_width, panel_width_on};
use super::super::shape::Shape;
use super::super::transpose::{Places, Stretch, interleave};
use crate::cpu::isa::arch_for;

/// Which channels of the filters are computed, the others being summed over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Inputs,
    Outputs,
}

/// The filters of each panel of the side that is computed:
/// `[panel][row of kernel][column of kernel][channel summed over][channel of panel]`.
pub(super) struct Packed {
    values: Vec<f32>,
    panel: usize,
}

impl Packed {
    /// From filters `[output, input, rows, columns]`.
    pub(super) fn new(shape: &Shape, w: &[f32], side: Side) -> Self {
        let [inputs, outputs] = shape.channels;
        let taps = shape.taps();
        let (count, depth) = match side {
            Side::Outputs => (outputs, inputs),
            Side::Inputs => (inputs, outputs),
        };
        let arch = arch_for(count);
        let width = panel_width_on(arch);
        let panel = taps * depth * width;
        let mut values = vec![0.0; count.div_ceil(width) * panel];
        values
            .par_chunks_mut(panel)
            .enumerate()
            .for_each(|(p, out)| {
                arch.dispatch(Panel {
                    channels: p * width..count.min((p + 1) * width),
                    inputs,
                    taps,
                    w,
                    side,
                    out,
                });
            });
        Self { values, panel }
    }

    pub(super) fn panel<S: Simd>(&self, p: usize) -> &[S::f32s] {
        S::as_simd_f32s(&self.values[p * self.panel..(p + 1) * self.panel]).0
    }
}

/// A panel of [`Packed`], zero so far.
struct Panel<'a> {
    channels: Range<usize>,
    inputs: usize,
    taps: usize,
    w: &'a [f32],
    side: Side,
    out: &'a mut [f32],
}

impl WithSimd for Panel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (width, taps) = (panel_width::<S>(), self.taps);
        let filters = self.inputs * taps;
        let first = self.channels.start;
        if self.side == Side::Outputs {
            let stretch = Stretch {
                channels: self.channels.len(),
                plane: filters,
                first: first * filters,
                pixels: filters,
            };
            let places = Places::rows(0, (self.inputs * width) as isize, width, taps);
            interleave::<S>(self.w, stretch, self.out, places);
            return;
        }
        let outputs = self.w.len() / filters;
        for o in 0..outputs {
            let stretch = Stretch {
                channels: self.channels.len(),
                plane: taps,
                first: o * filters + first * taps,
                pixels: taps,
            };
            let places = Places::row(o * width, (outputs * width) as isize);
            interleave::<S>(self.w, stretch, self.out, places);
        }
    }
}
