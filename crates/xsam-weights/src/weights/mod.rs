//! Weights in and out of a model, in the files that PyTorch reads and writes.
//!
//! [`read_weights`] reads a state dict from a `.safetensors` file or from what `torch.save` wrote,
//! [`load_weights`] puts it into a model, [`write_weights`] writes a model's own. Names, shapes and
//! memory order are those of [`crate::state`], so it works for any Burn module whose names are its
//! original's.
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use xsam_weights::{load_weights, read_weights, state, write_weights};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("linear.safetensors");
//! let device = Device::flex();
//! let model = LinearConfig::new(3, 2).init(&device);
//! // In PyTorch: model.load_state_dict(safetensors.torch.load_file("linear.safetensors"))
//! write_weights(&model, &path)?;
//! let other = LinearConfig::new(3, 2).init(&device);
//! let same = load_weights(other, &read_weights(&path)?)?;
//! # let values = |model| state::values(model).into_iter().map(|(_, v)| v).collect::<Vec<_>>();
//! # assert_eq!(values(&same), values(&model));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a file does not say
//!
//! Logits agree with the original's for the same *input*: by which mean and deviation images were
//! normalized is not in the file. Nor is how the network computes, and a network with the same names and
//! shapes may be another one. There is such a DenseNet in wide use, whose transitions rectify and whose
//! layers put new channels first: its weights load into the DenseNet of `xsam-models`, and give other logits.
//!
//! # What is read
//!
//! * `.safetensors`.
//! * `torch.save(model.state_dict(), file)`, also as the entry `state_dict`, `model_state_dict`,
//!   `model`, `net` or `weights` of a dictionary with other things in it (the first of these that holds
//!   tensors), and of any release of PyTorch. No code of the file is run, whatever is in it.
//! * Numbers as `f64`, `f32`, `f16` or `bf16`; each becomes what the model's own tensor is.
//! * The prefixes `module.` of `DataParallel` and `_orig_mod.` of `torch.compile` are taken off if
//!   all names have them, and with `module.` the `n_averaged` of `AveragedModel`. So is any other prefix
//!   that all names have, such as `model.` of a Lightning module, if without it more of them are names of
//!   the model. [`Weights::unwrapped`] says what was taken off.
//! * Every `num_batches_tracked` is left out: it says nothing where the momentum of a batch
//!   normalization is fixed.
//!
//! # What is written
//!
//! `f64` tensors as such, all others as `f32`. Each batch normalization has a `num_batches_tracked` of
//! zero, so that `load_state_dict` of the original finds all it asks for.

mod error;
mod pytorch;
mod safetensors;
mod tensor;
mod unwrap;
mod write;
mod written;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, TensorData};

pub use error::{Mismatch, WeightsError};
pub use tensor::WeightTensor;
pub use unwrap::Unwrapped;
pub use write::write_weights;
pub use written::WeightsFormat;

use crate::state::{self, Entry, Kind};
use tensor::Tensors;

/// Integer buffer of PyTorch's batch normalization.
const COUNTER: &str = "num_batches_tracked";

/// The tensors of a file by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    path: PathBuf,
    tensors: Tensors,
    unwrapped: Vec<Unwrapped>,
}

