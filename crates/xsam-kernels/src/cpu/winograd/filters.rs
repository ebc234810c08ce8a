//! Transformed filters of a panel of output channels, `[position][input][channel of panel]`, and
//! from their gradient to that of the filters.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::Simd;

use super::super::product::{PANEL, panel_width};
use super::super::transpose::{Places, Stretch, interleave, separate};
use super::transform::{Transforms, every};
use super::{Direction, POSITIONS, Shape, WINDOW};

/// Input channels whose taps are gathered at a time.
const INPUTS: usize = 8;

/// Transforms the filters of the panel that begins with output channel `first`, for a range of
/// inputs.
#[inline(always)]
pub(super) fn transform<S: Simd>(
    simd: S,
    shape: &Shape,
    (w, direction): (&[f32], Direction),
    first: usize,
    inputs: Range<usize>,
    out: &mut [S::f32s],
) {
    let transforms = Transforms::new(simd);
    let channels = panel_width::<S>().min(shape.channels[1] - first);
    let position = inputs.len() * PANEL;
    debug_assert_eq!(out.len(), POSITIONS * position);
    let mut taps = [[simd.splat_f32s(0.0); PANEL]; 9 * INPUTS];
    for begin in inputs.clone().step_by(INPUTS) {
        let end = inputs.end.min(begin + INPUTS);
        gather::<S>(
            shape,
            (w, direction),
            first..first + channels,
            begin..end,
            &mut taps,
        );
        for (i, taps) in (begin..end).zip(taps.as_chunks::<9>().0) {
            for half in 0..PANEL {
                let mut turned = [[simd.splat_f32s(0.0); 3]; WINDOW];
                for column in 0..3 {
                    let g = [
                        taps[column][half],
                        taps[3 + column][half],
                        taps[6 + column][half],
                    ];
                    for (turned, u) in turned.iter_mut().zip(transforms.filter(g)) {
                        turned[column] = u;
                    }
                }
                for (row, g) in turned.into_iter().enumerate() {
                    for (column, u) in transforms.filter(g).into_iter().enumerate() {
                        let at = (WINDOW * row + column) * position;
                        out[at + (i - inputs.start) * PANEL + half] = u;
                    }
                }
            }
        }
    }
}

/// The taps of some filters, `[input][tap][output]`.
#[inline(always)]
fn gather<S: Simd>(
    shape: &Shape,
    (w, direction): (&[f32], Direction),
    outputs: Range<usize>,
    inputs: Range<usize>,
    taps: &mut [[S::f32s; PANEL]],
) {
    let width = panel_width::<S>();
    let taps: &mut [f32] = pulp::bytemuck::cast_slice_mut(taps.as_flattened_mut());
    match direction {
        Direction::Forward => {
            let stretch = Stretch {
                channels: outputs.len(),
                plane: 9 * shape.channels[0],
                first: 9 * (outputs.start * shape.channels[0] + inputs.start),
                pixels: 9 * inputs.len(),
            };
            interleave::<S>(w, stretch, taps, Places::row(0, width as isize));
        }
        // In the tensor the two channel dimensions are exchanged on the way back.
        Direction::Backward => {
            for (i, taps) in inputs.zip(taps.chunks_exact_mut(9 * width)) {
                let stretch = Stretch {
                    channels: outputs.len(),
                    plane: 9,
                    first: 9 * (i * shape.channels[1] + outputs.start),
                    pixels: 9,
                };
                interleave::<S>(w, stretch, taps, Places::row(8 * width, -(width as isize)));
            }
        }
    }
}

/// From the gradient of transformed filters to that of filters `[output, input, 3, 3]`, of which
/// `out` begins with the panel's first; for a range of `inputs`.
#[inline(always)]
pub(super) fn adjoint<S: Simd>(
    simd: S,
    shape: &Shape,
    sums: &[S::f32s],
    inputs: Range<usize>,
    out: &mut [MaybeUninit<f32>],
) {
    let transforms = Transforms::new(simd);
    let width = panel_width::<S>();
    let filter = 9 * shape.channels[0];
    let position = inputs.len() * PANEL;
    let mut taps = [[simd.splat_f32s(0.0); PANEL]; 9 * INPUTS];
    for begin in inputs.clone().step_by(INPUTS) {
        let end = inputs.end.min(begin + INPUTS);
        for (i, taps) in (begin..end).zip(taps.as_chunks_mut::<9>().0) {
            for half in 0..PANEL {
                let at = (i - inputs.start) * PANEL + half;
                let mut turned = [[simd.splat_f32s(0.0); WINDOW]; 3];
                for k in 0..WINDOW {
                    let u = every(sums, at + k * position, WINDOW * position);
                    for (turned, w) in turned.iter_mut().zip(transforms.filter_adjoint(u)) {
                        turned[k] = w;
                    }
                }
                for (taps, u) in taps.as_chunks_mut::<3>().0.iter_mut().zip(turned) {
                    for (tap, w) in taps.iter_mut().zip(transforms.filter_adjoint(u)) {
                        tap[half] = w;
                    }
                }
            }
        }
        let stretch = Stretch {
            channels: out.len() / filter,
            plane: filter,
            first: 9 * begin,
            pixels: 9 * (end - begin),
        };
        let taps: &[f32] = pulp::bytemuck::cast_slice(taps.as_flattened());
        separate::<S>(taps, width, out, stretch);
    }
}
