//! The initial distribution, and that a seed alone decides it.

use burn::tensor::Device;
use xsam_models::state::{self, Entry};
use xsam_models::{SharedEmbeddings, Transformer, TransformerConfig};

use super::PADDING;
use crate::common::bits;
use crate::initial::{is_uniform, moments_agree};

fn model(seed: u64, device: &Device) -> Transformer {
    let mut config = TransformerConfig::new(300, PADDING);
    config.shared_embeddings = SharedEmbeddings::None;
    let config = config.with_sizes(48, 80, 4).with_layers(1, 2);
    config.init(seed, device).unwrap()
}

/// The tensor without the padding's row, which is checked to be zero.
fn without_padding(entry: &Entry, mut values: Vec<f64>) -> Vec<f64> {
    let row = PADDING * entry.shape[1]..(PADDING + 1) * entry.shape[1];
    assert!(values.drain(row).all(|value| value == 0.0));
    values
}

/// The share of a normal distribution within one and within two deviations.
const WITHIN: [(f64, f64); 2] = [(1.0, 0.682_689_49), (2.0, 0.954_499_74)];

#[test]
fn weights_are_uniform_embeddings_normal_and_the_rest_neutral() {
    for (entry, values) in state::values(&model(3, &Device::flex())) {
        let name = &entry.name;
        if name.contains("norm") {
            let expected = if name.ends_with("weight") { 1.0 } else { 0.0 };
            assert!(values.iter().all(|&value| value == expected), "{name}");
        } else if name.ends_with("bias") {
            assert!(values.iter().all(|&value| value == 0.0), "{name}");
        } else if name.contains("embed_tokens") || name.contains("output_projection") {
            let values = match name.contains("embed_tokens") {
                true => without_padding(&entry, values),
                false => values,
            };
            let deviation = 1.0 / 48_f64.sqrt();
            // The fourth moment of a normal distribution is three times the square of the second.
            moments_agree(name, &values, deviation, 3.0);
            let count = values.len() as f64;
            for (reach, share) in WITHIN {
                let inside = values
                    .iter()
                    .filter(|v| v.abs() < reach * deviation)
                    .count();
                let error = (inside as f64 / count - share).abs();
                assert!(
                    error < 5.0 * (share * (1.0 - share) / count).sqrt(),
                    "{name}"
                );
            }
        } else {
            let [outputs, inputs] = [entry.shape[0] as f64, entry.shape[1] as f64];
            let joined = ["k_proj", "v_proj", "q_proj"]
                .iter()
                .any(|p| name.contains(p));
            // Three square layers as one of three times the outputs.
            let outputs = if joined { 3.0 * inputs } else { outputs };
            is_uniform(name, &values, (6.0 / (inputs + outputs)).sqrt());
        }
    }
}

#[test]
fn a_seed_decides_every_bit_and_nothing_else_does() {
    let first = bits(&model(7, &Device::flex()));
    Device::flex().seed(99);
    let elsewhere = std::thread::spawn(move || bits(&model(7, &Device::flex().autodiff())));
    assert_eq!(elsewhere.join().unwrap(), first);
    assert_ne!(bits(&model(8, &Device::flex())), first);
}
