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
    /// The format of floating-point numbers.
    pub dtype: FloatDType,
}

impl Place {
    /// For training.
    ///
    /// # Errors
    /// If this build or this machine does not have the device, or the precision is not single and the device not the
    /// processor.
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

    /// For the run of a spec.
    pub(crate) fn of<S>(spec: &Spec<S>) -> Result<Self, SpecError> {
        Self::new(spec.train.device, spec.train.precision)
    }

    /// The same without autodiff, for evaluation.
    pub fn inner(&self) -> Self {
        Self {
            device: self.device.clone().inner(),
            dtype: self.dtype,
        }
    }

    /// What [`Tensor::from_data`](burn::tensor::Tensor::from_data) takes for a tensor of floating-point numbers.
    pub fn floats(&self) -> (&Device, DType) {
        (&self.device, DType::from(self.dtype))
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
