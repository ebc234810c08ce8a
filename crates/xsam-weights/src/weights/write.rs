//! A model's weights on their way into a file.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, TensorData};
use xsam_files::replace_file_with;

use super::tensor::lowest_first;
use super::written::{WeightsFormat, WrittenTensor};
use super::{COUNTER, WeightsError, pytorch, safetensors};
use crate::state::{self, Kind, StateError};

/// Writes the weights of `model` in the format that the ending of the name says: `.safetensors`, `.pt`
/// or `.pth`. The same weights give the same bytes.
///
/// They are written beside and renamed: readers see the old file, if there is one, or the new one, never
/// a part. Running statistics include the update of the last training pass.
///
/// # Errors
///
/// If the ending is another, a value is not finite, or the file cannot be written. What was there before
/// is there then.
pub fn write_weights<M: Module>(model: &M, path: &Path) -> Result<(), WeightsError> {
    let format = WeightsFormat::of(path)?;
    let tensors = tensors(model)?;
    let written = replace_file_with(path, |to| match format {
        WeightsFormat::Safetensors => safetensors::write(to, &tensors),
        WeightsFormat::Pytorch => pytorch::write(to, &tensors),
    });
    written.map_err(WeightsError::file("write", path))
}

/// The tensors of PyTorch's `state_dict`, in its order.
fn tensors<M: Module>(model: &M) -> Result<Vec<WrittenTensor>, WeightsError> {
    let mut tensors = Vec::new();
    for ((entry, values), dtype) in state::values(model).into_iter().zip(state::dtypes(model)) {
        let name = entry.name;
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let (value, dtype) = (values[index], dtype.name());
            let error = StateError::NotFinite {
                name,
                index,
                value,
                dtype,
            };
            return Err(error.into());
        }
        let counter = (entry.kind == Kind::RunningVar).then(|| WrittenTensor {
            name: match name.rsplit_once('.') {
                Some((layer, _)) => format!("{layer}.{COUNTER}"),
                None => COUNTER.to_owned(),
            },
            shape: Vec::new(),
            dtype: DType::I64,
            bytes: vec![0; 8],
        });
        let dtype = match dtype {
            DType::F64 => DType::F64,
            // Holds every value of the shorter formats.
            _ => DType::F32,
        };
        let data = TensorData::new(values, entry.shape.clone()).convert_dtype(dtype);
        tensors.push(WrittenTensor {
            name,
            shape: entry.shape,
            dtype,
            bytes: lowest_first(data.as_bytes().to_vec(), dtype.size()),
        });
        // After the variance, where PyTorch has it.
        tensors.extend(counter);
    }
    Ok(tensors)
}
