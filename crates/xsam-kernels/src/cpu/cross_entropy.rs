//! Cross entropy of logits against class numbers, with label smoothing.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::exp::{exp_lanes, exp_one};
use super::map::map;
use super::reduce::{largest, sum, sums};
use super::split::{items_per_task, written_by_chunks};
use crate::cpu::isa::arch;

/// The loss, and what backward needs of each row: its largest logit and the sum of the exponentials
/// of the distances from it.
pub(crate) struct Entropy {
    pub(crate) loss: f32,
    /// Largest logit and sum of exponentials of each row: `[rows, 2]`.
    pub(crate) rows: Vec<f32>,
}

/// The mean loss over the rows of `logits`, `[targets.len(), classes]`; NaN if there are no rows.
///
/// Every target must be below `classes`.
pub(crate) fn forward(
    logits: &[f32],
    targets: &[usize],
    classes: usize,
    smoothing: f64,
) -> Entropy {
    let length = targets.len() * classes;
    assert_eq!(logits.len(), length, "the logits have another shape");
    let arch = arch();
    let group = items_per_task(targets.len(), classes);
    let mut rows = vec![0.0; 2 * targets.len()];
    let mut losses = vec![0.0; targets.len()];
    if !logits.is_empty() {
        rows.par_chunks_mut(2 * group)
            .zip(losses.par_chunks_mut(group))
            .zip(logits.par_chunks(group * classes))
            .zip(targets.par_chunks(group))
            .for_each(|(((rows, losses), logits), targets)| {
                arch.dispatch(ForwardRows {
                    logits,
                    targets,
                    classes,
                    smoothing,
                    rows,
                    losses,
                });
            });
    }
    Entropy {
        loss: (losses.iter().sum::<f64>() / targets.len() as f64) as f32,
        rows,
    }
}

struct ForwardRows<'a, 'o> {
    logits: &'a [f32],
    targets: &'a [usize],
    classes: usize,
    smoothing: f64,
    rows: &'o mut [f32],
    losses: &'o mut [f64],
}

impl WithSimd for ForwardRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, _) = self.rows.as_chunks_mut::<2>();
        for (((logits, &target), row), loss) in self
            .logits
            .chunks_exact(self.classes)
            .zip(self.targets)
            .zip(rows)
            .zip(self.losses)
        {
            let top = largest(simd, logits);
            let total = exponentials(simd, logits, top);
            *row = [top, total as f32];
            let distance = f64::from(logits[target]) - f64::from(top);
            *loss = total.ln() - (1.0 - self.smoothing) * distance;
            // Without smoothing a logit of minus infinity must not turn the loss into NaN.
            if self.smoothing > 0.0 {
                let mean = sum(simd, logits) / self.classes as f64 - f64::from(top);
                *loss -= self.smoothing * mean;
            }
        }
    }
}

/// The sum of `exp(x - top)`.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, logits: &[f32], top: f32) -> f64 {
    let tops = simd.splat_f32s(top);
    let [total] = sums(
        simd,
        [logits],
        #[inline(always)]
        |[x], [total]| [simd.add_f32s(total, exp_lanes(simd, simd.sub_f32s(x, tops)))],
    );
    total
}

/// The gradient of the logits for a gradient of 1 of the loss times `scale`; `rows` is from [`forward`].
pub(crate) fn backward(
    logits: &[f32],
    targets: &[usize],
    rows: &[f32],
    classes: usize,
    smoothing: f64,
    scale: f32,
) -> Vec<f32> {
    let length = targets.len() * classes;
    assert_eq!(logits.len(), length, "the logits have another shape");
    assert_eq!(rows.len(), 2 * targets.len(), "two numbers a row");
    if logits.is_empty() {
        return Vec::new();
    }
    let arch = arch();
    let group = items_per_task(targets.len(), classes);
    let scale = f64::from(scale) / targets.len() as f64;
    let chunk = group * classes;
    let inputs = logits.par_chunks(chunk).zip(targets.par_chunks(group));
    let inputs = inputs.zip(rows.par_chunks(2 * group));
    // SAFETY: the chunks are whole rows, and `BackwardRows` writes every element of a row.
    let written = unsafe {
        written_by_chunks(length, chunk, inputs, |dx, ((logits, targets), rows)| {
            arch.dispatch(BackwardRows {
                logits,
                targets,
                rows,
                classes,
                smoothing,
                scale,
                dx,
            })
        })
    };
    written.0
}

struct BackwardRows<'a, 'o> {
    logits: &'a [f32],
    targets: &'a [usize],
    rows: &'a [f32],
    classes: usize,
    smoothing: f64,
    scale: f64,
    dx: &'o mut [MaybeUninit<f32>],
}

impl WithSimd for BackwardRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, _) = self.rows.as_chunks::<2>();
        let spread = (self.smoothing / self.classes as f64 * self.scale) as f32;
        let on_target = ((1.0 - self.smoothing) * self.scale) as f32;
        let spreads = simd.splat_f32s(spread);
        for (((logits, &target), &[top, total]), dx) in self
            .logits
            .chunks_exact(self.classes)
            .zip(self.targets)
            .zip(rows)
            .zip(self.dx.chunks_exact_mut(self.classes))
        {
            let share = (self.scale / f64::from(total)) as f32;
            let (tops, shares) = (simd.splat_f32s(top), simd.splat_f32s(share));
            map(
                simd,
                [logits],
                dx,
                #[inline(always)]
                |[x]| {
                    let e = exp_lanes(simd, simd.sub_f32s(x, tops));
                    simd.sub_f32s(simd.mul_f32s(e, shares), spreads)
                },
            );
            let at_target = exp_one(logits[target] - top) * share - spread - on_target;
            dx[target].write(at_target);
        }
    }
}
