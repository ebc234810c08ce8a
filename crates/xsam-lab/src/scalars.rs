//! Numbers of a device, read one by one.

use burn::tensor::{Int, Tensor};

use crate::error::Error;

/// Reads a whole number.
pub fn count(tensor: Tensor<1, Int>) -> Result<i64, Error> {
    let count = tensor.try_into_scalar::<i64>();
    count.map_err(|error| Error::Device(error.to_string()))
}

/// Reads one number back from the device.
pub fn scalar(tensor: Tensor<1>) -> Result<f64, Error> {
    let data = tensor.try_into_data();
    let data = data.map_err(|error| Error::Device(error.to_string()))?;
    Ok(data.iter::<f64>().sum())
}
