//! Every model trains, whatever its channels, classes, image size and batch.

use std::collections::HashSet;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use xsam_models::{ImageClassifier, ModelConfig, ModelName, reference, state};

struct Gradients<'a> {
    of: &'a GradientsParams,
    found: HashSet<burn::module::ParamId>,
    largest: f32,
}

impl ModuleVisitor for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.of.get::<D>(param.id) {
            assert_eq!(gradient.dims(), param.dims());
            let values = gradient.into_data().try_to_vec::<f32>().unwrap();
            assert!(values.iter().all(|v| v.is_finite()));
            self.largest = values.iter().fold(self.largest, |m, v| m.max(v.abs()));
            self.found.insert(param.id);
        }
    }
}

fn check(config: &ModelConfig, batch: usize) {
    let device = Device::flex().autodiff();
    let model = config.init(1, &device).unwrap();
    let shape = [batch, config.channels, config.image_size, config.image_size];
    let images = reference::images(1, shape.iter().product());
    let images = Tensor::from_data(TensorData::new(images, shape), &device);
    let logits = model.forward(images);
    assert_eq!(logits.dims(), [batch, config.classes]);

    let loss = logits.powf_scalar(2.0).mean();
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let mut seen = Gradients {
        of: &gradients,
        found: HashSet::new(),
        largest: 0.0,
    };
    model.visit(&mut seen);
    for entry in state::entries(&model) {
        let expected = entry.kind.is_learned();
        assert_eq!(
            seen.found.contains(&entry.id),
            expected,
            "{config:?} {}",
            entry.name
        );
    }
    assert!(seen.largest > 0.0, "{config:?}");
}

#[test]
fn scalable_models() {
    for name in [
        ModelName::Mlp,
        ModelName::SmallCnn,
        ModelName::Cnn,
        ModelName::Resnet18,
    ] {
        for (channels, image_size, classes, batch) in [(1, 8, 2, 3), (3, 11, 100, 2), (3, 1, 1, 1)]
        {
            let config = ModelConfig::new(name, channels, image_size, classes).with_width(4);
            check(&config, batch);
        }
    }
}

#[test]
fn vgg11_bn() {
    check(&ModelConfig::new(ModelName::Vgg11Bn, 1, 32, 2), 2);
    check(&ModelConfig::new(ModelName::Vgg11Bn, 3, 67, 100), 1);
}

#[test]
fn densenet121() {
    check(&ModelConfig::new(ModelName::Densenet121, 1, 8, 2), 2);
    check(&ModelConfig::new(ModelName::Densenet121, 3, 17, 100), 1);
}
