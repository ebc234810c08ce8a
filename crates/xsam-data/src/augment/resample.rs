//! Part of a plane, enlarged to all of it.
//!
//! As Pillow does it to bytes, bit for bit: along the rows, rounded to bytes, then along the
//! columns. Crates for resizing round elsewhere, and one value in six differs by one.

use super::draw::Area;

/// Weights are whole multiples of 2^-22, so that sums of products with bytes are exact in 32 bits.
const BITS: u32 = 22;

/// Enlarges one area of a plane.
pub(super) struct Resampler {
    area: Area,
    rows: Vec<Tap>,
    /// Those of the last column first, if the result is mirrored.
    columns: Vec<Tap>,
}

/// What one value is made of: two neighbours, or twice the same at an edge.
#[derive(Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    weights: [i32; 2],
}

impl Resampler {
    pub(super) fn new(area: Area, height: usize, width: usize, flip: bool) -> Self {
        let mut columns = taps(area.width, width);
        if flip {
            columns.reverse();
        }
        Self {
            area,
            rows: taps(area.height, height),
            columns,
        }
    }

    /// Appends the area of `plane`, enlarged, by way of a table of what becomes of each byte.
    pub(super) fn push(
        &self,
        plane: &[u8],
        width: usize,
        table: &[f32; 256],
        spare: &mut Vec<u8>,
        pixels: &mut Vec<f32>,
    ) {
        let Area {
            top, left, height, ..
        } = self.area;
        spare.clear();
        for row in plane.chunks_exact(width).skip(top).take(height) {
            let row = &row[left..];
            let value = |tap: &Tap| tap.of(row[tap.first], row[tap.second]);
            spare.extend(self.columns.iter().map(value));
        }
        let wide = self.columns.len();
        for tap in &self.rows {
            let first = &spare[tap.first * wide..][..wide];
            let second = &spare[tap.second * wide..][..wide];
            let values = first.iter().zip(second).map(|(&a, &b)| tap.of(a, b));
            pixels.extend(values.map(|value| table[usize::from(value)]));
        }
    }
}

impl Tap {
    /// The weighted mean, rounded.
    fn of(self, first: u8, second: u8) -> u8 {
        let [a, b] = self.weights;
        let sum = i32::from(first) * a + i32::from(second) * b + (1 << (BITS - 1));
        // The weights may sum to a little more than 1, by which 255 cannot reach 256.
        (sum >> BITS) as u8
    }
}

/// The taps of `large` values made of `small`, of which there are at most as many.
fn taps(small: usize, large: usize) -> Vec<Tap> {
    let scale = small as f64 / large as f64;
    (0..large)
        .map(|at| {
            let centre = (at as f64 + 0.5) * scale;
            let start = (centre - 0.5).max(0.0) as usize;
            let end = ((centre + 1.5) as usize).min(small);
            let weight = |at: usize| {
                let distance = at as f64 - centre + 0.5;
                if at < end {
                    (1.0 - distance.abs()).max(0.0)
                } else {
                    0.0
                }
            };
            let [a, b] = [weight(start), weight(start + 1)];
            let whole = |weight: f64| (0.5 + weight / (a + b) * f64::from(1 << BITS)) as i32;
            Tap {
                first: start,
                second: (start + 1).min(small - 1),
                weights: [whole(a), whole(b)],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEIGHT: usize = 6;
    const WIDTH: usize = 7;

    fn plane() -> Vec<u8> {
        let at = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        at.map(|(x, y)| (x * x * 37 + y * 91 + x * y * 53) as u8)
            .collect()
    }

    fn enlarged(plane: &[u8], [left, top, right, bottom]: [usize; 4], flip: bool) -> Vec<u8> {
        let area = Area::new([top, left], [bottom - top, right - left]);
        let table = std::array::from_fn(|value| value as f32);
        let mut pixels = Vec::new();
        let resampler = Resampler::new(area, HEIGHT, WIDTH, flip);
        resampler.push(plane, WIDTH, &table, &mut vec![9; 100], &mut pixels);
        pixels.into_iter().map(|value| value as u8).collect()
    }

    /// With `a` the plane, Pillow 13.0.0:
    /// `Image.fromarray(a).crop((left, top, right, bottom)).resize((7, 6), Image.BILINEAR)`.
    #[test]
    fn areas_are_enlarged_as_by_pillow() {
        #[rustfmt::skip]
        let inner = [
            69, 55, 33, 48, 73, 135, 174,
            105, 96, 81, 72, 73, 142, 186,
            177, 177, 178, 119, 72, 156, 209,
            185, 195, 210, 135, 66, 129, 169,
            129, 148, 179, 119, 55, 61, 64,
            101, 125, 163, 111, 50, 27, 12,
        ];
        assert_eq!(enlarged(&plane(), [1, 2, 5, 5], false), inner);
        let row = [71, 71, 83, 99, 115, 127, 127].repeat(HEIGHT);
        assert_eq!(enlarged(&plane(), [3, 1, 5, 2], false), row);
        let last: Vec<u8> = [52, 205, 102, 255, 152, 49]
            .into_iter()
            .flat_map(|value| [value; WIDTH])
            .collect();
        assert_eq!(enlarged(&plane(), [6, 0, 7, 6], false), last);
    }

    #[test]
    fn all_of_a_plane_stays_as_it_is() {
        assert_eq!(enlarged(&plane(), [0, 0, WIDTH, HEIGHT], false), plane());
    }

    #[test]
    fn every_area_of_a_constant_plane_is_constant_and_every_flip_a_mirror() {
        for top in 0..HEIGHT {
            for bottom in top + 1..=HEIGHT {
                for left in 0..WIDTH {
                    for right in left + 1..=WIDTH {
                        let area = [left, top, right, bottom];
                        for value in [0, 1, 128, 254, 255] {
                            let constant = vec![value; HEIGHT * WIDTH];
                            assert_eq!(enlarged(&constant, area, false), constant);
                        }
                        let mut mirrored = enlarged(&plane(), area, true);
                        mirrored.chunks_mut(WIDTH).for_each(<[u8]>::reverse);
                        assert_eq!(mirrored, enlarged(&plane(), area, false));
                    }
                }
            }
        }
    }
}
