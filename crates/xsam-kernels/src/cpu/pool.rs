//! Pooling over the planes of an NCHW tensor.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fresh::written;
use super::reduce::sum;
use super::split::{items_per_task, written_by_chunks};
use crate::cpu::isa::arch;

/// The planes of an input that is pooled with a 2x2 window and stride 2; an odd last row or column is left out.
#[derive(Clone, Copy)]
pub(crate) struct Planes {
    pub(crate) count: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Planes {
    /// Elements of a plane of the input.
    fn input(self) -> usize {
        self.height * self.width
    }

    /// Columns of the output.
    fn columns(self) -> usize {
        self.width / 2
    }

    /// Elements of a plane of the output.
    fn output(self) -> usize {
        self.height / 2 * self.columns()
    }

    /// Planes of a task.
    fn per_task(self) -> usize {
        items_per_task(self.count, self.input())
    }

    /// # Panics
    /// If the input has another size.
    fn check_input(self, x: &[f32]) {
        let length = self.count * self.input();
        assert_eq!(x.len(), length, "the input has another shape");
    }

    /// # Panics
    /// If there is not one element for each of the output.
    fn check_output<T>(self, values: &[T]) {
        let length = self.count * self.output();
        assert_eq!(values.len(), length, "the gradient has another shape");
    }
}

/// The largest element of each 2x2 window, and which of the four it was.
pub(crate) struct Maxima {
    pub(crate) output: Vec<f32>,
    /// 0 to 3, row by row: a byte an output instead of the input itself is what backward keeps.
    pub(crate) places: Vec<u8>,
}

/// Max pooling. Among equals the first wins, and a NaN wins over every number.
pub(crate) fn max_2x2(x: &[f32], planes: Planes) -> Maxima {
    planes.check_input(x);
    let (input, size) = (planes.input(), planes.output());
    if planes.count * size == 0 {
        return Maxima {
            output: Vec::new(),
            places: Vec::new(),
        };
    }
    let arch = arch();
    let group = planes.per_task();
    let mut output = Vec::new();
    // SAFETY: every chunk is a whole number of planes, and `max_plane` writes both outputs for each.
    let places = unsafe {
        written(planes.count * size, |places| {
            let chunks = places.par_chunks_mut(group * size);
            let chunks = chunks.zip(x.par_chunks(group * input));
            (output, _) = written_by_chunks(
                planes.count * size,
                group * size,
                chunks,
                |output, (places, x)| {
                    arch.dispatch(
                        #[inline(always)]
                        || {
                            for ((output, places), x) in output
                                .chunks_exact_mut(size)
                                .zip(places.chunks_exact_mut(size))
                                .zip(x.chunks_exact(input))
                            {
                                max_plane(x, planes.width, output, places);
                            }
                        },
                    );
                },
            );
        })
    };
    Maxima { output, places }
}

#[inline(always)]
fn max_plane(
    x: &[f32],
    width: usize,
    output: &mut [MaybeUninit<f32>],
    places: &mut [MaybeUninit<u8>],
) {
    let columns = width / 2;
    for ((two, output), places) in x
        .chunks_exact(2 * width)
        .zip(output.chunks_exact_mut(columns))
        .zip(places.chunks_exact_mut(columns))
    {
        let (upper, lower) = two.split_at(width);
        let (upper, _) = upper.as_chunks::<2>();
        let (lower, _) = lower.as_chunks::<2>();
        let (upper_blocks, upper_rest) = upper.as_chunks::<BLOCK>();
        let (lower_blocks, lower_rest) = lower.as_chunks::<BLOCK>();
        let (output_blocks, output_rest) = output.as_chunks_mut::<BLOCK>();
        let (place_blocks, place_rest) = places.as_chunks_mut::<BLOCK>();
        for (((upper, lower), output), places) in upper_blocks
            .iter()
            .zip(lower_blocks)
            .zip(output_blocks)
            .zip(place_blocks)
        {
            max_windows(upper, lower, output, places);
        }
        for (((upper, lower), output), place) in upper_rest
            .iter()
            .zip(lower_rest)
            .zip(output_rest)
            .zip(place_rest)
        {
            max_windows(
                std::array::from_ref(upper),
                std::array::from_ref(lower),
                std::array::from_mut(output),
                std::array::from_mut(place),
            );
        }
    }
}

/// Windows taken together: a number known to the compiler, which makes vectors of it.
const BLOCK: usize = 16;

#[inline(always)]
fn max_windows<const N: usize>(
    upper: &[[f32; 2]; N],
    lower: &[[f32; 2]; N],
    output: &mut [MaybeUninit<f32>; N],
    places: &mut [MaybeUninit<u8>; N],
) {
    let mut best = [0.0; N];
    let mut at = [0_u32; N];
    let mut candidate = [0.0; N];
    for i in 0..N {
        best[i] = upper[i][0];
    }
    for which in 1..4 {
        let (row, column) = (if which < 2 { upper } else { lower }, which % 2);
        for i in 0..N {
            candidate[i] = row[i][column];
        }
        for i in 0..N {
            // Selects and not branches, without which there are no vectors. The first NaN stays.
            let take = ((candidate[i] > best[i]) | candidate[i].is_nan()) & !best[i].is_nan();
            best[i] = if take { candidate[i] } else { best[i] };
            at[i] = if take { which as u32 } else { at[i] };
        }
    }
    for i in 0..N {
        output[i].write(best[i]);
        places[i].write(at[i] as u8);
    }
}

/// The gradient of [`max_2x2`]: each output's goes to the element that was the largest.
pub(crate) fn max_2x2_backward(gradient: &[f32], places: &[u8], planes: Planes) -> Vec<f32> {
    planes.check_output(gradient);
    planes.check_output(places);
    let (input, size, columns) = (planes.input(), planes.output(), planes.columns());
    if planes.count * size == 0 {
        return vec![0.0; planes.count * input];
    }
    let arch = arch();
    let group = planes.per_task();
    let chunks = gradient.par_chunks(group * size);
    let chunks = chunks.zip(places.par_chunks(group * size));
    let spread = |dx: &mut [MaybeUninit<f32>], (g, places): (&[f32], &[u8])| {
        arch.dispatch(
            #[inline(always)]
            || {
                for ((dx, g), places) in dx
                    .chunks_exact_mut(input)
                    .zip(g.chunks_exact(size))
                    .zip(places.chunks_exact(size))
                {
                    let rows = g.chunks_exact(columns).zip(places.chunks_exact(columns));
                    let windows = rows.map(|(g, places)| {
                        let of_row = g.iter().zip(places);
                        of_row.map(|(&g, &place)| {
                            [0, 1, 2, 3].map(|at| if place == at { g } else { 0.0 })
                        })
                    });
                    spread_plane(windows, planes.width, dx);
                }
            },
        );
    };
    // SAFETY: every chunk is a whole number of planes, and `spread_plane` writes all of each.
    unsafe { written_by_chunks(planes.count * input, group * input, chunks, spread) }.0
}

/// Writes a plane of which `rows` has the 2x2 windows; what is in no window gets zero.
#[inline(always)]
fn spread_plane<Row: Iterator<Item = [f32; 4]>>(
    rows: impl Iterator<Item = Row>,
    width: usize,
    dx: &mut [MaybeUninit<f32>],
) {
    let mut pairs = dx.chunks_exact_mut(2 * width);
    for (two, row) in (&mut pairs).zip(rows) {
        let (upper, lower) = two.split_at_mut(width);
        let (upper, upper_rest) = upper.as_chunks_mut::<2>();
        let (lower, lower_rest) = lower.as_chunks_mut::<2>();
        for ((upper, lower), [a, b, c, d]) in upper.iter_mut().zip(lower).zip(row) {
            *upper = [MaybeUninit::new(a), MaybeUninit::new(b)];
            *lower = [MaybeUninit::new(c), MaybeUninit::new(d)];
        }
        upper_rest.fill(MaybeUninit::new(0.0));
        lower_rest.fill(MaybeUninit::new(0.0));
    }
    pairs.into_remainder().fill(MaybeUninit::new(0.0));
}

pub(crate) fn avg_2x2(x: &[f32], planes: Planes) -> Vec<f32> {
    planes.check_input(x);
    let (input, size, columns) = (planes.input(), planes.output(), planes.columns());
    if planes.count * size == 0 {
        return Vec::new();
    }
    let arch = arch();
    let group = planes.per_task();
    let average = |output: &mut [MaybeUninit<f32>], x: &[f32]| {
        arch.dispatch(
            #[inline(always)]
            || {
                for (output, x) in output.chunks_exact_mut(size).zip(x.chunks_exact(input)) {
                    let pairs = x.chunks_exact(2 * planes.width);
                    for (output, two) in output.chunks_exact_mut(columns).zip(pairs) {
                        let (upper, lower) = two.split_at(planes.width);
                        let (upper, _) = upper.as_chunks::<2>();
                        let (lower, _) = lower.as_chunks::<2>();
                        for ((output, [a, b]), [c, d]) in output.iter_mut().zip(upper).zip(lower) {
                            output.write((a + b + (c + d)) * 0.25);
                        }
                    }
                }
            },
        );
    };
    let (len, chunks) = (planes.count * size, x.par_chunks(group * input));
    // SAFETY: every chunk is a whole number of planes, and the loops write all of each: a pair of rows
    // of the input for every row of the output, a pair of columns for every column.
    unsafe { written_by_chunks(len, group * size, chunks, average) }.0
}

/// The gradient of [`avg_2x2`]: a quarter of each output's to every element of its window.
pub(crate) fn avg_2x2_backward(gradient: &[f32], planes: Planes) -> Vec<f32> {
    planes.check_output(gradient);
    let (input, size, columns) = (planes.input(), planes.output(), planes.columns());
    if planes.count * size == 0 {
        return vec![0.0; planes.count * input];
    }
    let arch = arch();
    let group = planes.per_task();
    let spread = |dx: &mut [MaybeUninit<f32>], g: &[f32]| {
        arch.dispatch(
            #[inline(always)]
            || {
                for (dx, g) in dx.chunks_exact_mut(input).zip(g.chunks_exact(size)) {
                    let windows = g
                        .chunks_exact(columns)
                        .map(|g| g.iter().map(|g| [0.25 * g; 4]));
                    spread_plane(windows, planes.width, dx);
                }
            },
        );
    };
    let (len, chunks) = (planes.count * input, gradient.par_chunks(group * size));
    // SAFETY: every chunk is a whole number of planes, and `spread_plane` writes all of each.
    unsafe { written_by_chunks(len, group * input, chunks, spread) }.0
}

/// The mean of each of `planes` planes of `size` elements.
pub(crate) fn mean(x: &[f32], planes: usize, size: usize) -> Vec<f32> {
    assert_eq!(x.len(), planes * size, "the input has another shape");
    let mut output = vec![0.0; planes];
    if size == 0 {
        output.fill(f32::NAN);
        return output;
    }
    let arch = arch();
    let group = items_per_task(planes, size);
    output
        .par_chunks_mut(group)
        .zip(x.par_chunks(group * size))
        .for_each(|(output, x)| arch.dispatch(Means { x, size, output }));
    output
}

struct Means<'a, 'o> {
    x: &'a [f32],
    size: usize,
    output: &'o mut [f32],
}

impl WithSimd for Means<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (mean, plane) in self.output.iter_mut().zip(self.x.chunks_exact(self.size)) {
            *mean = (sum(simd, plane) / self.size as f64) as f32;
        }
    }
}

/// The gradient of [`mean`]: each plane is filled with its share.
pub(crate) fn mean_backward(gradient: &[f32], size: usize) -> Vec<f32> {
    if size == 0 {
        return Vec::new();
    }
    let group = items_per_task(gradient.len(), size);
    let fill = |dx: &mut [MaybeUninit<f32>], g: &[f32]| {
        for (plane, &g) in dx.chunks_exact_mut(size).zip(g) {
            plane.fill(MaybeUninit::new(g / size as f32));
        }
    };
    let (len, chunks) = (gradient.len() * size, gradient.par_chunks(group));
    // SAFETY: each plane is filled from the gradient it has.
    unsafe { written_by_chunks(len, group * size, chunks, fill) }.0
}