impl Weights {
    /// The tensors, without those that say nothing here and without what wrappers put around them.
    fn new(path: &Path, mut tensors: Tensors, key: Option<&str>) -> Result<Self, WeightsError> {
        tensors.retain(|name, _| name.rsplit('.').next() != Some(COUNTER));
        if tensors.is_empty() {
            return Err(WeightsError::damaged(path, "it holds no tensors"));
        }
        let (tensors, wrappers) = unwrap::unwrapped(tensors);
        let key = key.map(|key| Unwrapped::Key(key.to_owned()));
        Ok(Self {
            path: path.to_owned(),
            tensors,
            unwrapped: key.into_iter().chain(wrappers).collect(),
        })
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, WeightTensor> {
        &self.tensors
    }

    /// What is taken off around the weights on their way into `model`, from the outside in: what reading has taken off,
    /// and the prefix that [`load_weights`] passes over.
    pub fn unwrapped<M: Module>(&self, model: &M) -> Vec<Unwrapped> {
        let mut unwrapped = self.unwrapped.clone();
        let prefix = unwrap::prefix(&self.tensors, &state::entries(model));
        if !prefix.is_empty() {
            unwrapped.push(Unwrapped::Prefix(prefix.to_owned()));
        }
        unwrapped
    }
}

/// Reads the weights in a file; [the module](self) says of which kinds.
///
/// What is read is checked against the length of the file: no file makes this take many times its own
/// size in memory.
///
/// # Errors
///
/// If the file cannot be read, is damaged, of no kind that is known, or holds no tensors.
pub fn read_weights(path: &Path) -> Result<Weights, WeightsError> {
    let metadata = fs::metadata(path).map_err(WeightsError::file("read", path))?;
    if !metadata.is_file() {
        // What is none may have no end, or make whoever opens it wait.
        let error = io::Error::other("it is not a regular file");
        return Err(WeightsError::file("read", path)(error));
    }
    let (tensors, key) = if safetensors::is_one(path)? {
        (safetensors::read(path)?, None)
    } else {
        pytorch::read(path, metadata.len())?
    };
    Weights::new(path, tensors, key)
}

/// The model with the values of `weights` in all its tensors.
///
/// Identity, device, element type, gradient setting and training flags of the model's tensors stay as
/// they are, and so do clones of it.
///
/// # Errors
///
/// Unless the file has each tensor of the model, in its shape and with finite values, no variance below
/// zero, and no other tensor; the error lists every one that is amiss. Nothing is loaded then.
pub fn load_weights<M: Module>(model: M, weights: &Weights) -> Result<M, WeightsError> {
    let entries = state::entries(&model);
    let prefix = unwrap::prefix(&weights.tensors, &entries);
    // How the file calls a tensor of the model.
    let named = |entry: &Entry| format!("{prefix}{}", entry.name);
    let mut mismatches = Vec::new();
    for (entry, dtype) in entries.iter().zip(state::dtypes(&model)) {
        let tensor = weights.tensors.get(&named(entry));
        mismatches.extend(mismatch(entry, dtype, tensor));
    }
    let known: HashSet<String> = entries.iter().map(named).collect();
    let surplus = weights
        .tensors
        .iter()
        .filter(|(name, _)| !known.contains(*name));
    mismatches.extend(surplus.map(|(name, tensor)| Mismatch::Surplus {
        name: name.strip_prefix(prefix).unwrap_or(name).to_owned(),
        found: tensor.shape.clone(),
    }));
    if !mismatches.is_empty() {
        return Err(WeightsError::Mismatch {
            path: weights.path.clone(),
            mismatches,
        });
    }
    let values = |_, entry: &Entry| {
        let tensor = weights.tensors.get(&named(entry));
        let values = tensor.and_then(|tensor| tensor.values.as_ref());
        values.map_or_else(Vec::new, |values| values.iter().collect())
    };
    Ok(state::with_values(model, values)?)
}

/// What keeps a tensor of a file, if it is there, from being that of `entry`.
fn mismatch(entry: &Entry, dtype: DType, tensor: Option<&WeightTensor>) -> Option<Mismatch> {
    let (name, expected) = (entry.name.clone(), entry.shape.clone());
    let Some(tensor) = tensor else {
        return Some(Mismatch::Missing { name, expected });
    };
    if tensor.shape != expected {
        let found = tensor.shape.clone();
        return Some(Mismatch::Shape {
            name,
            expected,
            found,
        });
    }
    let Some(values) = &tensor.values else {
        let dtype = tensor.dtype.clone();
        return Some(Mismatch::NotFloat { name, dtype });
    };
    // A type without a range is refused with the tensor's name when it is to be filled.
    let most = dtype.finfo().map_or(f64::INFINITY, |range| range.max);
    // Not true of NaN.
    let fits = |value: f64| value.is_finite() && value.abs() <= most;
    let found = match odd(values, |value| !fits(value)) {
        Some(found) => Some((format!("not finite as {}", dtype.name()), found)),
        None if entry.kind == Kind::RunningVar => odd(values, |value| value < 0.0)
            .map(|found| ("a variance below zero".to_owned(), found)),
        None => None,
    };
    let (fault, (count, index, value)) = found?;
    Some(Mismatch::Values {
        name,
        fault,
        count,
        index,
        value,
    })
}

/// Of the values of which `is_odd` holds, if there are any: their number, and place and value of the first.
fn odd(values: &TensorData, is_odd: impl Fn(f64) -> bool) -> Option<(usize, usize, f64)> {
    let values = values.iter::<f64>().enumerate();
    let mut odd = values.filter(|(_, value)| is_odd(*value));
    let (index, value) = odd.next()?;
    Some((1 + odd.count(), index, value))
}
