//! Weights from a file, in a model.

use std::path::Path;

use burn::module::Module;
use xsam_weights::{WeightsError, load_weights, read_weights};

/// The model with the weights in `file`, and what a person should know of them, in sentences.
pub(crate) fn imported<M: Module>(model: M, file: &Path) -> Result<(M, Vec<String>), WeightsError> {
    let weights = read_weights(file)?;
    let unwrapped = weights.unwrapped(&model);
    let model = load_weights(model, &weights)?;
    let name = file.display();
    let warnings = unwrapped.iter().map(|what| format!("{name}: {what}"));
    Ok((model, warnings.collect()))
}
