//! The initial distribution, and that a seed alone decides it.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use xsam_models::state::{self, Kind};
use xsam_models::{Model, ModelConfig, ModelName};

fn resnet(seed: u64) -> Model {
    ModelConfig::new(ModelName::Resnet18, 3, 32, 10)
        .with_width(16)
        .init(seed, &Device::flex())
        .unwrap()
}

fn bits(model: &Model) -> Vec<Vec<u64>> {
    let tensors = state::values(model).into_iter();
    tensors
        .map(|(_, values)| values.iter().map(|v| v.to_bits()).collect())
        .collect()
}

#[test]
fn weights_are_uniform_within_the_bound_of_their_fan_in() {
    for name in [
        ModelName::Mlp,
        ModelName::Cnn,
        ModelName::Resnet18,
        ModelName::Densenet121,
    ] {
        let config = ModelConfig::new(name, 3, 8, 10);
        let model = config.init(5, &Device::flex()).unwrap();
        let mut bound = 0.0;
        for (entry, values) in state::values(&model) {
            match entry.kind {
                Kind::NormWeight | Kind::RunningVar => assert!(values.iter().all(|&v| v == 1.0)),
                Kind::NormBias | Kind::RunningMean => assert!(values.iter().all(|&v| v == 0.0)),
                Kind::Weight | Kind::Bias => {
                    if entry.kind == Kind::Weight {
                        let fan_in: usize = entry.shape[1..].iter().product();
                        bound = 1.0 / (fan_in as f64).sqrt();
                    }
                    // Rounding to single precision may reach past the bound by half an ulp.
                    let largest = values.iter().fold(0_f64, |m, v| m.max(v.abs()));
                    assert!(largest <= bound * (1.0 + 1e-7), "{}", entry.name);
                    let count = values.len() as f64;
                    let mean = values.iter().sum::<f64>() / count;
                    let variance = values.iter().map(|v| v * v).sum::<f64>() / count;
                    // Of a uniform: variance b^2/3; five standard errors of mean and variance.
                    let spread = bound / 3_f64.sqrt();
                    assert!(mean.abs() < 5.0 * spread / count.sqrt(), "{}", entry.name);
                    let error = (variance - spread * spread).abs();
                    let standard = bound * bound * (4.0 / 45.0 / count).sqrt();
                    assert!(error < 5.0 * standard, "{}", entry.name);
                }
            }
        }
    }
}

#[test]
fn a_seed_decides_every_bit_and_nothing_else_does() {
    let first = bits(&resnet(7));
    // Neither the device's generator nor the thread has a say.
    Device::flex().seed(99);
    let _: Tensor<1> = Tensor::random([10], Distribution::Default, &Device::flex());
    assert_eq!(bits(&resnet(7)), first);
    let elsewhere = std::thread::spawn(|| bits(&resnet(7))).join().unwrap();
    assert_eq!(elsewhere, first);
    let tracked = ModelConfig::new(ModelName::Resnet18, 3, 32, 10)
        .with_width(16)
        .init(7, &Device::flex().autodiff())
        .unwrap();
    assert_eq!(bits(&tracked), first);
}

#[test]
fn other_seeds_give_other_values_in_every_random_tensor() {
    let (first, second) = (resnet(7), resnet(8));
    for ((entry, a), (_, b)) in state::values(&first)
        .into_iter()
        .zip(state::values(&second))
    {
        let random = matches!(entry.kind, Kind::Weight | Kind::Bias);
        assert_eq!(a != b, random, "{}", entry.name);
    }
}

#[test]
fn the_first_values_never_change() {
    let model = ModelConfig::new(ModelName::Mlp, 1, 8, 10)
        .init(42, &Device::flex())
        .unwrap();
    let values: Vec<f32> = state::values(&model)
        .iter()
        .map(|(_, values)| values[0] as f32)
        .collect();
    let pinned = [-0.054_695_46, 0.054_428_89, 0.158_088_79, -0.032_244_142];
    assert_eq!(values, pinned);
}

#[test]
fn a_model_made_without_autodiff_trains_after_train() {
    let model = resnet(1).train();
    for param in model.devices() {
        assert!(param.is_autodiff());
    }
}
