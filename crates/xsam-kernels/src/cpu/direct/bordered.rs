//! Images with zeros around them, channels innermost.

use pulp::Simd;

use super::super::shape::Shape;
use super::super::transpose::{Places, Stretch, interleave};

/// Images with their zero borders, channels innermost: `[image][row][column][channel]`.
pub(super) struct Bordered {
    pub(super) values: Vec<f32>,
    /// Numbers in an image, and in a row.
    pub(super) image: usize,
    pub(super) row: usize,
    /// Numbers from a pixel to the next.
    pub(super) pixel: usize,
    pub(super) channels: usize,
    /// Rows and columns of an image.
    size: [usize; 2],
    /// Rows and columns before it.
    before: [usize; 2],
}

impl Bordered {
    /// Room for images of that `size` within `[rows, columns]`, after `before` of them.
    pub(super) fn new(
        images: usize,
        (channels, pixel): (usize, usize),
        size: [usize; 2],
        before: [usize; 2],
        within: [usize; 2],
    ) -> Self {
        let row = within[1] * pixel;
        let image = within[0] * row;
        Self {
            values: vec![0.0; images * image],
            image,
            row,
            pixel,
            channels,
            size,
            before,
        }
    }

    /// Inputs of a convolution, with some numbers between two pixels.
    pub(super) fn inputs(shape: &Shape, images: usize, gap: usize) -> Self {
        let within = [0, 1].map(|i| shape.size[i] + 2 * shape.padding[i]);
        let channels = shape.channels[0];
        let pixel = (channels, channels + gap);
        Self::new(images, pixel, shape.size, shape.padding, within)
    }

    pub(super) fn at(&self, row: usize, column: usize) -> usize {
        row * self.row + column * self.pixel
    }

    /// Where the pixels of some rows and columns of each image are, with a stride between two.
    pub(super) fn places(&self, images: usize, size: [usize; 2], stride: [usize; 2]) -> Vec<usize> {
        let [rows, columns] = size;
        (0..images * rows * columns)
            .map(|p| {
                let (row, column) = (p / columns % rows, p % columns);
                let image = p / (rows * columns) * self.image;
                image + self.at(row * stride[0], column * stride[1])
            })
            .collect()
    }

    /// Takes images `[image, channel, row, column]`; the borders stay zero.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&mut self, images: &[f32]) {
        let [rows, columns] = self.size;
        let stretch = Stretch {
            channels: self.channels,
            plane: rows * columns,
            first: 0,
            pixels: rows * columns,
        };
        let corner = self.at(self.before[0], self.before[1]);
        let places = Places::rows(corner, self.pixel as isize, self.row, columns);
        let images = images.chunks_exact(self.channels * rows * columns);
        for (values, image) in self.values.chunks_exact_mut(self.image).zip(images) {
            interleave::<S>(image, stretch, values, places);
        }
    }
}
