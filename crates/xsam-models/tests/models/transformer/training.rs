//! Gradients, dropout and accuracy.

use burn::tensor::FloatDType;
use xsam_models::{Activation, NormPlacement, SharedEmbeddings, Transformer};

use super::{Pairs, but, difference, filled, gradients, small, values};

fn loss(model: &Transformer, seed: Option<u64>) -> f64 {
    let pairs = Pairs::new(1, &[(4, 6), (9, 2)]);
    values(&model.loss(pairs.source(0), pairs.target(0), 0.1, seed).loss)[0]
}

#[test]
fn every_parameter_gets_a_gradient() {
    let pairs = Pairs::new(2, &[(3, 4), (6, 2), (1, 1)]);
    for shared in [
        SharedEmbeddings::None,
        SharedEmbeddings::Target,
        SharedEmbeddings::All,
    ] {
        for placement in [NormPlacement::Pre, NormPlacement::Post] {
            let config = but(|config| {
                config.shared_embeddings = shared;
                config.norm_placement = placement;
                config.activation = Activation::Gelu;
            });
            let model = filled(&config, 3, FloatDType::F32);
            let result = model.loss(pairs.source(0), pairs.target(0), 0.1, Some(1));
            for (name, gradient) in gradients(&model, result.loss) {
                let gradient = gradient.unwrap_or_else(|| panic!("{name} has none"));
                assert!(gradient.iter().all(|g| g.is_finite()), "{name}");
                // Adding the same to all scores of a query changes no probability.
                let of_keys = name.ends_with("k_proj.bias");
                let largest = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
                assert!(of_keys || largest > 1e-4, "{name}: {largest}");
            }
        }
    }
}

#[test]
fn a_seed_decides_what_is_dropped() {
    for dtype in [FloatDType::F32, FloatDType::F64] {
        let model = filled(&small(), 4, dtype);
        assert_eq!(loss(&model, Some(1)), loss(&model, Some(1)));
        assert_ne!(loss(&model, Some(1)), loss(&model, Some(2)));
        assert_ne!(loss(&model, Some(1)), loss(&model, None));
        assert_eq!(loss(&model, None), loss(&model, None));
        let whole = filled(&but(|config| config.dropout = 0.0), 4, dtype);
        assert_eq!(loss(&whole, Some(1)), loss(&model, None));
    }
}

#[test]
fn both_precisions_agree() {
    let pairs = Pairs::new(5, &[(4, 6), (9, 2), (2, 3)]);
    let [single, double] = [FloatDType::F32, FloatDType::F64].map(|dtype| {
        let model = filled(&small(), 6, dtype);
        let result = model.loss(pairs.source(1), pairs.target(1), 0.1, Some(9));
        let all = gradients(&model, result.loss.clone()).into_iter();
        let all: Vec<f64> = all.flat_map(|(_, gradient)| gradient.unwrap()).collect();
        (values(&result.loss)[0], all)
    });
    assert!((single.0 - double.0).abs() < 1e-5);
    assert!(difference(&single.1, &double.1) < 1e-5);
}

#[test]
fn the_tokens_that_are_right_are_counted() {
    let pairs = Pairs::new(7, &[(4, 60), (9, 20)]);
    let model = filled(&small(), 8, FloatDType::F32);
    let result = model.loss(pairs.source(0), pairs.target(3), 0.1, None);
    assert_eq!(result.tokens(), 61 + 21);
    let logits = values(&result.logits);
    let rows = logits
        .chunks(20)
        .map(|row| (0..20).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as i64);
    let targets: Vec<i64> = result.targets.to_data().iter::<i64>().collect();
    let expected = rows.zip(&targets).filter(|(a, b)| a == *b).count() as i64;
    assert!(expected > 0);
    assert_eq!(result.correct().into_scalar::<i64>(), expected);
}
