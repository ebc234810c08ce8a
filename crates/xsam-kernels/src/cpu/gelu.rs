//! The exact GELU on a register: `x` times the probability that a standard normal variable is below `x`.

use std::f32::consts::FRAC_1_SQRT_2;

use pulp::Simd;

use super::exp::exp_lanes;

/// `x` times the probability of less than `x`.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.mul_f32s(x, normal(simd, x)[0])
}

/// The derivative of [`gelu`].
#[inline(always)]
pub(crate) fn gelu_derivative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let [below, bell] = normal(simd, x);
    let density = simd.mul_f32s(bell, simd.splat_f32s(DENSITY));
    simd.mul_add_e_f32s(x, density, below)
}

/// The probability that a standard normal variable is below `x`, and `exp(-x^2 / 2)`.
#[inline(always)]
fn normal<S: Simd>(simd: S, x: S::f32s) -> [S::f32s; 2] {
    let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    let distance = simd.abs_f32s(x);
    let root = simd.mul_f32s(distance, simd.splat_f32s(FRAC_1_SQRT_2));
    let bell = exp_lanes(simd, simd.neg_f32s(simd.mul_f32s(root, root)));
    let t = simd.mul_add_e_f32s(distance, simd.splat_f32s(STEEPNESS), one);
    let t = simd.div_f32s(one, t);
    let mut ratio = simd.splat_f32s(RATIO[0]);
    for term in &RATIO[1..] {
        ratio = simd.mul_add_e_f32s(ratio, t, simd.splat_f32s(*term));
    }
    let beyond = simd.mul_f32s(simd.mul_f32s(ratio, t), bell);
    let below = simd.select_f32s(
        simd.less_than_f32s(x, zero),
        beyond,
        simd.sub_f32s(one, beyond),
    );
    [below, bell]
}

/// The standard normal density at 0.
const DENSITY: f32 = 0.398_942_3;
const STEEPNESS: f32 = 0.265;
/// Minimax coefficients, highest power first, of the probability beyond `x` over `t exp(-x^2 / 2)`, in
/// `t = 1 / (1 + STEEPNESS x)` for `x` from 0 to 13.25, where the exponential is 0; relative error 1.1e-8.
/// The form is that of formula 7.1.26 of Abramowitz and Stegun, which has five coefficients.
const RATIO: [f32; 9] = [
    0.030_912_884,
    -0.144_663_47,
    0.218_689_22,
    -0.117_337_46,
    0.138_611_12,
    0.060_038_34,
    0.102_770_17,
    0.105_237_074,
    0.105_742_13,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::{InstructionSet, arch, instruction_set};
    use pulp::WithSimd;

    struct All<'a>(&'a mut [f32], bool);

    impl WithSimd for All<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let All(values, derivative) = self;
            for x in values {
                let lanes = simd.splat_f32s(*x);
                let lanes = if derivative {
                    gelu_derivative(simd, lanes)
                } else {
                    gelu(simd, lanes)
                };
                *x = simd.reduce_max_f32s(lanes);
            }
        }
    }

    fn all(mut values: Vec<f32>, derivative: bool) -> Vec<f32> {
        arch().dispatch(All(&mut values, derivative));
        values
    }

    /// Twice the probability beyond `x`, for `x` from 0: Simpson's rule over the density.
    fn both_tails(x: f64) -> f64 {
        let (steps, end) = (4000, 14.0);
        let step = (end - x) / f64::from(steps);
        let density = |i: i32| (-0.5 * (x + f64::from(i) * step).powi(2)).exp();
        let weighted = |i: i32| f64::from(if i % 2 == 0 { 2 } else { 4 }) * density(i);
        let inner: f64 = (1..steps).map(weighted).sum();
        let integral = (density(0) + inner + density(steps)) * step / 3.0;
        integral * 2.0 / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn a_few_units_in_the_last_place() {
        // Without fused operations each term of the polynomial is rounded twice.
        let near = match instruction_set() {
            InstructionSet::Portable => 4.0,
            _ => 3.0,
        };
        let xs: Vec<f32> = (-640..640).map(|i| i as f32 / 50.0 + 0.003).collect();
        let (values, derivatives) = (all(xs.clone(), false), all(xs.clone(), true));
        for ((x, value), derivative) in xs.iter().zip(values).zip(derivatives) {
            let x = f64::from(*x);
            let tail = both_tails(x.abs()) / 2.0;
            let below = if x < 0.0 { tail } else { 1.0 - tail };
            // The tail is the exponential of a rounded number, which costs as much as that is large.
            let unit = f64::from(f32::EPSILON) * (near + x * x);
            let error = (f64::from(value) - x * below).abs();
            assert!(
                error <= unit * (x * below).abs(),
                "gelu({x}) is off by {error}"
            );
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let error = (f64::from(derivative) - below - x * density).abs();
            let size = below + (x * density).abs();
            assert!(
                error <= unit * size,
                "the derivative at {x} is off by {error}"
            );
        }
    }

    #[test]
    fn far_out_and_nan() {
        let xs = vec![0.0, 40.0, -40.0, 1e30, -1e30, f32::INFINITY, f32::NAN];
        let values = all(xs.clone(), false);
        assert_eq!(values[..6], [0.0, 40.0, 0.0, 1e30, 0.0, f32::INFINITY]);
        assert!(values[6].is_nan());
        let derivatives = all(xs, true);
        assert_eq!(derivatives[..5], [0.5, 1.0, 0.0, 1.0, 0.0]);
        assert!(derivatives[6].is_nan());
    }
}
