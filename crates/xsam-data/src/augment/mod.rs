//! What is varied in training images from epoch to epoch.

mod apply;
mod draw;
mod resample;

pub(crate) use apply::push_view;
pub(crate) use draw::View;

use crate::DataError;

/// Random changes that leave the class of an image as it is.
///
/// What becomes of an image in an epoch depends on a seed, the epoch and the index of the image
/// alone. Every part is on or off by itself; they follow one another in this order:
///
/// | field | does | off | paper, CIFAR | paper, Tiny-ImageNet |
/// |---|---|---|---|---|
/// | `crop_padding` | pads with zeros, crops to the size before | 0 | 4 | 0 |
/// | `resized_crop` | crops a part, resizes it to the size before | `None` | `None` | 0.8 to 1 |
/// | `flip` | mirrors left and right | 0 | 0.5 | 0.5 |
/// | (normalization) | | | | |
/// | `cutout` | sets a square to 0 | 0 | 16 | 0 |
/// | `erasing` | sets a rectangle to 0 | `None` | `None` | PyTorch's |
///
/// ```
/// use xsam_data::Augmentation;
///
/// // Digits are not to be mirrored.
/// let shifts = Augmentation { crop_padding: 1, ..Augmentation::none() };
/// shifts.check(8, 8)?;
/// let error = Augmentation::cifar().check(8, 8).unwrap_err();
/// assert_eq!(error.to_string(), "cutout = 16 is outside 0..=8 for images of 8x8 pixels");
/// # Ok::<(), xsam_data::DataError>(())
/// ```
///
/// The paper is arXiv 2603.10048. Crops, flip and erasing are those of torchvision's `RandomCrop`,
/// `RandomResizedCrop`, `RandomHorizontalFlip` and `RandomErasing` (Zhong and others 2017); cutout
/// is that of DeVries and Taylor 2017.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Augmentation {
    /// Pixels of value 0, before normalization, put around the image, of which a window of its size
    /// is then taken anywhere. Less than either side of the image.
    pub crop_padding: usize,
    /// A window of another size, resized to that of the image. Not together with `crop_padding`.
    pub resized_crop: Option<ResizedCrop>,
    /// The probability that the image is mirrored left and right.
    pub flip: f64,
    /// The side of a square that is 0 after normalization: the mean. Its centre is anywhere in the
    /// image, so that part of it may be outside. At most the smaller side of the image.
    pub cutout: usize,
    /// A rectangle within the image that is 0 after normalization.
    pub erasing: Option<Erasing>,
}

/// A random window, resized to the size of the image as Pillow's bilinear filter does.
///
/// No window is larger than the image. Nothing ever shrinks, so that there is nothing to smooth
/// against aliasing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResizedCrop {
    /// Least and greatest share of the image's area: uniform. Above 0, at most 1.
    pub scale: [f64; 2],
    /// Least and greatest width by height: the logarithm is uniform. Above 0.
    ///
    /// A window that would not fit is drawn again, ten times at most; then the largest in the
    /// middle whose ratio is allowed is taken.
    pub ratio: [f64; 2],
}

/// A rectangle within the image that is set to 0 after normalization.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Erasing {
    /// How likely an image is to lose a rectangle.
    pub probability: f64,
    /// Least and greatest share of the image's area: uniform. From 0 to 1.
    pub scale: [f64; 2],
    /// Least and greatest height by width: the logarithm is uniform. Above 0.
    ///
    /// A rectangle that is as high or wide as the image is drawn again, ten times at most; then
    /// nothing is erased.
    pub ratio: [f64; 2],
}

impl ResizedCrop {
    const DEFAULT: Self = Self {
        scale: [0.8, 1.0],
        ratio: [3.0 / 4.0, 4.0 / 3.0],
    };
}

