//! The format of the crate `safetensors`: a header of JSON, and the values.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use ::safetensors::tensor::View;
use ::safetensors::{Dtype, SafeTensors, serialize};

use super::WeightTensor;
use super::WeightsError;
use super::float::{Float, Order, Values};
use super::format::WeightsFormat;
use super::written::{Content, WrittenTensor};

/// Whether the file is one: by its ending, or, whatever its name, because its header begins like one.
pub(super) fn is_one(path: &Path) -> Result<bool, WeightsError> {
    let mut start = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(9).read_to_end(&mut start));
    opened.map_err(WeightsError::file("read", path))?;
    let named = matches!(WeightsFormat::of(path), Ok(WeightsFormat::Safetensors));
    // The length of the header in eight bytes, of which no real one needs all, and the header.
    Ok(named || matches!(start[..], [.., 0, b'{'] if start.len() == 9))
}

pub(super) fn read(path: &Path) -> Result<BTreeMap<String, WeightTensor>, WeightsError> {
    let bytes = fs::read(path).map_err(WeightsError::file("read", path))?;
    let file =
        SafeTensors::deserialize(&bytes).map_err(|error| WeightsError::damaged(path, error))?;
    let tensors = file.iter().map(|(name, view)| {
        let float = match view.dtype() {
            Dtype::F64 => Ok(Float::F64),
            Dtype::F32 => Ok(Float::F32),
            Dtype::F16 => Ok(Float::F16),
            Dtype::BF16 => Ok(Float::Bf16),
            other => Err(other.to_string()),
        };
        let tensor = WeightTensor {
            shape: view.shape().to_vec(),
            values: match float {
                Ok(float) => float.values(view.data(), Order::Little),
                Err(other) => Values::Other(other),
            },
        };
        (name.to_owned(), tensor)
    });
    Ok(tensors.collect())
}

impl View for &WrittenTensor {
    fn dtype(&self) -> Dtype {
        match self.content {
            Content::F32(_) => Dtype::F32,
            Content::F64(_) => Dtype::F64,
            Content::Zero => Dtype::I64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.bytes().into()
    }

    fn data_len(&self) -> usize {
        self.count() * self.content.size()
    }
}

pub(super) fn write(to: &mut impl io::Write, tensors: &[WrittenTensor]) -> io::Result<()> {
    // What PyTorch's own writers say; some readers ask for it.
    let format = [("format".to_owned(), "pt".to_owned())];
    let named = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor));
    let bytes = serialize(named, Some(format.into_iter().collect())).map_err(io::Error::other)?;
    to.write_all(&bytes)
}
