//! Every model trains, whatever its channels, classes, image size and batch.

use burn::tensor::{Device, Tensor, TensorData};
use xsam_models::{
    ClassifierName, ImageClassifier, ModelConfig, Pooling, Variant, reference, state,
};

use crate::common::gradients;

fn check(config: &ModelConfig, batch: usize) {
    let device = Device::flex().autodiff();
    let model = config.init(1, &device).unwrap();
    let shape = [batch, config.channels, config.image_size, config.image_size];
    let images = reference::images(1, shape.iter().product());
    let images = Tensor::from_data(TensorData::new(images, shape), &device);
    let logits = model.forward(images);
    assert_eq!(logits.dims(), [batch, config.classes]);

    // Not from zero, where a model may begin.
    let loss = logits.sub_scalar(1.0).powf_scalar(2.0).mean();
    let (mut largest, gradients) = (0.0, gradients(&model, loss));
    for (entry, (name, gradient)) in state::entries(&model).iter().zip(gradients) {
        let learned = entry.kind.is_learned();
        assert_eq!(gradient.is_some(), learned, "{config:?} {name}");
        for value in gradient.into_iter().flatten() {
            assert!(value.is_finite(), "{config:?} {name}");
            largest = f64::max(largest, value.abs());
        }
    }
    assert!(largest > 0.0, "{config:?}");
}

#[test]
fn scalable_models() {
    for name in [
        ClassifierName::Mlp,
        ClassifierName::SmallCnn,
        ClassifierName::Cnn,
        ClassifierName::Resnet18,
    ] {
        for (channels, image_size, classes, batch) in [(1, 8, 2, 3), (3, 11, 100, 2), (3, 1, 1, 1)]
        {
            let config = ModelConfig::new(name, channels, image_size, classes).with_width(4);
            check(&config, batch);
        }
    }
}

#[test]
fn models_of_patches() {
    for (name, heads, pooling) in [
        (ClassifierName::Mixer, None, None),
        (ClassifierName::Vit, None, None),
        (ClassifierName::Vit, Some(3), Some(Pooling::Mean)),
    ] {
        for (channels, image_size, classes, batch, patch) in [(1, 8, 2, 3, 2), (3, 9, 100, 2, 3)] {
            let variant = Variant {
                width: Some(12),
                depth: Some(2),
                patch: Some(patch),
                heads,
                pooling,
            };
            let config = ModelConfig::new(name, channels, image_size, classes);
            check(&ModelConfig { variant, ..config }, batch);
        }
    }
}

#[test]
fn wide_resnets() {
    for (width, depth) in [(1, 10), (2, 16)] {
        let variant = Variant {
            width: Some(width),
            depth: Some(depth),
            ..Variant::default()
        };
        let config = ModelConfig::new(ClassifierName::WideResnet, 3, 11, 7);
        check(&ModelConfig { variant, ..config }, 2);
    }
}

#[test]
fn vgg11_bn() {
    check(&ModelConfig::new(ClassifierName::Vgg11Bn, 1, 32, 2), 2);
    check(&ModelConfig::new(ClassifierName::Vgg11Bn, 3, 67, 100), 1);
}

#[test]
fn densenet121() {
    check(&ModelConfig::new(ClassifierName::Densenet121, 1, 8, 2), 2);
    check(
        &ModelConfig::new(ClassifierName::Densenet121, 3, 17, 100),
        1,
    );
}
