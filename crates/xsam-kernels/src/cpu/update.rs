//! One step of an optimizer on the weights of one tensor, in place and in one pass over memory.

use pulp::{Simd, WithSimd};

use super::map::update;
use super::split::{PIECE, each_piece};
use crate::cpu::isa::arch;

/// The scalars of [`sgd`].
#[derive(Clone, Copy)]
pub(crate) struct Sgd {
    pub(crate) learning_rate: f32,
    pub(crate) momentum: f32,
    pub(crate) weight_decay: f32,
    pub(crate) nesterov: bool,
}

// Functions and not closures: one that the compiler does not inline would lose the vector instructions.
// Multiplications and additions are not fused: memory takes the time, and the bits are those of the
// composed form.
impl Sgd {
    #[inline(always)]
    fn plain<S: Simd>(&self, simd: S, w: S::f32s, g: S::f32s) -> S::f32s {
        let decayed = simd.add_f32s(simd.mul_f32s(simd.splat_f32s(self.weight_decay), w), g);
        simd.add_f32s(
            simd.mul_f32s(simd.splat_f32s(-self.learning_rate), decayed),
            w,
        )
    }

    /// The new weights and the new velocity.
    #[inline(always)]
    fn with_momentum<S: Simd>(
        &self,
        simd: S,
        w: S::f32s,
        g: S::f32s,
        v: S::f32s,
    ) -> (S::f32s, S::f32s) {
        let momentum = simd.splat_f32s(self.momentum);
        let decayed = simd.add_f32s(simd.mul_f32s(simd.splat_f32s(self.weight_decay), w), g);
        let v = simd.add_f32s(simd.mul_f32s(momentum, v), decayed);
        let direction = if self.nesterov {
            simd.add_f32s(simd.mul_f32s(momentum, v), decayed)
        } else {
            v
        };
        let rate = simd.splat_f32s(-self.learning_rate);
        (simd.add_f32s(simd.mul_f32s(rate, direction), w), v)
    }
}

/// Plain SGD; see [`sgd_momentum`].
pub(crate) fn sgd(step: Sgd, weight: &mut [f32], gradient: &[f32]) {
    check(weight, gradient);
    let arch = arch();
    let pieces = weight.chunks_mut(PIECE).zip(gradient.chunks(PIECE));
    each_piece(pieces.collect(), |(weight, gradient)| {
        arch.dispatch(Plain {
            step,
            weight,
            gradient,
        });
    });
}

/// SGD with momentum; changes `weight` and `velocity`.
pub(crate) fn sgd_momentum(step: Sgd, weight: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    check(weight, gradient);
    check(weight, velocity);
    let arch = arch();
    let pieces = weight
        .chunks_mut(PIECE)
        .zip(gradient.chunks(PIECE))
        .zip(velocity.chunks_mut(PIECE));
    each_piece(pieces.collect(), |((weight, gradient), velocity)| {
        arch.dispatch(Momentum {
            step,
            weight,
            gradient,
            velocity,
        });
    });
}

#[track_caller]
fn check(weight: &[f32], other: &[f32]) {
    assert_eq!(weight.len(), other.len(), "not as long as the weights");
}

struct Plain<'a> {
    step: Sgd,
    weight: &'a mut [f32],
    gradient: &'a [f32],
}

impl WithSimd for Plain<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        update(
            simd,
            [self.gradient],
            self.weight,
            #[inline(always)]
            |w, [g]| self.step.plain(simd, w, g),
        );
    }
}

struct Momentum<'a> {
    step: Sgd,
    weight: &'a mut [f32],
    gradient: &'a [f32],
    velocity: &'a mut [f32],
}

