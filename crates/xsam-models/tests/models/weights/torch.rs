//! Files that PyTorch has made, see `tests/torch/make.py` of `xsam-weights`.

use super::*;

pub(super) const PLAIN: [f32; 6] = [
    -0.2742928,
    0.063537955,
    -0.21651535,
    -0.265988,
    0.071304545,
    -0.22346258,
];
const VIEWS: [f32; 6] = [
    -0.4035156,
    -0.16494311,
    -0.26200503,
    -0.38395587,
    -0.15572698,
    -0.2730722,
];
/// Single precision, of numbers near 1.
pub(super) const TOLERANCE: f32 = 1e-6;

pub(super) const FILES: [(&str, &[u8], [f32; 6]); 6] = [
    (
        "plain.pt",
        include_bytes!("../../../../xsam-weights/tests/torch/plain.pt"),
        PLAIN,
    ),
    (
        "legacy.pt",
        include_bytes!("../../../../xsam-weights/tests/torch/legacy.pt"),
        PLAIN,
    ),
    (
        "wrapped.pt",
        include_bytes!("../../../../xsam-weights/tests/torch/wrapped.pt"),
        PLAIN,
    ),
    (
        "views.pt",
        include_bytes!("../../../../xsam-weights/tests/torch/views.pt"),
        VIEWS,
    ),
    (
        "plain.safetensors",
        include_bytes!("../../../../xsam-weights/tests/torch/plain.safetensors"),
        PLAIN,
    ),
    (
        "views.safetensors",
        include_bytes!("../../../../xsam-weights/tests/torch/views.safetensors"),
        VIEWS,
    ),
];

pub(super) fn images() -> Vec<f32> {
    (0..50).map(|i| ((7 * i) % 11 - 5) as f32 / 5.0).collect()
}

#[test]
fn the_logits_are_pytorchs() {
    for (name, content, wanted) in FILES {
        let (_folder, path) = file(name, content);
        let model = load(&path).unwrap();
        let logits = logits(&model, images(), [2, 1, 5, 5]);
        for (logit, wanted) in logits.iter().zip(wanted) {
            assert!((logit - wanted).abs() < TOLERANCE, "{name}: {logits:?}");
        }
    }
}

#[test]
fn the_content_says_what_a_file_is_whatever_its_name() {
    for (_, content, _) in FILES {
        let (_folder, path) = file("weights.bin", content);
        load(&path).unwrap();
    }
}

#[test]
fn counters_and_the_prefix_of_a_wrapper_are_left_out() {
    let (_folder, path) = file(FILES[2].0, FILES[2].1);
    let weights = read_weights(&path).unwrap();
    let expected = state::entries(&small(0));
    assert_eq!(weights.tensors().len(), expected.len());
    for entry in expected {
        assert_eq!(weights.tensors()[&entry.name].shape, entry.shape);
    }
    assert_eq!(weights.path(), path);
}

#[test]
fn short_formats_are_read_without_loss_and_long_ones_kept() {
    let read = |index: usize| {
        let (_folder, path) = file(FILES[index].0, FILES[index].1);
        read_weights(&path).unwrap()
    };
    let (views, plain) = (read(3), read(0));
    assert_eq!(views.tensors(), read(5).tensors());
    let exact = |name: &str| match &views.tensors()[name].values {
        Values::F32(values) => values.clone(),
        other => panic!("{other:?}"),
    };
    let near = |name: &str, bits: i32| {
        let Values::F32(full) = &plain.tensors()[name].values else {
            panic!()
        };
        for (short, full) in exact(name).iter().zip(full) {
            assert!(
                (short - full).abs() <= full.abs() * 2_f32.powi(-bits),
                "{name}"
            );
        }
    };
    near("conv1.weight", 11);
    near("conv2.weight", 8);
    assert!(matches!(
        views.tensors()["bn1.weight"].values,
        Values::F64(_)
    ));
    assert_eq!(exact("bn1.bias"), [3.0 / 16.0, 5.0 / 16.0]);
    assert_eq!(exact("bn2.bias"), [0.25; 4]);
}
