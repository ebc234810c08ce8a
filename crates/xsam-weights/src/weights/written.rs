//! What is written into a file, and in which format.

use std::path::Path;

use burn::tensor::DType;

use super::error::WeightsError;

/// A format of files of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightsFormat {
    /// Hugging Face's format: `.safetensors`
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

/// A tensor that is to be written.
pub(super) struct WrittenTensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// `F64`, `F32` or `I64`.
    pub(super) dtype: DType,
    /// Its elements, the lowest byte of each first.
    pub(super) bytes: Vec<u8>,
}
