//! `[augmentation]`: what is varied in training images.

use xsam_data::{Augmentation, DataError, DatasetName, Erasing, Kind, ResizedCrop, Sizes};

use xsam_lab::sections;
use xsam_lab::spec::SpecError;

sections! {
    /// `[augmentation]`: what is varied in training images from epoch to epoch, in this order. What is not
    /// given is as the data set has it: as in the paper (arXiv 2603.10048) for its data sets, and off for others.
    pub struct AugmentationSpec {
        /// Zeros put around the image, of which a window of its size is then taken anywhere; 0 is off. Paper:
        /// 4 for CIFAR.
        pub crop_padding: Option<usize>,
        /// The least share of the image that a random window has, which is resized to the image's size; 1 is
        /// off. Not together with `crop_padding`. Paper: 0.8 for Tiny-ImageNet.
        pub resized_crop: Option<f64>,
        /// How likely the image is mirrored left and right; 0 is off. Paper: 0.5.
        pub flip: Option<f64>,
        /// The side of a square that is set to the mean colour; 0 is off. Paper: 16 for CIFAR.
        pub cutout: Option<usize>,
        /// How likely a rectangle is set to the mean colour; 0 is off. Paper: 0.5 for Tiny-ImageNet.
        pub erasing: Option<f64>,
    }
}

impl AugmentationSpec {
    /// Checks what can be checked before the size of the images is known.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        for (key, value) in [
            ("augmentation.flip", self.flip),
            ("augmentation.erasing", self.erasing),
        ] {
            let value = value.unwrap_or_default();
            let ok = (0.0..=1.0).contains(&value);
            SpecError::unless(ok, key, value, "from 0 to 1")?;
        }
        let share = self.resized_crop.unwrap_or(1.0);
        let ok = share > 0.0 && share <= 1.0;
        let range = "above 0 and at most 1";
        SpecError::unless(ok, "augmentation.resized_crop", share, range)
    }

    /// Fills in what is not given, or refuses all of it for text.
    pub(super) fn resolve(&mut self, data: DatasetName) -> Result<(), SpecError> {
        let standard = match data.facts().kind {
            Kind::Images { augmentation, .. } => augmentation,
            Kind::Text { .. } if *self == Self::default() => return Ok(()),
            Kind::Text { .. } => {
                let message = format!("{data} is text: leave the section out");
                return Err(SpecError::new("augmentation", message));
            }
        };
        // Of the two crops the one that is asked for takes the place of the other.
        if self.crop_padding.is_some_and(|padding| padding > 0) {
            self.resized_crop.get_or_insert(1.0);
        }
        if self.resized_crop.is_some_and(|share| share < 1.0) {
            self.crop_padding.get_or_insert(0);
        }
        let share = standard.resized_crop.map_or(1.0, |crop| crop.scale[0]);
        let erasing = standard.erasing.map_or(0.0, |erasing| erasing.probability);
        self.crop_padding.get_or_insert(standard.crop_padding);
        self.resized_crop.get_or_insert(share);
        self.flip.get_or_insert(standard.flip);
        self.cutout.get_or_insert(standard.cutout);
        self.erasing.get_or_insert(erasing);
        Ok(())
    }

    /// Checks what depends on the size of the images.
    pub(super) fn check_size(&self, sizes: Sizes) -> Result<(), SpecError> {
        let checked = self.augmentation().check(sizes.height, sizes.width);
        checked.map_err(|error| match error {
            DataError::Range {
                field,
                value,
                range,
            } => SpecError::new(
                format!("augmentation.{field}"),
                format!("{value} is outside {range}"),
            ),
            other => SpecError::new("augmentation", other.to_string()),
        })
    }

    /// What it means; what is not given is off.
    pub fn augmentation(&self) -> Augmentation {
        let crop = self.resized_crop.filter(|&share| share < 1.0);
        let erasing = self.erasing.filter(|&probability| probability > 0.0);
        Augmentation {
            crop_padding: self.crop_padding.unwrap_or_default(),
            resized_crop: crop.map(|share| ResizedCrop {
                scale: [share, 1.0],
                ..ResizedCrop::default()
            }),
            flip: self.flip.unwrap_or_default(),
            cutout: self.cutout.unwrap_or_default(),
            erasing: erasing.map(|probability| Erasing {
                probability,
                ..Erasing::default()
            }),
        }
    }
}
