//! Loss, logits and gradients against those of PyTorch's own layers, in double precision.

use burn::tensor::FloatDType;
use serde_json::Value;
use xsam_models::{Activation, NormPlacement, SharedEmbeddings, TargetBatch, TransformerConfig};

use super::{filled, gradients, matrix, values};

/// What `pytorch.py`, which is beside it, has printed.
const CASES: &str = include_str!("pytorch.json");

/// Largest deviation seen: 4.2e-14 and 1.6e-6.
const TOLERANCES: [(FloatDType, f64); 2] = [(FloatDType::F64, 1e-12), (FloatDType::F32, 1e-5)];

#[test]
fn loss_logits_and_gradients_are_pytorchs() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), 3);
    for (dtype, tolerance) in TOLERANCES {
        for case in &cases {
            agrees(case, dtype, tolerance);
        }
    }
}

fn agrees(case: &Value, dtype: FloatDType, tolerance: f64) {
    let seed = case["seed"].as_u64().unwrap();
    let mut config = TransformerConfig::new(13, 0)
        .with_sizes(8, 12, 2)
        .with_layers(2, 2);
    config.norm_placement = match case["norm_first"].as_bool().unwrap() {
        true => NormPlacement::Pre,
        false => NormPlacement::Post,
    };
    config.activation = match case["activation"].as_str().unwrap() {
        "relu" => Activation::Relu,
        "gelu" => Activation::Gelu,
        other => panic!("{other}"),
    };
    config.shared_embeddings = match case["shared"].as_str().unwrap() {
        "none" => SharedEmbeddings::None,
        "target" => SharedEmbeddings::Target,
        "all" => SharedEmbeddings::All,
        other => panic!("{other}"),
    };
    let model = filled(&config, seed, dtype);
    let source = [vec![3, 4, 5, 6, 2], vec![7, 2], vec![8, 9, 10, 2]];
    let input = [vec![1, 11, 12, 3], vec![1, 4], vec![1, 5, 6]];
    let output = [vec![11, 12, 3, 2], vec![4, 2], vec![5, 6, 2]];
    let source = matrix(&source, 5);
    let target = TargetBatch {
        input: matrix(&input, 4),
        output: matrix(&output, 4),
    };
    let close = |name: &str, actual: f64, expected: &Value| {
        let error = (actual - expected.as_f64().unwrap()).abs();
        assert!(error < tolerance, "seed {seed}, {name}: {error}");
    };

    let logits = values(&model.forward(source.clone(), target.input.clone()));
    for (place, expected) in case["logits"].as_object().unwrap() {
        let place: Vec<usize> = place.split(' ').map(|n| n.parse().unwrap()).collect();
        let logit = logits[(place[0] * 4 + place[1]) * 13 + place[2]];
        close(&format!("logit at {place:?}"), logit, expected);
    }
    let result = model.loss(source, target, 0.1, None);
    close("loss", values(&result.loss)[0], &case["loss"]);
    let gradients = gradients(&model, result.loss);
    let square = |name: &str| -> f64 {
        let (_, gradient) = gradients.iter().find(|(known, _)| known == name).unwrap();
        gradient.as_ref().unwrap().iter().map(|g| g * g).sum()
    };
    // The three projections of an attention are one tensor in PyTorch.
    for (names, expected) in case["gradients"].as_object().unwrap() {
        let norm = names.split(' ').map(square).sum::<f64>().sqrt();
        close(names, norm, expected);
    }
}
