//! Convolutions of any kind as matrix products: the inputs of each output in a column.

use gemm::Parallelism;
use rayon::prelude::*;

use super::shape::Shape;
use super::split::{images_per_thread, sum_over_images};

impl Shape {
    /// Values of a column: inputs of one output within a group.
    fn column(&self) -> usize {
        self.channels[0] / self.groups * self.taps()
    }

    /// Calls `visit(index in the columns, index in the group's input, length)` for every stretch of a
    /// row of the columns that comes from within the input; `step` values of input lie between two.
    fn stretches(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [rows, columns] = self.outputs();
        let [height, width] = self.size;
        let mut row = 0;
        for c in 0..self.channels[0] / self.groups {
            for kr in 0..self.kernel[0] {
                for kc in 0..self.kernel[1] {
                    let (down, right) = (kr * self.dilation[0], kc * self.dilation[1]);
                    // The outputs whose input column lies in the input.
                    let first = self.padding[1]
                        .saturating_sub(right)
                        .div_ceil(self.stride[1]);
                    let end = (width + self.padding[1]).saturating_sub(right);
                    let end = end.div_ceil(self.stride[1]).min(columns);
                    for r in 0..rows {
                        let h = (r * self.stride[0] + down).checked_sub(self.padding[0]);
                        let Some(h) = h.filter(|h| *h < height) else {
                            continue;
                        };
                        if first < end {
                            let w = first * self.stride[1] + right - self.padding[1];
                            let source = (c * height + h) * width + w;
                            visit((row * rows + r) * columns + first, source, end - first);
                        }
                    }
                    row += 1;
                }
            }
        }
    }

    /// Fills `columns` from the input of a group.
    fn gather(&self, input: &[f32], columns: &mut [f32]) {
        columns.fill(0.0);
        let step = self.stride[1];
        self.stretches(|to, from, length| {
            let source = input[from..].iter().step_by(step);
            for (column, x) in columns[to..to + length].iter_mut().zip(source) {
                *column = *x;
            }
        });
    }

    /// Adds `columns` to the input of a group, the adjoint of [`gather`](Self::gather).
    fn scatter(&self, columns: &[f32], input: &mut [f32]) {
        let step = self.stride[1];
        self.stretches(|from, to, length| {
            let target = input[to..].iter_mut().step_by(step);
            for (x, column) in target.zip(&columns[from..from + length]) {
                *x += column;
            }
        });
    }
}

/// `y = x * w`, with `x` `[batch, input, rows, columns]` and `w` `[output, input / groups, ..]`.
pub(crate) fn forward(shape: &Shape, x: &[f32], w: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; shape.batch * shape.output_image()];
    let images = images_per_thread(shape.batch);
    if y.is_empty() {
        return y;
    }
    y.par_chunks_mut(images * shape.output_image())
        .zip(x.par_chunks(images * shape.input_image()))
        .for_each(|(y, x)| {
            let mut buffer = shape.buffer();
            let images = y.chunks_exact_mut(shape.output_image());
            for (y, x) in images.zip(x.chunks_exact(shape.input_image())) {
                for (g, y) in y.chunks_exact_mut(y.len() / shape.groups).enumerate() {
                    let columns = shape.columns(x, g, &mut buffer);
                    let w = shape.filters(w, g);
                    multiply(w, false, columns, false, shape.column(), y, false);
                }
            }
        });
    y
}

