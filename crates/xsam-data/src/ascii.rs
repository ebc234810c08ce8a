//! Images as text.

use crate::{DataError, Images};

/// From empty to full.
const RAMP: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// Draws an image with characters, one line per row, the brighter the denser.
///
/// Channels are averaged, and the image's own range is spread over all shades. A pixel is two
/// characters wide, since characters are about twice as high.
///
/// # Errors
///
/// An index beyond the last image.
pub fn ascii(images: &Images, index: usize) -> Result<String, DataError> {
    let image = images.image(index)?;
    let plane = images.height() * images.width();
    let grey: Vec<f64> = (0..plane)
        .map(|at| {
            image
                .iter()
                .skip(at)
                .step_by(plane)
                .map(|&p| f64::from(p))
                .sum()
        })
        .collect();
    let least = grey.iter().copied().fold(f64::INFINITY, f64::min);
    let range = grey.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
    let shade = |value: f64| {
        // An image of one value has no range; it is drawn empty.
        let share = if range > 0.0 {
            (value - least) / range
        } else {
            0.0
        };
        RAMP[((share * RAMP.len() as f64) as usize).min(RAMP.len() - 1)]
    };
    let mut text = String::with_capacity(images.height() * (2 * images.width() + 1));
    for row in grey.chunks_exact(images.width()) {
        for &value in row {
            let character = shade(value);
            text.push(character);
            text.push(character);
        }
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn image(pixels: &[u8], shape: [usize; 3]) -> Images {
        Images::new(pixels.to_vec(), vec![0], shape, vec!["a".into()]).unwrap()
    }

    #[test]
    fn the_range_of_the_image_is_spread_over_the_shades() {
        let images = image(&[100, 200, 150, 100], [1, 2, 2]);
        assert_eq!(ascii(&images, 0).unwrap(), "  @@\n++  \n");
    }

    #[test]
    fn channels_are_averaged() {
        let images = image(&[0, 1, 1, 0, 0, 1], [3, 1, 2]);
        assert_eq!(ascii(&images, 0).unwrap(), "  @@\n");
        let flat = image(&[0, 1, 1, 0], [2, 1, 2]);
        assert_eq!(ascii(&flat, 0).unwrap(), "    \n");
    }

    #[test]
    fn extreme_pixels_and_unknown_images_do_no_harm() {
        let images = image(&[u8::MAX, u8::MIN], [1, 1, 2]);
        assert_eq!(ascii(&images, 0).unwrap(), "@@  \n");
        let error = ascii(&images, 1).unwrap_err().to_string();
        assert_eq!(error, "image 1 does not exist, there are 1");
    }
}
