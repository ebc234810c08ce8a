//! The device and number format of a run.

use burn::tensor::{DType, Device, FloatDType};

use crate::back_end::open;
use crate::spec::{DeviceName, Precision, Spec, SpecError};

/// Where and in which format the numbers of a run are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Place {
    /// The device, with autodiff if it is for training.
    pub device: Device,
    /// The format of weights, and of all that is not an input of the model.
    pub dtype: FloatDType,
    /// The format of the model's inputs, and with them of its activations: another one in mixed precision.
    pub activations: FloatDType,
}

impl Place {
    /// For training.
    ///
    /// # Errors
    /// If this build or this machine does not have the device, or the device not the precision.
    pub fn new(name: DeviceName, precision: Precision) -> Result<Self, SpecError> {
        Self::numbered(name, precision, 0)
    }

    /// The same on the card of a number, from 0, if there are several.
    pub(crate) fn numbered(
        name: DeviceName,
        precision: Precision,
        number: usize,
    ) -> Result<Self, SpecError> {
        let device = open(name, number)?;
        let (dtype, activations) = (precision.weights(), precision.activations());
        // Cards that say they have double precision have been seen to compute something else.
        let lacks = match name {
            DeviceName::Cpu => false,
            _ => precision == Precision::F64 || !device.supports_dtype(activations),
        };
        if lacks {
            let message = format!("{name} does not compute in {precision} here: use f32");
            return Err(SpecError::new("train.precision", message));
        }
        Ok(Self {
            device: device.autodiff(),
            dtype,
            activations,
        })
    }

    /// For the run of a spec.
    pub(crate) fn of<S>(spec: &Spec<S>) -> Result<Self, SpecError> {
        Self::new(spec.train.device, spec.train.precision)
    }

    /// The same without autodiff, for evaluation.
    pub fn inner(&self) -> Self {
        Self {
            device: self.device.clone().inner(),
            ..*self
        }
    }

    /// What [`Tensor::from_data`](burn::tensor::Tensor::from_data) takes for a tensor of floating-point numbers.
    pub fn floats(&self) -> (&Device, DType) {
        (&self.device, DType::from(self.dtype))
    }

    /// The same for an input of the model. It is another one in mixed precision alone: see
    /// [`Task::mixed_precision`](crate::Task::mixed_precision).
    pub fn inputs(&self) -> (&Device, DType) {
        (&self.device, DType::from(self.activations))
    }
}

/// Whether runs on the device in this number format are possible here.
///
/// # Errors
/// If this build or this machine does not have the device, which is of the key `train.device`, or the device not the
/// number format, of the key `train.precision`. Each says what to do.
pub fn check_device(device: DeviceName, precision: Precision) -> Result<(), SpecError> {
    Place::new(device, precision).map(drop)
}