/// Gradient of `x` from that of `y`.
pub(crate) fn input_gradient(shape: &Shape, dy: &[f32], w: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; shape.batch * shape.input_image()];
    let images = images_per_thread(shape.batch);
    if dy.is_empty() {
        return dx;
    }
    dx.par_chunks_mut(images * shape.input_image())
        .zip(dy.par_chunks(images * shape.output_image()))
        .for_each(|(dx, dy)| {
            let mut buffer = shape.buffer();
            let images = dx.chunks_exact_mut(shape.input_image());
            for (dx, dy) in images.zip(dy.chunks_exact(shape.output_image())) {
                let groups = dx.chunks_exact_mut(dx.len() / shape.groups);
                let dy = dy.chunks_exact(dy.len() / shape.groups);
                for (g, (dx, dy)) in groups.zip(dy).enumerate() {
                    let (w, depth) = (shape.filters(w, g), shape.channels[1] / shape.groups);
                    if shape.is_product() {
                        multiply(w, true, dy, false, depth, dx, false);
                    } else {
                        multiply(w, true, dy, false, depth, &mut buffer, false);
                        shape.scatter(&buffer, dx);
                    }
                }
            }
        });
    dx
}

/// Gradient of `w` from the input and the gradient of `y`.
pub(crate) fn weight_gradient(shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let filters = shape.channels[1] * shape.column();
    if dy.is_empty() {
        return vec![0.0; filters];
    }
    let (x, dy) = ((x, shape.input_image()), (dy, shape.output_image()));
    sum_over_images(shape.batch, x, dy, |x, dy| {
        let mut buffer = shape.buffer();
        let mut dw = vec![0.0; filters];
        let images = x.chunks_exact(shape.input_image());
        for (x, dy) in images.zip(dy.chunks_exact(shape.output_image())) {
            let groups = dw.chunks_exact_mut(filters / shape.groups);
            let dy = dy.chunks_exact(dy.len() / shape.groups);
            for (g, (dw, dy)) in groups.zip(dy).enumerate() {
                let columns = shape.columns(x, g, &mut buffer);
                let depth = shape.outputs()[0] * shape.outputs()[1];
                multiply(dy, false, columns, true, depth, dw, true);
            }
        }
        dw
    })
}

impl Shape {
    /// Room for the columns of a group of an image.
    fn buffer(&self) -> Vec<f32> {
        if self.is_product() {
            return Vec::new();
        }
        vec![0.0; self.column() * self.outputs()[0] * self.outputs()[1]]
    }

    /// The columns of group `g`, in `buffer` unless they are the input itself.
    fn columns<'a>(&self, image: &'a [f32], g: usize, buffer: &'a mut [f32]) -> &'a [f32] {
        let group = image.len() / self.groups;
        let input = &image[g * group..(g + 1) * group];
        if self.is_product() {
            return input;
        }
        self.gather(input, buffer);
        buffer
    }

    fn filters<'a>(&self, w: &'a [f32], g: usize) -> &'a [f32] {
        let group = w.len() / self.groups;
        &w[g * group..(g + 1) * group]
    }
}

/// `c (+)= a b` for dense row-major matrices, `a` or `b` transposed if so said; `depth` is the common
/// dimension, the others follow from the lengths.
fn multiply(
    a: &[f32],
    a_transposed: bool,
    b: &[f32],
    b_transposed: bool,
    depth: usize,
    c: &mut [f32],
    add: bool,
) {
    let (rows, columns) = (a.len() / depth.max(1), b.len() / depth.max(1));
    assert_eq!(a.len(), rows * depth, "the left matrix is not whole");
    assert_eq!(b.len(), columns * depth, "the right matrix is not whole");
    assert_eq!(c.len(), rows * columns, "the product has another size");
    let strides = |transposed: bool, across: usize, down: usize| match transposed {
        false => (1, across as isize),
        true => (down as isize, 1),
    };
    let (a_column, a_row) = strides(a_transposed, depth, rows);
    let (b_column, b_row) = strides(b_transposed, columns, depth);
    // SAFETY: the three matrices are dense and have just been found to have the sizes that the
    // strides span; `c` is borrowed mutably, so it overlaps with neither.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            c.as_mut_ptr(),
            1,
            columns as isize,
            add,
            a.as_ptr(),
            a_column,
            a_row,
            b.as_ptr(),
            b_column,
            b_row,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
