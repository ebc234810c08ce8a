//! The base optimizer's part of a record, in Burn's own format: a tensor `ID.field` and scalars `ID.field` for each
//! parameter, and the parameter's path under `ID`.

use std::collections::HashSet;

use burn::module::ParamId;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::Bytes;
use burn_pack::{Reader, Writer};

use super::checked::RANK;
use crate::error::RecordError;

/// The optimizer `base` with the state in `bytes`. Burn drops what it does not recognise without a word, so what was
/// taken is counted.
pub(super) fn load(base: &ModuleOptimizer, bytes: Bytes) -> Result<ModuleOptimizer, RecordError> {
    let record = OptimizerRecord::from_bytes(bytes)?;
    let recorded = record.len();
    let loaded = base.clone().load_record(record);
    let taken = loaded.to_record().len();
    if taken != recorded {
        return Err(RecordError::OtherBase { recorded, taken });
    }
    Ok(loaded)
}

/// The parameters of which there is state. Of one that has none Burn keeps the rank all the same.
pub(super) fn parameters(bytes: &Bytes) -> Result<HashSet<ParamId>, RecordError> {
    let reader = Reader::from_bytes(bytes.clone())?;
    let tensors = reader.tensor_names().into_iter();
    let scalars = reader.scalars().keys().map(String::as_str);
    let states = tensors.chain(scalars).filter(|name| !name.ends_with(RANK));
    Ok(states.filter_map(parameter).collect())
}

/// The parameters of which `base` has state already: it may have been loaded by Burn's own means.
pub(crate) fn parameters_of(base: &ModuleOptimizer) -> Vec<ParamId> {
    // What cannot be written down cannot be checked.
    let bytes = base.to_record().into_bytes().ok();
    let found = bytes.and_then(|bytes| parameters(&bytes).ok());
    found.into_iter().flatten().collect()
}

/// The record without the state of parameters that are not `known`.
pub(super) fn of_parameters(bytes: Bytes, known: &HashSet<ParamId>) -> Result<Bytes, RecordError> {
    let stays = |name: &str| parameter(name).is_none_or(|id| known.contains(&id));
    let reader = Reader::from_bytes(bytes)?;
    let (scalars, paths) = (reader.scalars().clone(), reader.metadata().clone());
    let mut tensors = Vec::new();
    for tensor in reader.into_tensors()? {
        let (name, dtype, shape, id, bytes) = tensor.into_parts()?;
        if stays(&name) {
            tensors.push(burn_pack::Tensor::new(name, dtype, shape, id, bytes));
        }
    }
    let mut writer = Writer::new(tensors);
    for (name, value) in scalars.into_iter().filter(|(name, _)| stays(name)) {
        writer = writer.with_scalar(&name, value);
    }
    for (name, path) in paths.iter().filter(|(name, _)| stays(name)) {
        writer = writer.with_metadata(name, path);
    }
    Ok(writer.into_bytes()?)
}

/// The parameter whose id a name begins with.
fn parameter(name: &str) -> Option<ParamId> {
    let id = name.split_once('.').map_or(name, |(id, _)| id);
    id.parse::<u64>().ok().map(ParamId::from)
}
