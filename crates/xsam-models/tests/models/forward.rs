//! Logits against an independent implementation in float64, with formula-given weights.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde_json::Value;
use xsam_models::{ImageClassifier, ModelConfig};

use crate::splitmix;

/// Single precision strays this far relative to the largest logit, a reference's own measured
/// deviation permitting.
const RELATIVE_TOLERANCE: f64 = 1e-4;

fn rows(value: &Value) -> Vec<f64> {
    let rows = value.as_array().unwrap().iter();
    rows.flat_map(|row| row.as_array().unwrap())
        .map(|logit| logit.as_f64().unwrap())
        .collect()
}

/// Largest deviation relative to the largest expected logit.
fn deviation(actual: Tensor<2>, expected: &[f64]) -> f64 {
    let actual: Vec<f64> = actual.into_data().iter::<f64>().collect();
    assert_eq!(actual.len(), expected.len());
    let largest = expected.iter().fold(0_f64, |m, e| m.max(e.abs()));
    let error = actual
        .iter()
        .zip(expected)
        .map(|(a, e)| (a - e).abs())
        .inspect(|e| assert!(e.is_finite()))
        .fold(0_f64, f64::max);
    error / largest
}

fn check(case: &str) {
    let case: Value = serde_json::from_str(case).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    let name = case["model"]["name"].as_str().unwrap();
    let size = number(&case["image_size"]) as usize;
    let batch = number(&case["batch_size"]) as usize;
    let classes = number(&case["model"]["classes"]) as usize;
    let seed = number(&case["seed"]);
    let mut config = ModelConfig::new(name.parse().unwrap(), 3, size, classes);
    config.width = case["model"]["width"].as_u64().map(|w| w as usize);
    let tolerance = RELATIVE_TOLERANCE.max(10.0 * case["float32_deviation"].as_f64().unwrap());

    let device = Device::flex();
    let model = splitmix::fill(config.init(0, &device).unwrap(), seed);
    let shape = [batch, 3, size, size];
    let images = splitmix::images(seed, shape, &device);
    let eval = deviation(
        model.forward(images),
        &rows(&case["expected"]["logits_eval"]),
    );
    println!("{name} eval: {eval:.2e}");
    assert!(eval <= tolerance, "{name} eval deviates by {eval:e}");

    // Absent where dropout makes the pass random.
    if let Some(expected) = case["expected"].get("logits_train") {
        let device = device.autodiff();
        let images = splitmix::images(seed, shape, &device);
        let logits = model.train().no_grad().forward(images);
        let train = deviation(logits.without_autodiff(), &rows(expected));
        println!("{name} train: {train:.2e}");
        assert!(train <= tolerance, "{name} train deviates by {train:e}");
    }
}

#[test]
fn resnet18() {
    check(include_str!("reference/forward-resnet18.json"));
}

#[test]
fn vgg11_bn() {
    check(include_str!("reference/forward-vgg11_bn.json"));
}

#[test]
fn densenet121() {
    check(include_str!("reference/forward-densenet121.json"));
}
