//! Batches of images.

use burn::tensor::{Device, Element, Int, Tensor, TensorData};
use xsam_data::{DataError, Images, Normalization, gather};
use xsam_kernels::{cross_entropies, cross_entropy};
use xsam_lab::{Place, split};
use xsam_models::{ImageClassifier, Model};

/// A batch: images `[batch, channels, height, width]` and the class of each, `[batch]`.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(crate) images: Tensor<4>,
    pub(crate) targets: Tensor<1, Int>,
}

impl Batch {
    /// Images `[channels, height, width]`, one after another, and the class of each, on a device.
    pub(crate) fn new<E: Element>(
        pixels: Vec<E>,
        [channels, height, width]: [usize; 3],
        targets: Vec<i64>,
        place: &Place,
    ) -> Self {
        let count = targets.len();
        let pixels = TensorData::new(pixels, [count, channels, height, width]);
        let targets = TensorData::new(targets, [count]);
        Self {
            images: Tensor::from_data(pixels, place.inputs()),
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
        Ok(Self::new(pixels, shape(images), labels, place))
    }

    pub(crate) fn size(&self) -> usize {
        self.targets.dims()[0]
    }

    /// The mean cross entropy of a model, and its logits, `[batch, classes]`.
    pub(crate) fn loss(&self, model: &Model, smoothing: f64) -> (Tensor<1>, Tensor<2>) {
        self.loss_of(self.logits(model), smoothing)
    }

    /// The logits of a model, `[batch, classes]`.
    pub(crate) fn logits(&self, model: &Model) -> Tensor<2> {
        model.forward(self.images.clone())
    }

    /// The mean cross entropy of these logits, and they themselves.
    pub(crate) fn loss_of(&self, logits: Tensor<2>, smoothing: f64) -> (Tensor<1>, Tensor<2>) {
        let loss = cross_entropy(logits.clone(), self.targets.clone(), smoothing);
        (loss, logits)
    }

    /// The cross entropy of each image, `[batch]`, and the logits of a model.
    pub(crate) fn losses(&self, model: &Model, smoothing: f64) -> (Tensor<1>, Tensor<2>) {
        let logits = self.logits(model);
        let losses = cross_entropies(logits.clone(), self.targets.clone(), smoothing);
        (losses, logits)
    }

    /// The images with these numbers, as a batch.
    pub(crate) fn chosen(&self, numbers: &[usize]) -> Self {
        let numbers = indices(numbers, &self.targets.device());
        Self {
            images: self.images.clone().select(0, numbers.clone()),
            targets: self.targets.clone().select(0, numbers),
        }
    }

    /// How many of the logits `[batch, classes]`, without autodiff, are highest at the class.
    pub(crate) fn correct(&self, logits: Tensor<2>) -> Tensor<1, Int> {
        let chosen = logits.argmax(1).squeeze_dim::<1>(1);
        chosen.equal(self.targets.clone().inner()).int().sum()
    }

    /// In `count` parts as even as can be, one after another, or as many as there are images.
    pub(crate) fn parts(&self, count: usize) -> Vec<Self> {
        let part = |(begin, size)| Self {
            images: self.images.clone().narrow(0, begin, size),
            targets: self.targets.clone().narrow(0, begin, size),
        };
        split(self.size(), count).into_iter().map(part).collect()
    }
}

/// Numbers of rows, for a selection.
pub(crate) fn indices(numbers: &[usize], device: &Device) -> Tensor<1, Int> {
    let numbers: Vec<i64> = numbers.iter().map(|&number| number as i64).collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}

/// Of one of the images: channels, height, width.
pub(crate) fn shape(images: &Images) -> [usize; 3] {
    [images.channels(), images.height(), images.width()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_hand() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[2.0, 1.0], [0.0, 0.0], [-1.0, 3.0]], &device);
        let batch = Batch {
            images: Tensor::zeros([3, 1, 1, 1], &device),
            targets: Tensor::from_ints([0, 1, 0], &device),
        };
        let loss = cross_entropy(logits.clone(), batch.targets.clone(), 0.0).into_scalar::<f32>();
        let e = std::f32::consts::E;
        let expected = ((1.0 + 1.0 / e).ln() + 2f32.ln() + (1.0 + e.powi(4)).ln()) / 3.0;
        assert!((loss - expected).abs() < 1e-6);
        assert_eq!(batch.correct(logits).into_scalar::<i64>(), 1);
    }
}
