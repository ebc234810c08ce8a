//! What `torch.save` writes: a pickle of the state dict, and the values beside it in an archive.

mod bound;
mod pickle;
mod scan;

use std::io::{self, Seek, Write};
use std::path::Path;

use pytorch_reader::{PickleValue, PytorchError, PytorchReader, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::WeightsError;
use super::tensor::{Tensors, WeightTensor, float};
use super::written::WrittenTensor;

/// Where training scripts put the state dict if they save more than it, the most telling name first.
const KEYS: [&str; 5] = ["state_dict", "model_state_dict", "model", "net", "weights"];

/// The folder of everything in an archive.
const ROOT: &str = "archive";
/// Where values begin in an archive, so that they can be used in place.
const ALIGNMENT: u16 = 64;

/// The tensors, and the key under which the file has them, if they are not all there is. It has so many bytes.
pub(super) fn read(
    path: &Path,
    length: u64,
) -> Result<(Tensors, Option<&'static str>), WeightsError> {
    bound::check(path, length)?;
    let failed = |error| match error {
        PytorchError::Io(error) => WeightsError::unread(path, error),
        other => WeightsError::damaged(path, other),
    };
    let key = key(path).map_err(failed)?;
    let opened = match key {
        Some(key) => PytorchReader::with_top_level_key(path, key),
        None => PytorchReader::new(path),
    };
    let found = opened.map_err(failed)?.into_tensors();

    let kept = found
        .values()
        .filter(|tensor| float(tensor.dtype()).is_some());
    let sizes = kept.map(|tensor| tensor.byte_len() as u64);
    if sizes.fold(0, u64::saturating_add) > bound::most_bytes(length) {
        let reason = "its tensors repeat their values so often that it would take far more memory \
                      than the file has bytes";
        return Err(WeightsError::damaged(path, reason));
    }
    let tensor = |(name, tensor): (String, Tensor)| {
        let bytes = || {
            tensor
                .read()
                .map_err(|error| WeightsError::unread(path, error))
        };
        let tensor = WeightTensor::new(path, tensor.dtype(), tensor.shape(), bytes)?;
        Ok((name, tensor))
    };
    let tensors: Result<_, WeightsError> = found.into_iter().map(tensor).collect();
    Ok((tensors?, key))
}

/// The key under which the file has the state dict, if it is not all there is.
fn key(path: &Path) -> Result<Option<&'static str>, PytorchError> {
    let PickleValue::Dict(entries) = PytorchReader::read_pickle_data(path, None)? else {
        return Ok(None);
    };
    // Scripts save the name or the settings of a model under such keys as well.
    let holds = |key: &&str| {
        let entry = entries.get(*key);
        entry.is_some_and(|entry| matches!(entry, PickleValue::Dict(_)) && holds_tensors(entry))
    };
    Ok(KEYS.into_iter().find(holds))
}

fn holds_tensors(value: &PickleValue) -> bool {
    match value {
        PickleValue::Dict(entries) => entries.values().any(holds_tensors),
        PickleValue::List(items) => items.iter().any(holds_tensors),
        PickleValue::Unsupported(name) => name == "torch.Tensor",
        _ => false,
    }
}

pub(super) fn write(to: impl Write + Seek, tensors: &[WrittenTensor]) -> io::Result<()> {
    let mut archive = ZipWriter::new(to);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .with_alignment(ALIGNMENT);
    let mut entry = |name: &str, content: &[u8]| {
        // An archive's plain entries hold less than 4 GiB.
        let large = u32::try_from(content.len()).is_err();
        archive.start_file(format!("{ROOT}/{name}"), options.large_file(large))?;
        archive.write_all(content)
    };
    entry("data.pkl", &pickle::state_dict(tensors))?;
    entry("byteorder", b"little")?;
    for (key, tensor) in tensors.iter().enumerate() {
        entry(&format!("data/{key}"), &tensor.bytes)?;
    }
    // Of the format, since PyTorch 1.6.
    entry("version", b"3\n")?;
    archive.finish()?.flush()
}
