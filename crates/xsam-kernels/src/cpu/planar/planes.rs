//! Inputs with their border of zeros, as planes.

use super::Shape;

/// How inputs are laid out, `[image][channel][copy][row][column]`, so that the inputs that neighbouring outputs see through
/// a tap lie side by side.
///
/// Where rows of outputs are whole vectors, a plane with its border is enough. Where they are not, or columns are skipped, a
/// vector takes several rows, and there is a copy for each column of the kernel, without anything between two rows.
pub(super) struct Layout {
    /// The row and column of the bordered input that each copy begins with.
    copies: Vec<[usize; 2]>,
    /// Rows of a copy, and its columns.
    rows: usize,
    columns: usize,
    /// From one column of a copy to the next, in the input.
    step: usize,
    /// Numbers in a copy.
    plane: usize,
    /// Numbers in all copies of a channel.
    pub(super) channel: usize,
    /// Numbers in an image.
    pub(super) image: usize,
    /// What the first output sees through each tap, counted from the first number of a channel.
    pub(super) taps: Vec<usize>,
    /// The largest of them.
    pub(super) last_tap: usize,
    /// Vectors of outputs of a plane.
    pub(super) places: Vec<Place>,
}

/// A vector of outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Where its inputs begin, counted from those of the first output.
    pub(super) input: usize,
    /// Where it begins in a plane of outputs.
    pub(super) output: usize,
    /// How many outputs there are of it.
    pub(super) len: usize,
}

impl Layout {
    /// The layout for vectors of so many lanes.
    pub(super) fn new(shape: &Shape, lanes: usize) -> Self {
        let [rows, columns] = shape.outputs();
        let reach = [0, 1].map(|i| (shape.kernel[i] - 1) * shape.dilation[i]);
        let whole = shape.stride[1] == 1 && columns.is_multiple_of(lanes);
        let (width, step) = match whole {
            true => (columns + reach[1], 1),
            false => (columns, shape.stride[1]),
        };
        let mut copies = Vec::new();
        // The copy that each tap looks into, and where.
        let mut seen = Vec::with_capacity(shape.taps());
        for row in (0..=reach[0]).step_by(shape.dilation[0]) {
            for column in (0..=reach[1]).step_by(shape.dilation[1]) {
                let (first, beside) = if whole { (0, column) } else { (column, 0) };
                let begin = [row % shape.stride[0], first];
                let copy = copies.iter().position(|copy| *copy == begin);
                let copy = copy.unwrap_or_else(|| {
                    copies.push(begin);
                    copies.len() - 1
                });
                seen.push((copy, row / shape.stride[0] * width + beside));
            }
        }
        let places = match whole {
            true => places_in_rows([rows, columns], width, lanes),
            false => places_in_a_row(rows * columns, lanes),
        };
        let rows = rows + reach[0] / shape.stride[0];
        // A last vector may reach beyond the last row.
        let last = places.last().map_or(0, |place| place.input);
        let last = last + seen.iter().fold(0, |last, (_, at)| last.max(*at));
        let plane = (rows * width).max(last + lanes);
        let channel = copies.len() * plane;
        let taps: Vec<_> = seen.iter().map(|(copy, at)| copy * plane + at).collect();
        Self {
            rows,
            columns: width,
            step,
            plane,
            channel,
            image: shape.channels[0] * channel,
            last_tap: taps.iter().copied().fold(0, usize::max),
            taps,
            places,
            copies,
        }
    }

    /// Whether images are laid out so as they are.
    pub(super) fn is_given(&self, shape: &Shape) -> bool {
        shape.is_product() && self.image == shape.input_image()
    }

    /// How many of the images are dealt with together, for so many vectors of outputs if there are.
    pub(super) fn images_at_once(&self, vectors: usize, images: usize) -> usize {
        (vectors / self.places.len()).clamp(1, images)
    }

    /// Room for so many images, all zero: the borders stay so.
    pub(super) fn room(&self, images: usize) -> Vec<f32> {
        vec![0.0; images * self.image]
    }

    /// Takes images `[image, channel, row, column]` into their room.
    #[inline(always)]
    pub(super) fn fill(&self, shape: &Shape, images: &[f32], room: &mut [f32]) {
        let size = shape.size[0] * shape.size[1];
        let channels = images.chunks_exact(size);
        for (plane, room) in channels.zip(room.chunks_exact_mut(self.channel)) {
            for (begin, copy) in self.copies.iter().zip(room.chunks_exact_mut(self.plane)) {
                self.fill_copy(shape, *begin, plane, copy);
            }
        }
    }

    #[inline(always)]
    fn fill_copy(&self, shape: &Shape, begin: [usize; 2], plane: &[f32], copy: &mut [f32]) {
        let [rows, columns] = shape.size;
        let [top, left] = shape.padding;
        if shape.stride == [1, 1] && self.columns == columns {
            let inside = rows.min(self.rows.saturating_sub(top)) * columns;
            let plane = &plane[..inside];
            let copy = &mut copy[top * columns..][..inside];
            if begin[1] >= left {
                let ahead = (begin[1] - left).min(columns);
                moved(&plane[ahead..], copy);
                for row in copy.chunks_exact_mut(columns) {
                    row[columns - ahead..].fill(0.0);
                }
            } else {
                let behind = (left - begin[1]).min(columns);
                moved(plane, &mut copy[behind..]);
                for row in copy.chunks_exact_mut(columns) {
                    row[..behind].fill(0.0);
                }
            }
            return;
        }
        // The columns of the copy that lie in the image.
        let first = left.saturating_sub(begin[1]).div_ceil(self.step);
        let end = (columns + left)
            .saturating_sub(begin[1])
            .div_ceil(self.step);
        let within = first..end.min(self.columns);
        if within.is_empty() {
            return;
        }
        let source = within.start * self.step + begin[1] - left;
        for (r, row) in copy
            .chunks_exact_mut(self.columns)
            .take(self.rows)
            .enumerate()
        {
            let at = r * shape.stride[0] + begin[0];
            if at < top || at >= rows + top {
                continue;
            }
            let image = &plane[(at - top) * columns..][..columns][source..];
            let row = &mut row[within.clone()];
            if self.step == 1 {
                moved(image, row);
            } else {
                for (to, from) in row.iter_mut().zip(image.iter().step_by(self.step)) {
                    *to = *from;
                }
            }
        }
    }
}

/// Copies as many numbers as both have. Rows are short: a call for each would take as long as all the rest.
#[inline(always)]
fn moved(from: &[f32], to: &mut [f32]) {
    const TOGETHER: usize = 8;
    let len = from.len().min(to.len());
    let (from, rest) = from[..len].as_chunks::<TOGETHER>();
    let (to, last) = to[..len].as_chunks_mut::<TOGETHER>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
}

/// Vectors of outputs whose rows are whole vectors, where rows of inputs are `width` long.
fn places_in_rows([rows, columns]: [usize; 2], width: usize, lanes: usize) -> Vec<Place> {
    (0..rows)
        .flat_map(|r| (0..columns).step_by(lanes).map(move |c| (r, c)))
        .map(|(r, c)| Place {
            input: r * width + c,
            output: r * columns + c,
            len: lanes,
        })
        .collect()
}

/// Vectors of outputs one after the other, whose inputs are too.
fn places_in_a_row(pixels: usize, lanes: usize) -> Vec<Place> {
    (0..pixels)
        .step_by(lanes)
        .map(|p| Place {
            input: p,
            output: p,
            len: lanes.min(pixels - p),
        })
        .collect()
}
