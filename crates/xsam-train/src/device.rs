//! The device and number format of a run, and batches on it.

use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use xsam_data::{DataError, Images, Normalization, gather};

use crate::back_end::open;
use crate::spec::{DeviceName, Precision, SpecError};
use crate::task::split;

/// A batch: images `[batch, channels, height, width]` and the class of each, `[batch]`.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) images: Tensor<4>,
    pub(crate) targets: Tensor<1, Int>,
}

impl Batch {
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

/// Where and in which format the numbers of a run are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) device: Device,
    pub(crate) dtype: FloatDType,
}

impl Place {
    /// For training.
    ///
    /// # Errors
    /// If this build or this machine does not have the device, or the precision is not single and the device not the
    /// processor.
    pub(crate) fn new(name: DeviceName, precision: Precision) -> Result<Self, SpecError> {
        let device = open(name)?;
        let dtype = match precision {
            Precision::F32 => FloatDType::F32,
            Precision::F64 => FloatDType::F64,
        };
        // Cards that say they have it have been seen to compute something else.
        if precision != Precision::F32 && name != DeviceName::Cpu {
            let message = format!("{precision} is for the cpu: on {name} use f32");
            return Err(SpecError::new("train.precision", message));
        }
        Ok(Self {
            device: device.autodiff(),
            dtype,
        })
    }

    /// The same without autodiff, for evaluation.
    pub(crate) fn inner(&self) -> Self {
        Self {
            device: self.device.clone().inner(),
            dtype: self.dtype,
        }
    }

    /// The images with these indices as a batch.
    pub(crate) fn batch(
        &self,
        images: &Images,
        normalization: &Normalization,
        indices: &[usize],
    ) -> Result<Batch, DataError> {
        let (pixels, labels) = gather(images, normalization, indices)?;
        let (channels, height, width) = (images.channels(), images.height(), images.width());
        let shape = [labels.len(), channels, height, width];
        Ok(self.tensors(TensorData::new(pixels, shape), labels))
    }

    /// Images and targets as a batch.
    pub(crate) fn tensors(&self, images: TensorData, targets: Vec<i64>) -> Batch {
        let count = targets.len();
        let targets = TensorData::new(targets, [count]);
        Batch {
            images: Tensor::from_data(images, (&self.device, DType::from(self.dtype))),
            targets: Tensor::from_data(targets, &self.device),
        }
    }
}
