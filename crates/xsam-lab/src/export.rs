//! A trained model's weights in a file for PyTorch.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use xsam_weights::{WeightsFormat, parameter_count, state, write_weights};

use crate::error::Error;
use crate::lock::Lock;
use crate::spec::{DeviceName, TaskSpec};
use crate::summary::read_spec;
use crate::task::Task;
use crate::tasks::{Tasks, Visitor};
use crate::trained::{Trained, run_of};

/// What [`export`] has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// The file that was written.
    pub file: PathBuf,
    /// The checkpoint whose weights they are.
    pub checkpoint: PathBuf,
    /// Epochs that the model has been trained for.
    pub epochs: usize,
    /// Name of the model.
    pub model: String,
    /// Tensors of the model; PyTorch's counters of batches are not among them.
    pub tensors: usize,
    /// Number of learned values in the file.
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
pub fn export<L: Tasks>(directory: &Path, file: &Path, overwrite: bool) -> Result<Export, Error> {
    WeightsFormat::of(file)?;
    let _lock = Lock::take_file(file)?;
    if !overwrite && file.symlink_metadata().is_ok() {
        let path = file.to_owned();
        return Err(Error::FileExists { path });
    }
    let spec = read_spec::<L::Spec>(&run_of(directory)?)?;
    L::visit(&spec.task, Exporting { directory, file })
}

struct Exporting<'a> {
    directory: &'a Path,
    file: &'a Path,
}

impl<S: TaskSpec> Visitor<S> for Exporting<'_> {
    type Output = Export;

    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<Export, Error> {
        let Self { directory, file } = self;
        // Wherever it was trained: nothing is computed.
        let trained = Trained::<T>::load_on(directory, Some(DeviceName::Cpu))?;
        let model = &trained.model;
        write_weights(model, file)?;
        let written = fs::metadata(file).map_err(Error::file("read", file))?;
        Ok(Export {
            file: file.to_owned(),
            epochs: trained.epochs(),
            model: trained.spec.task.model_name(),
            tensors: state::entries(model).len(),
            parameters: parameter_count(model),
            bytes: written.len(),
            checkpoint: trained.checkpoint,
        })
    }
}
