//! Fine-tuning a model that comes from elsewhere: weights by name from a safetensors file with PyTorch's shapes, the
//! convolutions frozen, a new head trained sharpness-aware.
//!
//! So that nothing need be downloaded, the example trains and writes the file itself first: on the digits 0 to 4. It is then
//! tuned for all ten, with 100 images.
//!
//! ```sh
//! cargo build --release --workspace --example fine_tune && target/release/examples/fine_tune
//! ```
#![allow(clippy::print_stdout)]

mod digits;

use std::collections::HashMap;
use std::error::Error;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use digits::{Net, epoch, whole};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use xsam::optim::FusedSgdConfig;
use xsam::{SharpnessAware, XsamConfig};
use xsam_data::{Images, Normalization, subset};

/// The names of parameters are the fields on the way to them, joined by dots, as in PyTorch.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn name(&self) -> String {
        self.0.join(".")
    }
}

/// Linear layers have `[inputs, outputs]` in Burn and `[outputs, inputs]` in PyTorch; all else is the same.
fn other_layout<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    match D {
        2 => tensor.transpose(),
        _ => tensor,
    }
}

/// Writes the weights of `model` as PyTorch would name and shape them.
fn export(model: &Net) -> Result<Vec<u8>, Box<dyn Error>> {
    struct Export {
        names: Names,
        tensors: Vec<(String, TensorData)>,
    }
    impl ModuleVisitor for Export {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.names.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.names.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let data = other_layout(param.val()).into_data();
            self.tensors.push((self.names.name(), data));
        }
    }
    let mut export = Export {
        names: Names::default(),
        tensors: Vec::new(),
    };
    model.visit(&mut export);
    let views = export.tensors.iter().map(|(name, data)| {
        let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes());
        view.map(|view| (name.clone(), view))
    });
    let views: Vec<_> = views.collect::<Result<_, _>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// `model` with the weights of `file` wherever name and shape agree, and the names of the rest.
fn import(model: Net, file: &[u8]) -> Result<(Net, Vec<String>), Box<dyn Error>> {
    struct Import {
        names: Names,
        tensors: HashMap<String, TensorData>,
        missing: Vec<String>,
    }
    impl ModuleMapper for Import {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.names.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.names.0.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let name = self.names.name();
            let shape = other_layout(param.val()).shape();
            let found = self
                .tensors
                .remove(&name)
                .filter(|data| *data.shape() == shape);
            let Some(data) = found else {
                self.missing.push(name);
                return param;
            };
            // A new leaf, tracked as the old one.
            param.map(|old| {
                let device = old.device().inner();
                let new = other_layout(Tensor::<D>::from_data(data, &device));
                Tensor::from_inner(new).set_require_grad(old.is_require_grad())
            })
        }
    }
    let file = SafeTensors::deserialize(file)?;
    let tensors = file.iter().map(|(name, view)| {
        let bytes = burn::tensor::Bytes::from_bytes_vec(view.data().to_vec());
        let data = TensorData::from_bytes(bytes, view.shape().to_vec(), DType::F32);
        (name.to_owned(), data)
    });
    let mut import = Import {
        names: Names::default(),
        tensors: tensors.collect(),
        missing: Vec::new(),
    };
    let model = model.map(&mut import);
    Ok((model, import.missing))
}

/// Trains `model` on `images`.
fn train(
    mut model: Net,
    images: &Images,
    normalization: &Normalization,
    epochs: usize,
    device: &Device,
) -> Result<Net, Box<dyn Error>> {
    let base = FusedSgdConfig::new().with_momentum(0.9).init()?;
    let mut optim = SharpnessAware::new(base, XsamConfig::new().with_rho(0.1))?;
    for i in 0..epochs {
        optim.start_epoch();
        for batch in epoch(images, normalization, i, device)? {
            let step = optim.step(0.05, model, |model: &Net| model.loss(&batch))?;
            model = step.model;
        }
    }
    Ok(model)
}

fn sum(parameter: &Param<Tensor<4>>) -> Result<f64, Box<dyn Error>> {
    Ok(parameter.val().sum().try_into_scalar::<f64>()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let normalization = &splits.normalization;
    let test = whole(&splits.test, normalization, &device)?;

    // Elsewhere, long ago.
    let low = |images: &Images| {
        (0..images.len())
            .filter(|i| images.labels()[*i] < 5)
            .collect::<Vec<_>>()
    };
    let half = splits.train.select(&low(&splits.train))?;
    let trained = train(Net::new(5, &device), &half, normalization, 10, &device)?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("digits-0-to-4.safetensors");
    std::fs::write(&path, export(&trained)?)?;

    // Here: ten classes, so the head of five does not fit and stays new.
    let (model, new) = import(Net::new(10, &device), &std::fs::read(&path)?)?;
    println!("not in the file, or of another shape: {}", new.join(", "));
    let mut model = model;
    model.conv1 = model.conv1.freeze();
    model.conv2 = model.conv2.freeze();
    let before = (sum(&model.conv2.weight)?, model.accuracy(&test)?);

    let few = subset(&splits.train, 100)?;
    let model = train(model, &few, normalization, 100, &device)?;
    println!("{} images, all ten digits, 100 epochs", few.len());
    println!(
        "sum of the frozen weights {:.4}, before {:.4}",
        sum(&model.conv2.weight)?,
        before.0
    );
    println!(
        "test accuracy {:.1} %, before {:.1} %",
        100.0 * model.accuracy(&test)?,
        100.0 * before.1
    );
    Ok(())
}
