//! Denormal numbers, which are slow on many processors, do not arise in training, not even where the data
//! are fitted completely.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use xsam::optim::FusedSgdConfig;
use xsam::{SharpnessAware, XsamConfig};
use xsam_data::{batches, digits, gather, order};
use xsam_kernels::cross_entropy;
use xsam_models::{ClassifierName, ImageClassifier, Model, ModelConfig};

const EPOCHS: u64 = 25;

/// Counts numbers, and the denormal ones among them.
#[derive(Default)]
struct Count {
    gradients: GradientsParams,
    all: usize,
    denormal: usize,
}

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.remove::<D>(param.id);
        for tensor in [Some(param.val().inner()), gradient].into_iter().flatten() {
            let values: Vec<f32> = tensor.into_data().iter().collect();
            self.all += values.len();
            self.denormal += values.iter().filter(|value| value.is_subnormal()).count();
        }
    }
}

#[test]
fn weights_and_gradients_are_not_denormal() {
    let device = Device::flex().autodiff();
    let data = digits().unwrap();
    let config = ModelConfig::new(ClassifierName::Cnn, 1, 8, 10);
    let mut model = config.init(1, &device).unwrap();
    let sgd = FusedSgdConfig::new()
        .with_momentum(0.9)
        .with_weight_decay(1e-3);
    let mut optim = SharpnessAware::new(sgd.init().unwrap(), XsamConfig::new()).unwrap();
    let mut count = Count::default();
    let mut last = f64::INFINITY;
    for epoch in 0..EPOCHS {
        optim.start_epoch();
        let order = order(data.train.len(), 1, epoch);
        for indices in batches(&order, 100).unwrap() {
            let (pixels, labels) = gather(&data.train, &data.normalization, indices).unwrap();
            let shape = [indices.len(), 1, 8, 8];
            let images = Tensor::<4>::from_data(TensorData::new(pixels, shape), &device);
            let labels = TensorData::new(labels, [indices.len()]);
            let targets = Tensor::<1, Int>::from_data(labels, &device);
            let loss = |m: &Model| cross_entropy(m.forward(images.clone()), targets.clone(), 0.0);
            let step = optim.step(0.05, model, loss).unwrap();
            (model, last) = (step.model, step.report.loss);
            count.gradients = GradientsParams::from_grads(loss(&model).backward(), &model);
            model.visit(&mut count);
        }
    }
    assert!(last < 0.1, "the data are not fitted: {last}");
    println!("{} of {} numbers are denormal", count.denormal, count.all);
    assert!(count.denormal * 100_000 < count.all, "{}", count.denormal);
}
