//! The format of the crate `safetensors`: a header of JSON, and the values.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use ::safetensors::tensor::TensorView;
use ::safetensors::{Dtype, SafeTensorError, SafeTensors, serialize};
use burn::tensor::DType;

use super::WeightsError;
use super::tensor::{Tensors, WeightTensor, lowest_first};
use super::written::{WeightsFormat, WrittenTensor};

/// Whether the file is one: by its ending, or, whatever its name, because its header begins like one.
pub(super) fn is_one(path: &Path) -> Result<bool, WeightsError> {
    let mut start = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(9).read_to_end(&mut start));
    opened.map_err(WeightsError::file("read", path))?;
    let named = matches!(WeightsFormat::of(path), Ok(WeightsFormat::Safetensors));
    // The length of the header in eight bytes, of which no real one needs all, and the header.
    Ok(named || matches!(start[..], [.., 0, b'{'] if start.len() == 9))
}

pub(super) fn read(path: &Path) -> Result<Tensors, WeightsError> {
    let bytes = fs::read(path).map_err(WeightsError::file("read", path))?;
    let file =
        SafeTensors::deserialize(&bytes).map_err(|error| WeightsError::damaged(path, error))?;
    let tensors = file.iter().map(|(name, view)| {
        let size = view.dtype().bitsize() / 8;
        let bytes = || Ok(lowest_first(view.data().to_vec(), size));
        let tensor = WeightTensor::new(path, view.dtype(), view.shape(), bytes)?;
        Ok((name.to_owned(), tensor))
    });
    tensors.collect()
}

pub(super) fn write(to: &mut impl io::Write, tensors: &[WrittenTensor]) -> io::Result<()> {
    let views = tensors.iter().map(|tensor| {
        let dtype = match tensor.dtype {
            DType::F64 => Dtype::F64,
            DType::I64 => Dtype::I64,
            _ => Dtype::F32,
        };
        let view = TensorView::new(dtype, tensor.shape.clone(), &tensor.bytes)?;
        Ok((tensor.name.as_str(), view))
    });
    let views: Result<Vec<_>, SafeTensorError> = views.collect();
    // What PyTorch's own writers say; some readers ask for it.
    let format = [("format".to_owned(), "pt".to_owned())];
    let bytes = views.and_then(|views| serialize(views, Some(format.into_iter().collect())));
    to.write_all(&bytes.map_err(io::Error::other)?)
}
