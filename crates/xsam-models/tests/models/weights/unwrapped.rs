//! What scripts and wrappers put around a state dict is taken off, and told.

use xsam_models::Unwrapped;

use super::strict::{Tensors, tensors, written};
use super::torch::{PLAIN, has_logits};
use super::*;

fn key(key: &str) -> Unwrapped {
    Unwrapped::Key(key.to_owned())
}

fn prefix(prefix: &str) -> Unwrapped {
    Unwrapped::Prefix(prefix.to_owned())
}

#[test]
fn state_dicts_under_a_key_with_a_prefix_and_of_averages_are_taken() {
    let files = [
        ("plain.pt", Vec::new()),
        ("net.pt", vec![key("net"), prefix("module.")]),
        // Its `model` is a dictionary without tensors.
        ("weights.pt", vec![key("weights")]),
        ("lightning.ckpt", vec![key("state_dict"), prefix("model.")]),
        ("averaged.pt", vec![Unwrapped::Averaged, prefix("module.")]),
    ];
    for (name, unwrapped) in files {
        let weights = read_weights(&pytorchs(name)).unwrap();
        assert_eq!(weights.unwrapped(&small(0)), unwrapped, "{name}");
        has_logits(&load_weights(small(0), &weights).unwrap(), PLAIN, name);
    }
}

#[test]
fn what_was_taken_off_is_a_sentence() {
    let sentences = [
        (key("net"), "the weights are those under the key `net`"),
        (
            prefix("model."),
            "the prefix `model.` is taken off all names",
        ),
        (
            Unwrapped::Averaged,
            "the weights are an average, `n_averaged` is left out",
        ),
    ];
    for (unwrapped, sentence) in sentences {
        assert_eq!(unwrapped.to_string(), sentence);
    }
}

fn renamed(rename: impl Fn(&str) -> String) -> Tensors {
    let tensors = tensors().into_iter();
    tensors
        .map(|(name, tensor)| (rename(&name), tensor))
        .collect()
}

#[test]
fn any_prefix_is_taken_off_that_keeps_the_names_from_being_the_models() {
    let (_folder, path) = written(&renamed(|name| format!("ema.student.{name}")));
    let weights = read_weights(&path).unwrap();
    assert_eq!(weights.unwrapped(&small(0)), [prefix("ema.student.")]);
    let model = load_weights(small(0), &weights).unwrap();
    assert_eq!(values(&model), values(&small(9)));

    // What is amiss then is told by the model's names.
    let mut some = renamed(|name| format!("model.{name}"));
    some.remove("model.fc.bias");
    some.insert(
        "model.fc.scale".into(),
        (safetensors::Dtype::F32, vec![1], vec![0; 4]),
    );
    let (_folder, path) = written(&some);
    let error = load(&path).unwrap_err().to_string();
    let list = "\n  missing: fc.bias [3]\n  surplus: fc.scale [1]";
    assert!(error.ends_with(list), "{error}");
}

#[test]
fn a_count_beside_other_names_than_those_of_an_average_is_surplus() {
    let mut tensors = tensors();
    let count = (safetensors::Dtype::I64, vec![], vec![0; 8]);
    tensors.insert("n_averaged".into(), count);
    let (_folder, path) = written(&tensors);
    let error = load(&path).unwrap_err().to_string();
    assert!(error.ends_with("\n  surplus: n_averaged []"), "{error}");
}
