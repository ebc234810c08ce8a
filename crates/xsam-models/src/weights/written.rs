//! A model's weights on their way into a file.

use std::path::Path;

use burn::module::Module;
use burn::tensor::DType;

use super::float::{Odd, is_beyond, odd};
use super::{COUNTER, WeightsError, dtypes, file, pytorch, safetensors};
use crate::state::{self, Kind};

/// A format of files of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightsFormat {
    /// `.safetensors`
    Safetensors,
    /// What `torch.save` writes: `.pt` or `.pth`
    Pytorch,
}

impl WeightsFormat {
    /// The format that the ending of a file's name says.
    ///
    /// # Errors
    ///
    /// If it is none of `.safetensors`, `.pt` and `.pth`.
    pub fn of(path: &Path) -> Result<Self, WeightsError> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("pt" | "pth") => Ok(Self::Pytorch),
            _ => Err(WeightsError::Ending {
                path: path.to_owned(),
            }),
        }
    }
}

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
    file::write(path, |to| match format {
        WeightsFormat::Safetensors => safetensors::write(to, &tensors),
        WeightsFormat::Pytorch => pytorch::write(to, &tensors),
    })
}

/// A tensor that is to be written.
pub(super) struct WrittenTensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) content: Content,
}

/// What a tensor holds, and the element type it is written in.
pub(super) enum Content {
    F32(Vec<f64>),
    F64(Vec<f64>),
    /// The whole number zero.
    Zero,
}

impl Content {
    /// The bytes of an element.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::F32(_) => 4,
            Self::F64(_) | Self::Zero => 8,
        }
    }
}

impl WrittenTensor {
    /// Number of elements.
    pub(super) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its elements, the lowest byte of each first.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match &self.content {
            Content::F32(values) => values
                .iter()
                .flat_map(|&value| (value as f32).to_le_bytes())
                .collect(),
            Content::F64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Content::Zero => 0_i64.to_le_bytes().to_vec(),
        }
    }
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
