//! From images to the batches of an epoch.

use crate::batches::{gather_views, tables};
use crate::{Augmentation, DataError, Images, Normalization};

/// Images, and what is done to them on their way into a batch: augmentation and normalization.
///
/// ```
/// use xsam_data::{Augmentation, Pipeline, digits};
///
/// let data = digits()?;
/// let shifts = Augmentation { crop_padding: 1, ..Augmentation::none() };
/// let pipeline = Pipeline::new(data.train, data.normalization, shifts, 42)?;
/// let early = pipeline.gather(0, &[7, 3])?;
/// let late = pipeline.gather(1, &[7, 3])?;
/// assert_eq!(early.labels, late.labels);
/// assert_ne!(early.pixels, late.pixels);
/// # Ok::<(), xsam_data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pipeline {
    images: Images,
    normalization: Normalization,
    tables: Vec<[f32; 256]>,
    augmentation: Augmentation,
    seed: u64,
}

/// Some images, ready to become tensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// `[batch, channels, height, width]`, normalized.
    pub pixels: Vec<f32>,
    /// The class of each.
    pub labels: Vec<i64>,
    /// Which images they are.
    pub indices: Vec<usize>,
}

impl Pipeline {
    /// `seed` decides, with the epoch and the index of an image, what the augmentation does to it.
    ///
    /// # Errors
    ///
    /// A normalization of another number of channels, or an augmentation that images of this size
    /// cannot have.
    pub fn new(
        images: Images,
        normalization: Normalization,
        augmentation: Augmentation,
        seed: u64,
    ) -> Result<Self, DataError> {
        let tables = tables(&images, &normalization)?;
        augmentation.check(images.height(), images.width())?;
        Ok(Self {
            images,
            normalization,
            tables,
            augmentation,
            seed,
        })
    }

    /// The images at `indices` as they look in `epoch`.
    ///
    /// An image looks the same in any company.
    ///
    /// # Errors
    ///
    /// An index beyond the last image.
    pub fn gather(&self, epoch: u64, indices: &[usize]) -> Result<Batch, DataError> {
        let size = [self.images.height(), self.images.width()];
        let view = |index| self.augmentation.draw(size, self.seed, epoch, index);
        let (pixels, labels) = gather_views(&self.images, &self.tables, indices, view)?;
        Ok(Batch {
            pixels,
            labels,
            indices: indices.to_vec(),
        })
    }

    /// The images it makes batches of, unaugmented.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// By what they are normalized.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }
}
