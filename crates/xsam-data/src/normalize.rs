//! Zero mean and unit variance per channel.

use crate::Images;

/// Mean and deviation of every channel, by which raw pixels were normalized.
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
        for channel in 0..images.channels() {
            let count = images.len() * images.height() * images.width();
            if count == 0 {
                continue;
            }
            // Two passes: the difference of large sums would lose the small variance.
            let center = values(images, channel).sum::<f64>() / count as f64;
            let squares = values(images, channel).map(|v| (v - center) * (v - center));
            let spread = (squares.sum::<f64>() / count as f64).sqrt();
            mean[channel] = center;
            if spread > 0.0 {
                deviation[channel] = spread;
            }
        }
        Self { mean, deviation }
    }

    /// Normalizes `images` in place.
    pub(crate) fn apply(&self, images: &mut Images) {
        let plane = images.height() * images.width();
        let scales: Vec<(f64, f64)> = self
            .mean
            .iter()
            .zip(&self.deviation)
            .map(|(&mean, &deviation)| (mean, deviation))
            .collect();
        let planes = images.pixels_mut().chunks_exact_mut(plane);
        for (pixels, (mean, deviation)) in planes.zip(scales.into_iter().cycle()) {
            for pixel in pixels {
                *pixel = ((f64::from(*pixel) - mean) / deviation) as f32;
            }
        }
    }
}

/// The pixels of one channel over all images.
fn values(images: &Images, channel: usize) -> impl Iterator<Item = f64> + '_ {
    let plane = images.height() * images.width();
    images
        .pixels()
        .chunks_exact(images.pixels_per_image())
        .flat_map(move |image| &image[channel * plane..(channel + 1) * plane])
        .map(|&pixel| f64::from(pixel))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn channels_are_normalized_apart_and_constant_ones_only_centred() {
        let pixels = vec![1.0, 3.0, 7.0, 7.0, 5.0, 7.0, 7.0, 7.0];
        let mut images = Images::new(pixels, vec![0, 0], [2, 1, 2], vec!["a".into()]).unwrap();
        let found = Normalization::measure(&images);
        assert_eq!(found.mean, [4.0, 7.0]);
        assert_eq!(found.deviation, [5_f64.sqrt(), 1.0]);
        found.apply(&mut images);
        let again = Normalization::measure(&images);
        assert!(again.mean.iter().all(|m| m.abs() < 1e-7));
        assert!((again.deviation[0] - 1.0).abs() < 1e-7);
        assert_eq!(images.pixels()[2..4], [0.0, 0.0]);
    }

    #[test]
    fn no_images_have_a_neutral_normalization() {
        let images = Images::new(vec![], vec![], [1, 2, 2], vec!["a".into()]).unwrap();
        let found = Normalization::measure(&images);
        assert_eq!((found.mean, found.deviation), (vec![0.0], vec![1.0]));
    }
}
