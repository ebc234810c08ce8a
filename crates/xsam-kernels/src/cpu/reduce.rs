//! Sums over rows, in a fixed order, and the largest element.

use pulp::Simd;

/// The most elements summed in `f32` lanes before the partial sum moves on to `f64`: long enough to hide the move.
pub(crate) const SPAN: usize = 2048;

/// The most numbers that a lane adds before that, for each lane of a vector. Where there are few lanes, each has more to add of
/// the same sum.
const LONGEST: usize = 8;

/// Sums taken side by side, which hides the latency of an addition.
const SIDE_BY_SIDE: usize = 4;

/// `K` sums over the elements of rows of one length: `add` takes a register of each row and the partial
/// sums, and returns the sums with the terms of these elements added.
///
/// The closure must be `#[inline(always)]`: only what is inlined is compiled for the vector unit.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub(crate) fn sums<S: Simd, const N: usize, const K: usize>(
    simd: S,
    rows: [&[f32]; N],
    add: impl Fn([S::f32s; N], [S::f32s; K]) -> [S::f32s; K],
) -> [f64; K] {
    let length = rows.first().map_or(0, |row| row.len());
    let zero = simd.splat_f32s(0.0);
    let mut totals = [0.0; K];
    let span = SPAN.min(LONGEST * SIDE_BY_SIDE * S::F32_LANES * S::F32_LANES);
    for start in (0..length).step_by(span) {
        let end = length.min(start + span);
        let registers = (end - start) / S::F32_LANES;
        let groups = registers / SIDE_BY_SIDE;
        // Cut to lengths that are seen to be those of the loops, which then check none.
        let split = rows.map(
            #[inline(always)]
            |row| {
                assert_eq!(row.len(), length, "a row has another length");
                let (head, tail) = S::as_simd_f32s(&row[start..end]);
                let (grouped, single) = head.as_chunks::<SIDE_BY_SIDE>();
                let single = &single[..registers % SIDE_BY_SIDE];
                (&grouped[..groups], single, tail)
            },
        );
        let mut partial = [[zero; K]; SIDE_BY_SIDE];
        let mut values = [zero; N];
        for i in 0..groups {
            for (lane, partial) in partial.iter_mut().enumerate() {
                for (value, (grouped, ..)) in values.iter_mut().zip(&split) {
                    *value = grouped[i][lane];
                }
                *partial = add(values, *partial);
            }
        }
        for i in 0..registers % SIDE_BY_SIDE {
            for (value, (_, single, _)) in values.iter_mut().zip(&split) {
                *value = single[i];
            }
            partial[0] = add(values, partial[0]);
        }
        let rest = (end - start) % S::F32_LANES;
        if rest > 0 {
            for (value, (.., tail)) in values.iter_mut().zip(&split) {
                *value = simd.partial_load_f32s(tail);
            }
            // What `add` makes of the lanes beyond the end is left out.
            let inside = simd.mask_between_m32s(0, rest as u32).mask();
            let added = add(values, partial[0]);
            for (old, new) in partial[0].iter_mut().zip(added) {
                *old = simd.select_f32s(inside, new, *old);
            }
        }
        for (k, total) in totals.iter_mut().enumerate() {
            let lanes = simd.add_f32s(
                simd.add_f32s(partial[0][k], partial[1][k]),
                simd.add_f32s(partial[2][k], partial[3][k]),
            );
            *total += f64::from(simd.reduce_sum_f32s(lanes));
        }
    }
    totals
}

/// The sum of the elements.
#[inline(always)]
pub(crate) fn sum<S: Simd>(simd: S, row: &[f32]) -> f64 {
    let [total] = sums(
        simd,
        [row],
        #[inline(always)]
        |[x], [total]| [simd.add_f32s(total, x)],
    );
    total
}

/// The largest element. A NaN may get lost here; the softmax of the row still has it.
#[inline(always)]
pub(crate) fn largest<S: Simd>(simd: S, data: &[f32]) -> f32 {
    let (head, tail) = S::as_simd_f32s(data);
    let (quads, rest) = head.as_chunks::<4>();
    let mut lanes = [simd.splat_f32s(f32::NEG_INFINITY); 4];
    for quad in quads {
        for lane in 0..4 {
            lanes[lane] = simd.max_f32s(lanes[lane], quad[lane]);
        }
    }
    for &x in rest {
        lanes[0] = simd.max_f32s(lanes[0], x);
    }
    let lanes = simd.max_f32s(
        simd.max_f32s(lanes[0], lanes[1]),
        simd.max_f32s(lanes[2], lanes[3]),
    );
    let mut top = simd.reduce_max_f32s(lanes);
    for &x in tail {
        top = top.max(x);
    }
    top
}
