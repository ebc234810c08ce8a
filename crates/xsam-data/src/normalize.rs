//! Zero mean and unit variance per channel.

use crate::Images;

/// Mean and deviation of every channel, in the units of the pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// Subtracted from every pixel of the channel.
    pub mean: Vec<f64>,
    /// Divides every pixel of the channel afterwards.
    pub deviation: Vec<f64>,
}

impl Normalization {
    /// Measures `images`: the mean and the population standard deviation of every channel.
    ///
    /// A channel without variation, or without pixels, keeps its scale.
    pub fn measure(images: &Images) -> Self {
        let mut mean = vec![0.0; images.channels()];
        let mut deviation = vec![1.0; images.channels()];
        for (channel, counts) in histograms(images).iter().enumerate() {
            let moment = |of: &dyn Fn(f64) -> f64| -> f64 {
                let values = (0_u8..=u8::MAX).map(|value| of(f64::from(value)));
                counts.iter().zip(values).map(|(&n, v)| n as f64 * v).sum()
            };
            let count = moment(&|_| 1.0);
            if count == 0.0 {
                continue;
            }
            // About the mean: the difference of large sums would lose a small variance.
            let center = moment(&|value| value) / count;
            let spread = (moment(&|value| (value - center) * (value - center)) / count).sqrt();
            mean[channel] = center;
            if spread > 0.0 {
                deviation[channel] = spread;
            }
        }
        Self { mean, deviation }
    }

    /// What becomes of each value that a pixel can have, channel by channel.
    pub(crate) fn tables(&self) -> impl Iterator<Item = [f32; 256]> + '_ {
        self.mean
            .iter()
            .zip(&self.deviation)
            .map(|(mean, deviation)| {
                std::array::from_fn(|value| ((value as f64 - mean) / deviation) as f32)
            })
    }
}

/// How often each value occurs in each channel.
fn histograms(images: &Images) -> Vec<[u64; 256]> {
    let plane = images.height() * images.width();
    let mut counts = vec![[0; 256]; images.channels()];
    for image in images.pixels().chunks_exact(images.pixels_per_image()) {
        for (pixels, counts) in image.chunks_exact(plane).zip(&mut counts) {
            for &pixel in pixels {
                counts[usize::from(pixel)] += 1;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn channels_are_normalized_apart_and_constant_ones_only_centred() {
        let pixels = vec![1, 3, 7, 7, 5, 7, 7, 7];
        let images = Images::new(pixels, vec![0, 0], [2, 1, 2], vec!["a".into()]).unwrap();
        let found = Normalization::measure(&images);
        assert_eq!(found.mean, [4.0, 7.0]);
        assert_eq!(found.deviation, [5_f64.sqrt(), 1.0]);
        let tables: Vec<_> = found.tables().collect();
        assert_eq!(tables.len(), 2);
        let after = [1, 3, 5, 7].map(|pixel: usize| f64::from(tables[0][pixel]));
        assert!(after.iter().sum::<f64>().abs() < 1e-6);
        assert!((after.iter().map(|v| v * v).sum::<f64>() - 4.0).abs() < 1e-6);
        assert_eq!((tables[1][7], tables[1][9]), (0.0, 2.0));
    }

    #[test]
    fn no_images_have_a_neutral_normalization() {
        let images = Images::new(vec![], vec![], [1, 2, 2], vec!["a".into()]).unwrap();
        let found = Normalization::measure(&images);
        assert_eq!((found.mean, found.deviation), (vec![0.0], vec![1.0]));
    }
}
