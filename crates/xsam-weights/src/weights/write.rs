//! A model's weights on their way into a file.

use std::path::Path;

use burn::module::Module;
use burn::tensor::DType;
use xsam_files::replace_file_with;

use super::float::{Odd, is_beyond, odd};
use super::format::WeightsFormat;
use super::written::{Content, WrittenTensor};
use super::{COUNTER, WeightsError, dtypes, pytorch, safetensors};
use crate::state::{self, Kind};

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
    for ((entry, values), dtype) in state::values(model).into_iter().zip(dtypes(model)) {
        let not_finite = odd(values.iter().copied(), is_beyond(f64::INFINITY));
        if let Some(Odd { index, value, .. }) = not_finite {
            let name = entry.name;
            return Err(WeightsError::NotFinite { name, index, value });
        }
        let counter = (entry.kind == Kind::RunningVar).then(|| WrittenTensor {
            name: match entry.name.rsplit_once('.') {
                Some((layer, _)) => format!("{layer}.{COUNTER}"),
                None => COUNTER.to_owned(),
            },
            shape: Vec::new(),
            content: Content::Zero,
        });
        tensors.push(WrittenTensor {
            name: entry.name,
            shape: entry.shape,
            content: match dtype {
                DType::F64 => Content::F64(values),
                // Holds every value of the shorter formats.
                _ => Content::F32(values),
            },
        });
        // After the variance, where PyTorch has it.
        tensors.extend(counter);
    }
    Ok(tensors)
}
