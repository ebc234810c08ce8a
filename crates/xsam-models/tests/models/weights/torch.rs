//! Files that PyTorch has made.

use burn::tensor::DType;

use super::*;

/// The logits of the model that is in most files.
pub(super) const PLAIN: [f32; 6] = [
    -0.2742928,
    0.063537955,
    -0.21651535,
    -0.265988,
    0.071304545,
    -0.22346258,
];
/// Those of a model in several number formats.
const VIEWS: [f32; 6] = [
    -0.4035156,
    -0.16494311,
    -0.26200503,
    -0.38395587,
    -0.15572698,
    -0.2730722,
];
/// Single precision, of numbers near 1.
const TOLERANCE: f32 = 1e-6;

pub(super) const FILES: [(&str, [f32; 6]); 6] = [
    ("plain.pt", PLAIN),
    ("legacy.pt", PLAIN),
    ("wrapped.pt", PLAIN),
    ("views.pt", VIEWS),
    ("plain.safetensors", PLAIN),
    ("views.safetensors", VIEWS),
];

/// Asserts that the model has these logits for the images of `make.py`.
pub(super) fn has_logits(model: &Model, wanted: [f32; 6], name: &str) {
    let images = (0..50).map(|i| ((7 * i) % 11 - 5) as f32 / 5.0).collect();
    let logits = logits(model, images, [2, 1, 5, 5]);
    for (logit, wanted) in logits.iter().zip(wanted) {
        assert!((logit - wanted).abs() < TOLERANCE, "{name}: {logits:?}");
    }
}

#[test]
fn the_logits_are_pytorchs() {
    for (name, wanted) in FILES {
        has_logits(&load(&pytorchs(name)).unwrap(), wanted, name);
    }
}

#[test]
fn the_content_says_what_a_file_is_whatever_its_name() {
    for (name, wanted) in FILES {
        let (_folder, path) = file("weights.bin", &fs::read(pytorchs(name)).unwrap());
        has_logits(&load(&path).unwrap(), wanted, name);
    }
}

#[test]
fn counters_and_the_prefix_of_a_wrapper_are_left_out() {
    let weights = read_weights(&pytorchs("wrapped.pt")).unwrap();
    let expected = state::entries(&small(0));
    assert_eq!(weights.tensors().len(), expected.len());
    for entry in expected {
        assert_eq!(weights.tensors()[&entry.name].shape, entry.shape);
    }
}

#[test]
fn short_formats_are_read_without_loss_and_long_ones_kept() {
    let read = |name: &str| read_weights(&pytorchs(name)).unwrap();
    let (views, plain) = (read("views.pt"), read("plain.pt"));
    assert_eq!(views.tensors(), read("views.safetensors").tensors());
    let values = |of: &Weights, name: &str| -> (DType, Vec<f32>) {
        let values = of.tensors()[name].values.clone().unwrap();
        (values.dtype(), values.iter().collect())
    };
    for (name, dtype, bits) in [
        ("conv1.weight", DType::F16, 11),
        ("conv2.weight", DType::BF16, 8),
    ] {
        let ((found, short), (_, full)) = (values(&views, name), values(&plain, name));
        assert_eq!(found, dtype, "{name}");
        for (short, full) in short.iter().zip(full) {
            let error = (short - full).abs();
            assert!(error <= full.abs() * 2_f32.powi(-bits), "{name}: {error}");
        }
    }
    assert_eq!(values(&views, "bn1.weight").0, DType::F64);
    assert_eq!(values(&views, "bn1.bias").1, [3.0 / 16.0, 5.0 / 16.0]);
    assert_eq!(values(&views, "bn2.bias").1, [0.25; 4]);
}
