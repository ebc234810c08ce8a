//! The initial distribution, and that a seed alone decides it.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use xsam_models::state::{self, Kind};
use xsam_models::{ClassifierName, Model, ModelConfig};

use crate::common::bits;

fn resnet(seed: u64) -> Model {
    ModelConfig::new(ClassifierName::Resnet18, 3, 32, 10)
        .with_width(16)
        .init(seed, &Device::flex())
        .unwrap()
}

/// How far a statistic may be from its expectation, in its standard errors.
const FAR: f64 = 5.0;

/// Mean and variance are those of a distribution around zero of this deviation, whose fourth moment is
/// `kurtosis` times the square of the second.
pub(super) fn moments_agree(name: &str, values: &[f64], deviation: f64, kurtosis: f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    assert!(
        mean.abs() < FAR * deviation / count.sqrt(),
        "{name}: {mean}"
    );
    let square = deviation * deviation;
    let variance = values.iter().map(|v| v * v).sum::<f64>() / count;
    let error = (variance - square).abs();
    assert!(
        error < FAR * square * ((kurtosis - 1.0) / count).sqrt(),
        "{name}: {variance}"
    );
}

/// The values are uniform within `bound` of zero: in extent, mean, variance and by the test of Kolmogorov
/// and Smirnov.
pub(super) fn is_uniform(name: &str, values: &[f64], bound: f64) {
    // Rounding to single precision may reach past the bound by half an ulp.
    let largest = values.iter().fold(0_f64, |m, v| m.max(v.abs()));
    assert!(largest <= bound * (1.0 + 1e-7), "{name}: {largest}");
    moments_agree(name, values, bound / 3_f64.sqrt(), 1.8);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let distances = sorted.iter().enumerate().map(|(i, v)| {
        let expected = (v / bound + 1.0) / 2.0;
        (expected - i as f64 / count).max((i + 1) as f64 / count - expected)
    });
    let distance = distances.fold(0.0, f64::max);
    // Exceeded by chance once in 100 000 times.
    assert!(distance < 2.47 / count.sqrt(), "{name}: {distance}");
}

#[test]
fn weights_are_uniform_within_the_bound_of_their_fan_in() {
    for name in [
        ClassifierName::Mlp,
        ClassifierName::Cnn,
        ClassifierName::Resnet18,
        ClassifierName::Vgg11Bn,
        ClassifierName::Densenet121,
    ] {
        let config = ModelConfig::new(name, 3, 32, 10);
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
                    is_uniform(&entry.name, &values, bound);
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
    let tracked = ModelConfig::new(ClassifierName::Resnet18, 3, 32, 10)
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
    let model = ModelConfig::new(ClassifierName::Mlp, 1, 8, 10)
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

#[test]
fn models_of_patches_and_wide_nets_start_as_their_authors_say() {
    let values = |name: ClassifierName| {
        let model = ModelConfig::new(name, 3, 32, 10).init(5, &Device::flex());
        state::values(&model.unwrap())
    };
    for (entry, values) in values(ClassifierName::Vit) {
        let zeros = values.iter().all(|&v| v == 0.0);
        match (&*entry.name, entry.kind) {
            ("patch_embed.proj.weight" | "patch_embed.proj.bias", _) => {
                is_uniform(&entry.name, &values, 1.0 / 48_f64.sqrt());
            }
            ("cls_token", _) => moments_agree(&entry.name, &values, 1e-6, 3.0),
            (name, Kind::Weight) => moments_agree(name, &values, 0.02, 3.0),
            (name, Kind::NormWeight) => assert!(values.iter().all(|&v| v == 1.0), "{name}"),
            (name, _) => assert!(zeros, "{name}"),
        }
    }
    for (entry, values) in values(ClassifierName::Mixer) {
        let zeros = values.iter().all(|&v| v == 0.0);
        match (&*entry.name, entry.kind) {
            ("head.weight" | "head.bias" | "stem.proj.bias", _) => assert!(zeros),
            ("stem.proj.weight", _) => {
                let deviation = 1.0 / 48_f64.sqrt();
                // Of a normal distribution cut off at 2 the fourth moment is 2.062 times the squared second.
                moments_agree("stem", &values, deviation, 2.062);
                let largest = values.iter().fold(0_f64, |m, v| m.max(v.abs()));
                assert!(largest <= 2.0 * deviation / 0.8796, "{largest}");
            }
            (name, Kind::Weight) => {
                let all = (entry.shape[0] + entry.shape[1]) as f64;
                is_uniform(name, &values, (6.0 / all).sqrt());
            }
            (name, Kind::Bias) => moments_agree(name, &values, 1e-6, 3.0),
            (name, Kind::NormWeight) => assert!(values.iter().all(|&v| v == 1.0), "{name}"),
            (name, _) => assert!(zeros, "{name}"),
        }
    }
    let width = ModelConfig::new(ClassifierName::WideResnet, 3, 32, 10).with_width(2);
    for (entry, values) in state::values(&width.init(5, &Device::flex()).unwrap()) {
        match (entry.kind, &entry.shape[..]) {
            (Kind::Weight, &[outputs, _, height, width]) => {
                let deviation = (2.0 / (outputs * height * width) as f64).sqrt();
                moments_agree(&entry.name, &values, deviation, 3.0);
            }
            (Kind::Bias, _) => assert!(values.iter().all(|&v| v == 0.0)),
            _ => {}
        }
    }
}
