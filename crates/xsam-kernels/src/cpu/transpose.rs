//! Between planes, `[channel][pixel]`, and channels innermost, `[pixel][channel]`.

use std::mem::MaybeUninit;

use pulp::Simd;

/// Pixels and channels that are turned over at a time.
const EDGE: usize = 8;

/// Pixels that are read of a plane before the next plane's.
const RUN: usize = 16 * EDGE;

type Square = [[f32; EDGE]; EDGE];

/// A stretch of pixels in each of several planes.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) channels: usize,
    /// From a plane to the next.
    pub(crate) plane: usize,
    pub(crate) first: usize,
    pub(crate) pixels: usize,
}

/// Where pixels have their channels: rows of pixels, counted through them. A walk along them, since to divide takes longer
/// than to turn a pixel over.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    first: isize,
    /// From a pixel to the next one of its row, and from a row to the next.
    pixel: isize,
    row: isize,
    columns: usize,
    /// The pixel that comes next.
    column: usize,
}

impl Places {
    /// Pixels of a single row.
    #[inline(always)]
    pub(crate) fn row(first: usize, pixel: isize) -> Self {
        Self::rows(first, pixel, 0, usize::MAX)
    }

    /// Pixels of rows of so many columns.
    #[inline(always)]
    pub(crate) fn rows(first: usize, pixel: isize, row: usize, columns: usize) -> Self {
        Self {
            first: first as isize,
            pixel,
            row: row as isize,
            columns,
            column: 0,
        }
    }

    #[inline(always)]
    fn walk(&mut self) -> usize {
        let at = self.first + self.column as isize * self.pixel;
        self.column += 1;
        if self.column == self.columns {
            self.column = 0;
            self.first += self.row;
        }
        at as usize
    }
}

/// `out[places[p] + c] = planes[c][p]` for all pixels of the stretch, counted from its first.
#[inline(always)]
pub(crate) fn interleave<S: Simd>(
    planes: &[f32],
    stretch: Stretch,
    out: &mut [f32],
    mut places: Places,
) {
    let Stretch {
        channels,
        plane,
        first,
        pixels,
    } = stretch;
    let (whole, wide) = (pixels - pixels % EDGE, channels - channels % EDGE);
    // Planes are often a power of two apart, so that few lines of different planes stay in the cache
    // together, and the processor foresees what is read next only along a plane.
    for begin in (0..whole).step_by(RUN) {
        let mut run = [0; RUN];
        let run = &mut run[..(whole - begin).min(RUN)];
        for at in run.iter_mut() {
            *at = places.walk();
        }
        for c in (0..wide).step_by(EDGE) {
            for (side, places) in run.as_chunks::<EDGE>().0.iter().enumerate() {
                let from = c * plane + first + begin + side * EDGE;
                let square = turned::<S>(square(planes, from, plane));
                for (to, values) in places.iter().zip(square) {
                    out[to + c..to + c + EDGE].copy_from_slice(&values);
                }
            }
        }
        for c in wide..channels {
            let source = &planes[c * plane + first + begin..];
            for (to, value) in run.iter().zip(source) {
                out[to + c] = *value;
            }
        }
    }
    for p in whole..pixels {
        let out = &mut out[places.walk()..][..channels];
        let source = planes[first + p..].iter().step_by(plane);
        for (to, value) in out.iter_mut().zip(source) {
            *to = *value;
        }
    }
}

/// `planes[c][p] = values[p * width + c]` for all pixels of the stretch, counted from its first.
#[inline(always)]
pub(crate) fn separate<S: Simd>(
    values: &[f32],
    width: usize,
    planes: &mut [MaybeUninit<f32>],
    stretch: Stretch,
) {
    let Stretch {
        channels,
        plane,
        first,
        pixels,
    } = stretch;
    let (whole, wide) = (pixels - pixels % EDGE, channels - channels % EDGE);
    for c in (0..wide).step_by(EDGE) {
        for p in (0..whole).step_by(EDGE) {
            let square = square(values, p * width + c, width);
            for (i, turned) in turned::<S>(square).into_iter().enumerate() {
                let at = (c + i) * plane + first + p;
                planes[at..at + EDGE].write_copy_of_slice(&turned);
            }
        }
    }
    for c in 0..channels {
        let from = if c < wide { whole } else { 0 };
        let out = &mut planes[c * plane + first..][from..pixels];
        for (to, pixel) in out.iter_mut().zip(values[from * width..].chunks(width)) {
            to.write(pixel[c]);
        }
    }
}

/// Eight rows of eight values; the first begins at `first`, and `step` lie between two.
#[inline(always)]
fn square(values: &[f32], first: usize, step: usize) -> Square {
    let mut square = [[0.0; EDGE]; EDGE];
    let values = &values[first..first + (EDGE - 1) * step + EDGE];
    for (i, row) in square.iter_mut().enumerate() {
        row.copy_from_slice(&values[i * step..i * step + EDGE]);
    }
    square
}

