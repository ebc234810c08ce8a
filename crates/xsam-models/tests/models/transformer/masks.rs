//! Padding and the future have no say.

use burn::tensor::{FloatDType, Int, Tensor};
use xsam_models::{SharedEmbeddings, TargetBatch, Transformer, TransformerConfig, state};

use super::{PADDING, Pairs, VOCABULARY, but, difference, filled, gradients, small, values};

/// What the results of two shapes of one sum may differ by: their additions are grouped otherwise.
const ROUNDING: f64 = 1e-5;

fn pairs() -> Pairs {
    Pairs::new(3, &[(7, 5), (2, 9), (1, 1), (12, 3)])
}

/// Three tables: what stands for padding is only that.
fn apart() -> TransformerConfig {
    but(|config| config.shared_embeddings = SharedEmbeddings::None)
}

/// The logits of the tokens that are no padding, sentence by sentence.
fn logits(model: &Transformer, pairs: &Pairs, more: usize) -> Vec<f64> {
    let logits = model.forward(pairs.source(more), pairs.target(more).input);
    let lengths = pairs.target_lengths().into_iter().enumerate();
    lengths
        .flat_map(|(i, length)| {
            let sentence: Tensor<3> = logits.clone().slice([i..i + 1, 0..length]);
            values(&sentence)
        })
        .collect()
}

/// The model with something else where the padding's embedding is.
fn with_other_padding(model: Transformer) -> Transformer {
    let known = state::values(&model);
    state::with_values(model, |position, entry| {
        let mut values = known[position].1.clone();
        if entry.name.contains("embed_tokens") {
            let [rows, columns] = [entry.shape[0], entry.shape[1]];
            assert_eq!(rows, VOCABULARY);
            let row = &mut values[PADDING * columns..][..columns];
            for (i, value) in row.iter_mut().enumerate() {
                *value += 10.0 + i as f64;
            }
        }
        values
    })
    .unwrap()
}

#[test]
fn more_padding_changes_no_logits() {
    for dtype in [FloatDType::F32, FloatDType::F64] {
        let model = filled(&small(), 1, dtype);
        let expected = logits(&model, &pairs(), 0);
        assert!(difference(&logits(&model, &pairs(), 6), &expected) < ROUNDING);
    }
}

#[test]
fn a_sentence_has_the_logits_that_it_has_alone() {
    let model = filled(&small(), 1, FloatDType::F32);
    let alone: Vec<f64> = (0..4)
        .flat_map(|i| logits(&model, &pairs().only(i), 0))
        .collect();
    assert!(difference(&alone, &logits(&model, &pairs(), 0)) < ROUNDING);
}

#[test]
fn the_embedding_of_padding_changes_no_logits() {
    let model = filled(&apart(), 2, FloatDType::F32);
    let expected = logits(&model, &pairs(), 2);
    let changed = with_other_padding(model);
    assert!(difference(&logits(&changed, &pairs(), 2), &expected) < ROUNDING);
}

#[test]
fn padding_changes_neither_the_loss_nor_its_gradients() {
    for config in [small(), apart()] {
        let model = filled(&config, 4, FloatDType::F32);
        let result = |more| model.loss(pairs().source(more), pairs().target(more), 0.1, None);
        let (tight, wide) = (result(0), result(5));
        let lengths = pairs().target_lengths();
        assert_eq!(tight.tokens(), lengths.iter().sum::<usize>());
        assert!(difference(&values(&tight.loss), &values(&wide.loss)) < ROUNDING);
        assert!(difference(&values(&tight.logits), &values(&wide.logits)) < ROUNDING);
        let (tight, wide) = (gradients(&model, tight.loss), gradients(&model, wide.loss));
        for ((name, a), (_, b)) in tight.iter().zip(&wide) {
            let (a, b) = (a.as_ref().unwrap(), b.as_ref().unwrap());
            assert!(difference(a, b) < ROUNDING, "{name}");
            let table = name.contains("embed_tokens");
            if table && (config == apart() || name.starts_with("encoder")) {
                let columns = config.dim;
                assert!(a[PADDING * columns..][..columns].iter().all(|&g| g == 0.0));
            }
        }
    }
}

#[test]
fn the_loss_is_the_mean_over_the_sentences_tokens() {
    let model = filled(&small(), 5, FloatDType::F64);
    let all = model.loss(pairs().source(0), pairs().target(0), 0.1, None);
    let (mut total, mut tokens) = (0.0, 0);
    for i in 0..4 {
        let pair = pairs().only(i);
        let alone = model.loss(pair.source(0), pair.target(0), 0.1, None);
        total += values(&alone.loss)[0] * alone.tokens() as f64;
        tokens += alone.tokens();
    }
    assert_eq!(all.tokens(), tokens);
    assert!((values(&all.loss)[0] - total / tokens as f64).abs() < 1e-12);
}

#[test]
fn later_tokens_have_no_say_and_earlier_ones_have() {
    for dtype in [FloatDType::F32, FloatDType::F64] {
        let model = filled(&small(), 6, dtype);
        let pairs = Pairs::new(7, &[(5, 8), (3, 8)]);
        let input = pairs.target(0).input;
        let expected = model.forward(pairs.source(0), input.clone());
        let part = |logits: &Tensor<3>, range: std::ops::Range<usize>| {
            values(&logits.clone().slice([0..2, range]))
        };
        for changed in 1..9 {
            let next = input.clone().slice([0..2, changed..changed + 1]);
            // Another word, and never one of the special ids.
            let other = (next - 3 + 1) % (VOCABULARY as i64 - 3) + 3;
            let other = input
                .clone()
                .slice_assign([0..2, changed..changed + 1], other);
            let logits = model.forward(pairs.source(0), other);
            let before = difference(&part(&logits, 0..changed), &part(&expected, 0..changed));
            assert!(before < ROUNDING, "{changed}: {before}");
            for place in changed..9 {
                let own = place..place + 1;
                let after = difference(&part(&logits, own.clone()), &part(&expected, own));
                assert!(after > 1e-3, "{changed}, {place}: {after}");
            }
        }
    }
}

#[test]
fn every_token_of_the_source_has_a_say() {
    let model = filled(&small(), 6, FloatDType::F64);
    let pairs = Pairs::new(7, &[(5, 4)]);
    let (source, input) = (pairs.source(2), pairs.target(0).input);
    let expected = values(&model.forward(source.clone(), input.clone()));
    for changed in 0..6 {
        let own = [0..1, changed..changed + 1];
        let next = source.clone().slice(own.clone());
        let other = (next + 1) % (VOCABULARY as i64 - 3) + 3;
        let other = source.clone().slice_assign(own, other);
        let logits = values(&model.forward(other, input.clone()));
        assert!(difference(&logits, &expected) > 1e-3, "{changed}");
    }
}

#[test]
fn rows_of_nothing_but_padding_are_harmless() {
    let model = filled(&small(), 8, FloatDType::F32);
    let (source, target) = (pairs().source(0), pairs().target(0));
    let empty = |ids: Tensor<2, Int>| {
        let row = ids.clone().narrow(0, 0, 1).zeros_like();
        Tensor::cat(vec![ids, row], 0)
    };
    let expected = model.loss(source.clone(), target.clone(), 0.1, None);
    let target = TargetBatch {
        input: empty(target.input),
        output: empty(target.output),
    };
    let result = model.loss(empty(source), target, 0.1, None);
    assert!(difference(&values(&result.loss), &values(&expected.loss)) < ROUNDING);
    for (name, gradient) in gradients(&model, result.loss) {
        assert!(gradient.unwrap().iter().all(|g| g.is_finite()), "{name}");
    }
}
