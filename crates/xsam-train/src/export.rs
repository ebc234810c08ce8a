//! A trained model's weights in a file for PyTorch.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use serde::Serialize;
use xsam_models::{WeightsFormat, parameter_count, state, write_weights};

use crate::error::Error;
use crate::lock::Lock;
use crate::names::named;
use crate::spec::{DeviceName, ModelName};
use crate::trained::{Trained, TrainedModel};

/// What [`export`] has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// The file.
    pub file: PathBuf,
    /// The checkpoint whose weights they are.
    pub checkpoint: PathBuf,
    /// Epochs that the model has been trained for.
    pub epochs: usize,
    /// The model.
    #[serde(with = "named")]
    pub model: ModelName,
    /// Tensors of the model; PyTorch's counters of batches are not among them.
    pub tensors: usize,
    /// Learned values.
    pub parameters: usize,
    /// Size of the file.
    pub bytes: u64,
}

/// Writes the weights of the trained model in `directory`, a run or a checkpoint, to `file`, whose name
/// ends in `.safetensors`, `.pt` or `.pth`. A file that exists is replaced only if `overwrite` says so.
///
/// # Errors
/// If the name ends otherwise, the file exists or somebody else is writing it, the model cannot be loaded (see [`Trained::load`]), or
/// the file cannot be written.
pub fn export(directory: &Path, file: &Path, overwrite: bool) -> Result<Export, Error> {
    WeightsFormat::of(file)?;
    let _lock = Lock::take_file(file)?;
    if !overwrite && file.symlink_metadata().is_ok() {
        let path = file.to_owned();
        return Err(Error::FileExists { path });
    }
    // Wherever it was trained: nothing is computed.
    let trained = Trained::load_on(directory, DeviceName::Cpu)?;
    let (tensors, parameters) = match &trained.model {
        TrainedModel::Classifier(model) => write(model, file)?,
        TrainedModel::Translator(model, _) => write(model, file)?,
    };
    let written = fs::metadata(file).map_err(Error::file("read", file))?;
    Ok(Export {
        file: file.to_owned(),
        epochs: trained.epochs(),
        checkpoint: trained.checkpoint,
        model: trained.spec.model.name,
        tensors,
        parameters,
        bytes: written.len(),
    })
}

/// Writes a model, and counts its tensors and learned values.
fn write<M: Module>(model: &M, file: &Path) -> Result<(usize, usize), Error> {
    write_weights(model, file)?;
    Ok((state::entries(model).len(), parameter_count(model)))
}