#[inline(always)]
fn turned<S: Simd>(square: Square) -> Square {
    #[cfg(target_arch = "x86_64")]
    if S::F32_LANES >= 8 {
        // SAFETY: on this architecture pulp has instruction sets with 8 lanes or more only where
        // AVX has been found.
        return unsafe { avx::turned(square) };
    }
    std::array::from_fn(|r| std::array::from_fn(|c| square[c][r]))
}

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::*;

    use super::{EDGE, Square};

    /// In three rounds of eight shuffles: pairs of rows, pairs of pairs, halves.
    ///
    /// Written without closures, which would keep the instructions from being inlined.
    ///
    /// # Safety
    /// The processor must have AVX.
    #[inline(always)]
    pub(super) unsafe fn turned(square: Square) -> Square {
        // SAFETY: both are 64 numbers of 32 bits; the caller vouches for the instructions.
        unsafe {
            let r: [__m256; EDGE] = std::mem::transmute(square);
            let l0 = _mm256_unpacklo_ps(r[0], r[1]);
            let h0 = _mm256_unpackhi_ps(r[0], r[1]);
            let l1 = _mm256_unpacklo_ps(r[2], r[3]);
            let h1 = _mm256_unpackhi_ps(r[2], r[3]);
            let l2 = _mm256_unpacklo_ps(r[4], r[5]);
            let h2 = _mm256_unpackhi_ps(r[4], r[5]);
            let l3 = _mm256_unpacklo_ps(r[6], r[7]);
            let h3 = _mm256_unpackhi_ps(r[6], r[7]);
            let a0 = _mm256_shuffle_ps::<0x44>(l0, l1);
            let a1 = _mm256_shuffle_ps::<0xEE>(l0, l1);
            let a2 = _mm256_shuffle_ps::<0x44>(h0, h1);
            let a3 = _mm256_shuffle_ps::<0xEE>(h0, h1);
            let b0 = _mm256_shuffle_ps::<0x44>(l2, l3);
            let b1 = _mm256_shuffle_ps::<0xEE>(l2, l3);
            let b2 = _mm256_shuffle_ps::<0x44>(h2, h3);
            let b3 = _mm256_shuffle_ps::<0xEE>(h2, h3);
            std::mem::transmute([
                _mm256_permute2f128_ps::<0x20>(a0, b0),
                _mm256_permute2f128_ps::<0x20>(a1, b1),
                _mm256_permute2f128_ps::<0x20>(a2, b2),
                _mm256_permute2f128_ps::<0x20>(a3, b3),
                _mm256_permute2f128_ps::<0x31>(a0, b0),
                _mm256_permute2f128_ps::<0x31>(a1, b1),
                _mm256_permute2f128_ps::<0x31>(a2, b2),
                _mm256_permute2f128_ps::<0x31>(a3, b3),
            ])
        }
    }
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use super::*;
    use crate::cpu::isa::arch;

    struct ThereAndBack<'a> {
        planes: &'a [f32],
        stretch: Stretch,
        width: usize,
        between: &'a mut [f32],
        back: &'a mut [MaybeUninit<f32>],
    }

    impl WithSimd for ThereAndBack<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let width = self.width;
            let places = Places::row(0, width as isize);
            interleave::<S>(self.planes, self.stretch, self.between, places);
            separate::<S>(self.between, width, self.back, self.stretch);
        }
    }

    #[test]
    fn every_size_goes_there_and_back() {
        for channels in 1..=19 {
            for pixels in 1..=19 {
                let stretch = Stretch {
                    channels,
                    plane: pixels + 3,
                    first: 2,
                    pixels,
                };
                let count = channels * stretch.plane;
                let planes: Vec<f32> = (0..count).map(|i| i as f32).collect();
                let width = channels + 1;
                let mut between = vec![-1.0; pixels * width];
                let mut back = vec![MaybeUninit::new(-1.0); count];
                arch().dispatch(ThereAndBack {
                    planes: &planes,
                    stretch,
                    width,
                    between: &mut between,
                    back: &mut back,
                });
                for c in 0..channels {
                    for p in 0..stretch.plane {
                        let at = c * stretch.plane + p;
                        let inside = (2..2 + pixels).contains(&p);
                        // SAFETY: all of it was written when it was made.
                        let back = unsafe { back[at].assume_init() };
                        assert_eq!(back, if inside { planes[at] } else { -1.0 });
                        if inside {
                            assert_eq!(between[(p - 2) * width + c], planes[at]);
                        }
                    }
                }
                assert!(between.chunks(width).all(|pixel| pixel[channels] == -1.0));
            }
        }
    }
}
