//! The exponential function on a register.

use pulp::Simd;

/// `exp(x)` for `x` at most 0, to about one unit in the last place; 0 where the result would be
/// denormal, NaN for NaN. The range is that of a softmax, whose largest exponent is 0.
#[inline(always)]
pub(crate) fn exp_lanes<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let lowest = simd.splat_f32s(LOWEST);
    let under = simd.less_than_f32s(x, lowest);
    let x = simd.select_f32s(under, lowest, x);
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, which is then also found in the
    // low bits of the sum.
    let magic = simd.splat_f32s(MAGIC);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), magic);
    let n = simd.sub_f32s(shifted, magic);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2_HIGH), x);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2_LOW), r);
    let mut p = simd.splat_f32s(TERMS[0]);
    p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(TERMS[1]));
    p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(TERMS[2]));
    p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(TERMS[3]));
    p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(TERMS[4]));
    p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(TERMS[5]));
    let square = simd.mul_f32s(r, r);
    let p = simd.mul_add_e_f32s(p, square, r);
    let p = simd.add_f32s(p, simd.splat_f32s(1.0));
    let bits = simd.transmute_u32s_f32s(shifted);
    let power = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let scaled = simd.add_u32s(simd.transmute_u32s_f32s(p), power);
    let result = simd.transmute_f32s_u32s(scaled);
    // An integer addition would turn a NaN into a number.
    let result = simd.select_f32s(simd.equal_f32s(x, x), result, x);
    simd.select_f32s(under, simd.splat_f32s(0.0), result)
}

/// As [`exp_lanes`], for the elements that do not fill a register.
#[inline(always)]
pub(crate) fn exp_one(x: f32) -> f32 {
    if x < LOWEST {
        return 0.0;
    }
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = TERMS[0];
    for &term in &TERMS[1..] {
        p = p * r + term;
    }
    let p = (p * (r * r) + r) + 1.0;
    if x.is_nan() {
        return x;
    }
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

const MAGIC: f32 = 12_582_912.0;
/// Just above the logarithm of the smallest normal number.
const LOWEST: f32 = -87.3;
/// The leading bits of ln 2, few enough that their product with an exponent is exact, and the rest.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Minimax coefficients of `(exp(r) - 1 - r) / r^2` on `|r| <= ln(2) / 2`, highest power first; they are
/// those of `expf` in the Cephes library.
const TERMS: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    0.5,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::arch;
    use pulp::WithSimd;

    struct Exp<'a>(&'a mut [f32]);

    impl WithSimd for Exp<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (head, tail) = S::as_mut_simd_f32s(self.0);
            for x in head {
                *x = exp_lanes(simd, *x);
            }
            for x in tail {
                *x = exp_one(*x);
            }
        }
    }

    fn exp_all(mut values: Vec<f32>) -> [Vec<f32>; 2] {
        let one = values.iter().map(|&x| exp_one(x)).collect();
        arch().dispatch(Exp(&mut values));
        [values, one]
    }

    #[test]
    fn within_two_units_in_the_last_place_everywhere() {
        let xs: Vec<f32> = (0..2_000_000).map(|i| -87.2 * (i as f32 / 2e6)).collect();
        for values in exp_all(xs.clone()) {
            let worst = xs.iter().zip(&values).map(|(&x, &y)| {
                let exact = f64::from(x).exp();
                (f64::from(y) - exact).abs() / (exact * f64::from(f32::EPSILON))
            });
            let worst = worst.fold(0.0, f64::max);
            assert!(worst <= 2.0, "off by {worst} units");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        let xs = vec![0.0, -88.0, -1e30, f32::NEG_INFINITY, f32::NAN];
        for values in exp_all([xs.clone(), xs.clone(), xs.clone(), xs.clone()].concat()) {
            assert_eq!(values[0], 1.0);
            assert_eq!(values[1..4], [0.0; 3]);
            assert!(values[4].is_nan());
        }
    }
}