impl Default for ResizedCrop {
    /// The paper's scale for Tiny-ImageNet, and torchvision's ratio.
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Erasing {
    const DEFAULT: Self = Self {
        probability: 0.5,
        scale: [0.02, 0.33],
        ratio: [0.3, 3.3],
    };
}

impl Default for Erasing {
    /// As torchvision has it.
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Augmentation {
    /// Images as they are.
    pub const fn none() -> Self {
        Self {
            crop_padding: 0,
            resized_crop: None,
            flip: 0.0,
            cutout: 0,
            erasing: None,
        }
    }

    /// The paper's for CIFAR-10 and CIFAR-100.
    pub const fn cifar() -> Self {
        Self {
            crop_padding: 4,
            flip: 0.5,
            cutout: 16,
            ..Self::none()
        }
    }

    /// The paper's for Tiny-ImageNet.
    pub const fn tiny_imagenet() -> Self {
        Self {
            resized_crop: Some(ResizedCrop::DEFAULT),
            flip: 0.5,
            erasing: Some(Erasing::DEFAULT),
            ..Self::none()
        }
    }

    /// Whether this can be done to images of this size.
    ///
    /// # Errors
    ///
    /// A value out of its range, or both kinds of crop.
    pub fn check(&self, height: usize, width: usize) -> Result<(), DataError> {
        let side = height.min(width);
        let size = |field, value: usize, most: usize| {
            let range = || format!("0..={most} for images of {height}x{width} pixels");
            require(value <= most, field, || value.to_string(), range)
        };
        size("crop_padding", self.crop_padding, side.saturating_sub(1))?;
        size("cutout", self.cutout, side)?;
        probability("flip", self.flip)?;
        if let Some(ResizedCrop { scale, ratio }) = self.resized_crop {
            if self.crop_padding > 0 {
                return Err(DataError::Unfit(format!(
                    "crop_padding = {} and resized_crop exclude each other: set crop_padding = 0, or leave \
                     resized_crop out",
                    self.crop_padding
                )));
            }
            let positive = scale[0] > 0.0 && scale[1] <= 1.0;
            let range = "0 < least <= greatest <= 1";
            interval("resized_crop.scale", scale, positive, range)?;
            self::ratio("resized_crop.ratio", ratio)?;
        }
        if let Some(erasing) = self.erasing {
            let Erasing { scale, ratio, .. } = erasing;
            probability("erasing.probability", erasing.probability)?;
            let share = scale[0] >= 0.0 && scale[1] <= 1.0;
            let range = "0 <= least <= greatest <= 1";
            interval("erasing.scale", scale, share, range)?;
            self::ratio("erasing.ratio", ratio)?;
        }
        Ok(())
    }
}

fn probability(field: &'static str, value: f64) -> Result<(), DataError> {
    let holds = (0.0..=1.0).contains(&value);
    require(holds, field, || value.to_string(), || "0..=1".to_owned())
}

fn ratio(field: &'static str, value: [f64; 2]) -> Result<(), DataError> {
    let holds = value[0] > 0.0 && value[1].is_finite();
    interval(field, value, holds, "0 < least <= greatest, finite")
}

/// `holds` if the ends are good by themselves.
fn interval(
    field: &'static str,
    value: [f64; 2],
    holds: bool,
    range: &str,
) -> Result<(), DataError> {
    let holds = holds && value[0] <= value[1];
    require(holds, field, || format!("{value:?}"), || range.to_owned())
}

fn require(
    holds: bool,
    field: &'static str,
    value: impl FnOnce() -> String,
    range: impl FnOnce() -> String,
) -> Result<(), DataError> {
    if holds {
        return Ok(());
    }
    Err(DataError::Range {
        field,
        value: value(),
        range: range(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn assert_refused(augmentation: Augmentation, words: &str) {
        let error = augmentation.check(32, 24).unwrap_err().to_string();
        assert_eq!(error, words);
    }

    #[test]
    fn what_the_paper_does_can_be_done_to_its_images() {
        Augmentation::none().check(1, 1).unwrap();
        assert_eq!(Augmentation::none(), Augmentation::default());
        Augmentation::cifar().check(32, 32).unwrap();
        Augmentation::tiny_imagenet().check(64, 64).unwrap();
    }

    #[test]
    fn sizes_end_where_nothing_of_the_image_might_be_left() {
        let none = Augmentation::none();
        let crop = |crop_padding| Augmentation {
            crop_padding,
            ..none
        };
        crop(23).check(32, 24).unwrap();
        let words = "crop_padding = 24 is outside 0..=23 for images of 32x24 pixels";
        assert_refused(crop(24), words);
        let cutout = |cutout| Augmentation { cutout, ..none };
        cutout(24).check(32, 24).unwrap();
        let words = "cutout = 25 is outside 0..=24 for images of 32x24 pixels";
        assert_refused(cutout(25), words);
        assert!(crop(usize::MAX).check(1, 1).is_err());
    }

    #[test]
    fn probabilities_scales_and_ratios_are_checked() {
        let none = Augmentation::none();
        for flip in [-0.1, 1.1, f64::NAN] {
            let words = format!("flip = {flip} is outside 0..=1");
            assert_refused(Augmentation { flip, ..none }, &words);
        }
        for (scale, shown) in [
            ([0.0, 1.0], "[0.0, 1.0]"),
            ([0.5, 1.1], "[0.5, 1.1]"),
            ([0.9, 0.8], "[0.9, 0.8]"),
            ([f64::NAN, 1.0], "[NaN, 1.0]"),
        ] {
            let crop = ResizedCrop {
                scale,
                ..ResizedCrop::default()
            };
            let augmentation = Augmentation {
                resized_crop: Some(crop),
                ..none
            };
            let words =
                format!("resized_crop.scale = {shown} is outside 0 < least <= greatest <= 1");
            assert_refused(augmentation, &words);
        }
        let erasing = |erasing| Augmentation {
            erasing: Some(erasing),
            ..none
        };
        let standard = Erasing::default();
        let scale = [-0.1, 0.3];
        let words = "erasing.scale = [-0.1, 0.3] is outside 0 <= least <= greatest <= 1";
        assert_refused(erasing(Erasing { scale, ..standard }), words);
        let ratio = [0.3, f64::INFINITY];
        let words = "erasing.ratio = [0.3, inf] is outside 0 < least <= greatest, finite";
        assert_refused(erasing(Erasing { ratio, ..standard }), words);
        let probability = 2.0;
        let words = "erasing.probability = 2 is outside 0..=1";
        let certain = Erasing {
            probability,
            ..standard
        };
        assert_refused(erasing(certain), words);
    }

    #[test]
    fn one_kind_of_crop_at_a_time() {
        let both = Augmentation {
            crop_padding: 4,
            ..Augmentation::tiny_imagenet()
        };
        let words = "crop_padding = 4 and resized_crop exclude each other: set crop_padding = 0, \
                     or leave resized_crop out";
        assert_refused(both, words);
    }
}
