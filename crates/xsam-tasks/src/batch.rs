//! Batches of images.

use burn::tensor::{Int, Tensor, TensorData};
use xsam_data::{DataError, Images, Normalization, gather};
use xsam_lab::{Place, split};

/// A batch: images `[batch, channels, height, width]` and the class of each, `[batch]`.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(crate) images: Tensor<4>,
    pub(crate) targets: Tensor<1, Int>,
}

impl Batch {
    /// Images and targets on a device.
    pub(crate) fn new(images: TensorData, targets: Vec<i64>, place: &Place) -> Self {
        let count = targets.len();
        let targets = TensorData::new(targets, [count]);
        Self {
            images: Tensor::from_data(images, place.floats()),
            targets: Tensor::from_data(targets, &place.device),
        }
    }

    /// The images with these indices.
    pub(crate) fn of(
        images: &Images,
        normalization: &Normalization,
        indices: &[usize],
        place: &Place,
    ) -> Result<Self, DataError> {
        let (pixels, labels) = gather(images, normalization, indices)?;
        let (channels, height, width) = (images.channels(), images.height(), images.width());
        let shape = [labels.len(), channels, height, width];
        Ok(Self::new(TensorData::new(pixels, shape), labels, place))
    }

    /// In `count` parts as even as can be, one after another, or as many as there are images.
    pub(crate) fn parts(&self, count: usize) -> Vec<Self> {
        let part = |(begin, size)| Self {
            images: self.images.clone().narrow(0, begin, size),
            targets: self.targets.clone().narrow(0, begin, size),
        };
        let parts = split(self.targets.dims()[0], count);
        parts.into_iter().map(part).collect()
    }
}
