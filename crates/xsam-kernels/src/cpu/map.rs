//! Functions of the elements of rows, a register at a time.

use std::mem::MaybeUninit;

use pulp::{Simd, bytemuck};

/// Writes to every element of `out` the value of `f` at the elements of `rows`, and returns `out`,
/// now written.
///
/// The elements that do not fill a register go through `f` like the others, with zeros beside them.
/// The closure must be `#[inline(always)]`: only what is inlined is compiled for the vector unit.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub(crate) fn map<'o, S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; N],
    out: &'o mut [MaybeUninit<f32>],
    f: impl Fn([S::f32s; N]) -> S::f32s,
) -> &'o [f32] {
    let (head, tail) = S::as_uninit_mut_simd_f32s(&mut *out);
    let split = rows.map(
        #[inline(always)]
        |row| {
            assert_eq!(
                row.len(),
                head.len() * S::F32_LANES + tail.len(),
                "a row has another length"
            );
            let (whole, rest) = S::as_simd_f32s(row);
            // Seen to be as long as the loop, which then checks no index.
            (&whole[..head.len()], rest)
        },
    );
    let mut registers = [simd.splat_f32s(0.0); N];
    for (i, out) in head.iter_mut().enumerate() {
        for (register, (row, _)) in registers.iter_mut().zip(&split) {
            *register = row[i];
        }
        out.write(f(registers));
    }
    if !tail.is_empty() {
        for (register, (_, rest)) in registers.iter_mut().zip(&split) {
            *register = simd.partial_load_f32s(rest);
        }
        let last = [f(registers)];
        tail.write_copy_of_slice(&bytemuck::cast_slice(&last)[..tail.len()]);
    }
    // SAFETY: the head and the tail make up the whole of `out`, and both were written above.
    unsafe { out.assume_init_ref() }
}

/// Replaces every element of `out` by the value of `f` at it and at the elements of `rows`.
///
/// As [`map`] otherwise.
#[inline(always)]
pub(crate) fn update<S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; N],
    out: &mut [f32],
    f: impl Fn(S::f32s, [S::f32s; N]) -> S::f32s,
) {
    let length = out.len();
    let (head, tail) = S::as_mut_simd_f32s(out);
    let split = rows.map(
        #[inline(always)]
        |row| {
            assert_eq!(row.len(), length, "a row has another length");
            S::as_simd_f32s(row)
        },
    );
    let mut registers = [simd.splat_f32s(0.0); N];
    for (i, out) in head.iter_mut().enumerate() {
        for (register, (row, _)) in registers.iter_mut().zip(&split) {
            *register = row[i];
        }
        *out = f(*out, registers);
    }
    if !tail.is_empty() {
        for (register, (_, rest)) in registers.iter_mut().zip(&split) {
            *register = simd.partial_load_f32s(rest);
        }
        let last = f(simd.partial_load_f32s(tail), registers);
        simd.partial_store_f32s(tail, last);
    }
}
