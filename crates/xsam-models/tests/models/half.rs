//! Models in mixed precision: inputs and activations in half precision, weights in single.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use xsam_kernels::cross_entropy;
use xsam_models::{
    ClassifierName, ImageClassifier, ModelConfig, TargetBatch, TransformerConfig, reference,
};

/// Half formats, and how far logits may be off, in parts of the largest: roundings of every layer.
const FORMATS: [(FloatDType, f64); 2] = [(FloatDType::F16, 0.04), (FloatDType::BF16, 0.32)];

/// Gradients are finite, and in the format of their weights.
fn check_gradients<M: Module>(model: &M, loss: Tensor<1>, name: &str) {
    struct Check(GradientsParams, usize);
    impl ModuleVisitor for Check {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                assert_eq!(
                    (gradient.dtype(), param.val().dtype()),
                    (DType::F32, DType::F32)
                );
                let largest = gradient.abs().max().into_scalar::<f64>();
                assert!(largest.is_finite());
                self.1 += 1;
            }
        }
    }
    assert_eq!(loss.dtype(), DType::F32, "{name}");
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let mut check = Check(gradients, 0);
    model.visit(&mut check);
    assert!(check.1 > 3, "{name}");
}

fn assert_near<const D: usize>(
    found: &Tensor<D>,
    expected: &Tensor<D>,
    tolerance: f64,
    name: &str,
) {
    let values = |x: &Tensor<D>| x.to_data().iter::<f64>().collect::<Vec<_>>();
    let (found, expected) = (values(found), values(expected));
    let largest = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        let off = (found - expected).abs();
        assert!(
            off <= tolerance * largest,
            "{name}: {found} is not {expected}"
        );
    }
}

#[test]
fn image_models_compute_in_the_format_of_their_images() {
    let device = Device::flex().autodiff();
    for name in [
        ClassifierName::Mlp,
        ClassifierName::SmallCnn,
        ClassifierName::Cnn,
        ClassifierName::Resnet18,
        ClassifierName::Vgg11Bn,
        ClassifierName::Densenet121,
    ] {
        let mut config = ModelConfig::new(name, 3, 8, 4);
        match name {
            ClassifierName::Vgg11Bn => config = ModelConfig::new(name, 3, 32, 4),
            ClassifierName::Densenet121 => {}
            _ => config = config.with_width(4),
        }
        let model = config.init(1, &device).unwrap();
        let shape = [4, 3, config.image_size, config.image_size];
        let images = reference::images(1, shape.iter().product());
        let images = Tensor::<4>::from_data(TensorData::new(images, shape), &device);
        let targets = Tensor::<1, Int>::from_ints([0, 1, 2, 3], &device);
        // Evaluation leaves out what batch norm makes of four images, which amplifies rounding.
        let single = model.valid().forward(images.clone().inner());
        for (format, tolerance) in FORMATS {
            let name = format!("{name} in {format:?}");
            let images = images.clone().cast(format);
            let logits = model.valid().forward(images.clone().inner());
            assert_near(&logits, &single, tolerance, &name);
            let logits = model.forward(images);
            assert_eq!(logits.dtype(), DType::from(format), "{name}");
            check_gradients(&model, cross_entropy(logits, targets.clone(), 0.0), &name);
        }
    }
}

#[test]
fn a_transformer_computes_in_the_format_that_it_is_told() {
    let device = Device::flex().autodiff();
    let config = TransformerConfig::new(10, 0).with_sizes(16, 32, 2);
    let model = config.with_layers(2, 2).init(42, &device).unwrap();
    let source = Tensor::from_ints([[5, 6, 7, 2], [8, 2, 0, 0]], &device);
    let target = TargetBatch {
        input: Tensor::from_ints([[1, 7, 6], [1, 8, 0]], &device),
        output: Tensor::from_ints([[7, 6, 2], [8, 2, 0]], &device),
    };
    let loss =
        |model: &xsam_models::Transformer| model.loss(source.clone(), target.clone(), 0.1, Some(7));
    let single = loss(&model);
    for (format, tolerance) in FORMATS {
        let half = model.clone().with_activations(format);
        let found = loss(&half);
        assert_near(&found.logits, &single.logits, tolerance, "transformer");
        check_gradients(&half, found.loss, "transformer");
        let search = xsam_models::SearchConfig::new(1, 2).with_beam(2);
        let translated = half.search(source.clone(), &search).unwrap();
        assert_eq!(translated.len(), 2);
    }
}