impl WithSimd for Momentum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (w, w_tail) = S::as_mut_simd_f32s(self.weight);
        let (g, g_tail) = S::as_simd_f32s(self.gradient);
        let (v, v_tail) = S::as_mut_simd_f32s(self.velocity);
        for ((w, &g), v) in w.iter_mut().zip(g).zip(v) {
            (*w, *v) = self.step.with_momentum(simd, *w, g, *v);
        }
        let (w, v) = self.step.with_momentum(
            simd,
            simd.partial_load_f32s(w_tail),
            simd.partial_load_f32s(g_tail),
            simd.partial_load_f32s(v_tail),
        );
        simd.partial_store_f32s(w_tail, w);
        simd.partial_store_f32s(v_tail, v);
    }
}

/// The scalars of [`adam`], with the corrections of the moments' bias worked into them.
#[derive(Clone, Copy)]
pub(crate) struct Adam {
    /// What the weights are multiplied by before anything else.
    pub(crate) keep: f32,
    /// What of the weights is added to the gradient.
    pub(crate) weight_decay: f32,
    /// Share of the gradient in the first moment, one minus beta 1.
    pub(crate) share_1: f32,
    pub(crate) beta_2: f32,
    /// One minus beta 2; by itself, since in single precision the difference would be a poor one.
    pub(crate) share_2: f32,
    pub(crate) epsilon: f32,
    /// Learning rate over the first correction.
    pub(crate) rate: f32,
    /// One over the root of the second correction.
    pub(crate) root_scale: f32,
}

impl Adam {
    /// The new weights and the new moments.
    #[inline(always)]
    fn next<S: Simd>(
        &self,
        simd: S,
        w: S::f32s,
        g: S::f32s,
        m: S::f32s,
        v: S::f32s,
    ) -> (S::f32s, S::f32s, S::f32s) {
        let decayed = simd.mul_add_e_f32s(simd.splat_f32s(self.weight_decay), w, g);
        let m = simd.mul_add_e_f32s(simd.splat_f32s(self.share_1), simd.sub_f32s(decayed, m), m);
        let square = simd.mul_f32s(
            simd.splat_f32s(self.share_2),
            simd.mul_f32s(decayed, decayed),
        );
        let v = simd.mul_add_e_f32s(simd.splat_f32s(self.beta_2), v, square);
        let root = simd.mul_f32s(simd.sqrt_f32s(v), simd.splat_f32s(self.root_scale));
        let root = simd.add_f32s(root, simd.splat_f32s(self.epsilon));
        let change = simd.div_f32s(simd.mul_f32s(simd.splat_f32s(self.rate), m), root);
        let kept = simd.mul_f32s(simd.splat_f32s(self.keep), w);
        (simd.sub_f32s(kept, change), m, v)
    }
}

/// Adam; changes `weight` and both moments.
pub(crate) fn adam(
    step: Adam,
    weight: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    for other in [gradient, first, second] {
        check(weight, other);
    }
    let arch = arch();
    let pieces = weight
        .chunks_mut(PIECE)
        .zip(gradient.chunks(PIECE))
        .zip(first.chunks_mut(PIECE))
        .zip(second.chunks_mut(PIECE));
    each_piece(pieces.collect(), |(((weight, gradient), first), second)| {
        arch.dispatch(Moments {
            step,
            weight,
            gradient,
            first,
            second,
        });
    });
}

struct Moments<'a> {
    step: Adam,
    weight: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (w, w_tail) = S::as_mut_simd_f32s(self.weight);
        let (g, g_tail) = S::as_simd_f32s(self.gradient);
        let (m, m_tail) = S::as_mut_simd_f32s(self.first);
        let (v, v_tail) = S::as_mut_simd_f32s(self.second);
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            (*w, *m, *v) = self.step.next(simd, *w, g, *m, *v);
        }
        let (w, m, v) = self.step.next(
            simd,
            simd.partial_load_f32s(w_tail),
            simd.partial_load_f32s(g_tail),
            simd.partial_load_f32s(m_tail),
            simd.partial_load_f32s(v_tail),
        );
        simd.partial_store_f32s(w_tail, w);
        simd.partial_store_f32s(m_tail, m);
        simd.partial_store_f32s(v_tail, v);
    }
}
