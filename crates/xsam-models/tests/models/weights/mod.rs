//! Weights from files and into files.

mod bounds;
mod damaged;
mod round_trip;
mod strict;
mod torch;
mod unwrapped;

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use tempfile::TempDir;
use xsam_models::weights::Mismatch;
use xsam_models::{
    ClassifierName, ImageClassifier, Model, ModelConfig, Weights, WeightsError, load_weights,
    read_weights, reference, state, write_weights,
};

/// What a file made by PyTorch is to be loaded into.
fn small(seed: u64) -> Model {
    let config = ModelConfig::new(ClassifierName::SmallCnn, 1, 5, 3).with_width(2);
    config.init(seed, &Device::flex()).unwrap()
}

fn values<M: Module>(model: &M) -> Vec<(String, Vec<f64>)> {
    let values = state::values(model).into_iter();
    values.map(|(entry, v)| (entry.name, v)).collect()
}

/// What is read of a file that a model was written to.
fn written_and_read<M: Module>(model: &M, name: &str) -> Weights {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write_weights(model, &path).unwrap();
    read_weights(&path).unwrap()
}

/// A file that PyTorch has made, see `make.py` beside it.
fn pytorchs(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xsam-weights/tests/torch");
    folder.join(name)
}

/// A file with this content in a folder of its own.
fn file(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn load(path: &Path) -> Result<Model, WeightsError> {
    load_weights(small(0), &read_weights(path)?)
}

fn logits(model: &Model, images: Vec<f32>, shape: [usize; 4]) -> Vec<f32> {
    let images = Tensor::from_data(TensorData::new(images, shape), &Device::flex());
    model.forward(images).into_data().try_to_vec().unwrap()
}
