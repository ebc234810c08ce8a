//! The one-dimensional transforms of F(4,3), on vectors of channels.
//!
//! The points are 0, +-sqrt(1/2), +-sqrt(2) and infinity. With `d` six inputs, `g` three taps and
//! `y` four outputs, `y = A^T ((G g) * (B^T d))`; in two dimensions each is applied to rows and
//! columns. These points lose half as many digits as the textbook's 0, +-1, +-2 at the same cost.

use pulp::Simd;

/// `N` values, of which the first is at `first` and `step` lie between two. A loop, since a closure
/// might keep instructions from being inlined.
#[inline(always)]
pub(super) fn every<T: Copy, const N: usize>(values: &[T], first: usize, step: usize) -> [T; N] {
    let mut out = [values[first]; N];
    for (i, out) in out.iter_mut().enumerate().skip(1) {
        *out = values[first + i * step];
    }
    out
}

const A: f32 = std::f32::consts::FRAC_1_SQRT_2;
const B: f32 = std::f32::consts::SQRT_2;

/// The transforms in an instruction set.
#[derive(Clone, Copy)]
pub(super) struct Transforms<S: Simd> {
    simd: S,
}

impl<S: Simd> Transforms<S> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        Self { simd }
    }

    #[inline(always)]
    fn add(self, x: S::f32s, y: S::f32s) -> S::f32s {
        self.simd.add_f32s(x, y)
    }

    #[inline(always)]
    fn sub(self, x: S::f32s, y: S::f32s) -> S::f32s {
        self.simd.sub_f32s(x, y)
    }

    #[inline(always)]
    fn scale(self, c: f32, x: S::f32s) -> S::f32s {
        self.simd.mul_f32s(self.simd.splat_f32s(c), x)
    }

    /// `c x + y`.
    #[inline(always)]
    fn axpy(self, c: f32, x: S::f32s, y: S::f32s) -> S::f32s {
        self.simd.mul_add_f32s(self.simd.splat_f32s(c), x, y)
    }

    /// `B^T d`.
    #[inline(always)]
    pub(super) fn input(self, d: [S::f32s; 6]) -> [S::f32s; 6] {
        let even = self.axpy(-2.0, d[2], d[4]);
        let odd = self.scale(A, self.axpy(-2.0, d[1], d[3]));
        let even_b = self.axpy(-0.5, d[2], d[4]);
        let odd_b = self.scale(B, self.axpy(-0.5, d[1], d[3]));
        [
            self.axpy(-2.5, d[2], self.add(d[0], d[4])),
            self.add(even, odd),
            self.sub(even, odd),
            self.add(even_b, odd_b),
            self.sub(even_b, odd_b),
            self.axpy(-2.5, d[3], self.add(d[1], d[5])),
        ]
    }

    /// `A^T m`.
    #[inline(always)]
    pub(super) fn output(self, m: [S::f32s; 6]) -> [S::f32s; 4] {
        let (sum, difference) = (self.add(m[1], m[2]), self.sub(m[1], m[2]));
        let (sum_b, difference_b) = (self.add(m[3], m[4]), self.sub(m[3], m[4]));
        [
            self.add(m[0], self.add(sum, sum_b)),
            self.axpy(A, difference, self.scale(B, difference_b)),
            self.axpy(0.5, sum, self.scale(2.0, sum_b)),
            self.axpy(0.5 * A, difference, self.axpy(2.0 * B, difference_b, m[5])),
        ]
    }

    /// `G g`.
    #[inline(always)]
    pub(super) fn filter(self, g: [S::f32s; 3]) -> [S::f32s; 6] {
        let even = self.scale(-1.0 / 1.5, self.axpy(0.5, g[2], g[0]));
        let odd = self.scale(-A / 1.5, g[1]);
        let even_b = self.scale(1.0 / 6.0, self.axpy(2.0, g[2], g[0]));
        let odd_b = self.scale(B / 6.0, g[1]);
        [
            g[0],
            self.add(even, odd),
            self.sub(even, odd),
            self.add(even_b, odd_b),
            self.sub(even_b, odd_b),
            g[2],
        ]
    }

    /// `A y`: the adjoint of [`output`](Self::output).
    #[inline(always)]
    pub(super) fn output_adjoint(self, y: [S::f32s; 4]) -> [S::f32s; 6] {
        let even = self.axpy(0.5, y[2], y[0]);
        let odd = self.scale(A, self.axpy(0.5, y[3], y[1]));
        let even_b = self.axpy(2.0, y[2], y[0]);
        let odd_b = self.scale(B, self.axpy(2.0, y[3], y[1]));
        [
            y[0],
            self.add(even, odd),
            self.sub(even, odd),
            self.add(even_b, odd_b),
            self.sub(even_b, odd_b),
            y[3],
        ]
    }

    /// `G^T u`: the adjoint of [`filter`](Self::filter).
    #[inline(always)]
    pub(super) fn filter_adjoint(self, u: [S::f32s; 6]) -> [S::f32s; 3] {
        let (sum, difference) = (self.add(u[1], u[2]), self.sub(u[1], u[2]));
        let (sum_b, difference_b) = (self.add(u[3], u[4]), self.sub(u[3], u[4]));
        let near = self.scale(-1.0 / 1.5, sum);
        let far = self.scale(1.0 / 6.0, sum_b);
        [
            self.add(u[0], self.add(near, far)),
            self.axpy(-A / 1.5, difference, self.scale(B / 6.0, difference_b)),
            self.axpy(0.5, near, self.axpy(2.0, far, u[5])),
        ]
    }
}
