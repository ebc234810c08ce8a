//! A tensor of a file.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use burn::tensor::{DType, TensorData};

use super::WeightsError;

/// The tensors of a file by name.
pub(super) type Tensors = BTreeMap<String, WeightTensor>;

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightTensor {
    /// Length of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// What the file calls its element type.
    pub dtype: String,
    /// Its values, row-major; none unless they are floating-point numbers.
    pub values: Option<TensorData>,
}

impl WeightTensor {
    /// A tensor of the file at `path`; its `bytes` are read only if they are kept.
    pub(super) fn new(
        path: &Path,
        dtype: impl Debug,
        shape: &[usize],
        bytes: impl FnOnce() -> Result<Vec<u8>, WeightsError>,
    ) -> Result<Self, WeightsError> {
        let values = match float(&dtype) {
            None => None,
            Some(float) => {
                let values = TensorData::try_from_bytes_vec(bytes()?, shape.to_vec(), float);
                Some(values.map_err(|error| WeightsError::damaged(path, error))?)
            }
        };
        Ok(Self {
            shape: shape.to_vec(),
            dtype: format!("{dtype:?}"),
            values,
        })
    }
}

/// The floating-point type that all formats call so.
pub(super) fn float(dtype: impl Debug) -> Option<DType> {
    match format!("{dtype:?}").as_str() {
        "F64" => Some(DType::F64),
        "F32" => Some(DType::F32),
        "F16" => Some(DType::F16),
        "BF16" => Some(DType::BF16),
        _ => None,
    }
}

/// Numbers of so many bytes each, from the machine's order to the lowest byte first, or back.
pub(super) fn lowest_first(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    bytes
}
