//! What sacrebleu and Hugging Face's tokenizers make of the same text; `cases/make_text.py` asked
//! them.

use serde_json::Value;
use xsam_data::text::{Bleu, BleuConfig, BleuTokenization, Smoothing, Tokenizer, bleu};

/// Sums of a few terms in another order than Python's.
const ROUNDING: f64 = 1e-9;

fn strings(value: &Value) -> Vec<&str> {
    let strings = value.as_array().unwrap().iter();
    strings.map(|string| string.as_str().unwrap()).collect()
}

fn numbers<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn scored(case: &Value, config: BleuConfig) -> Bleu {
    let (hypotheses, references) = (&case["hypotheses"], &case["references"]);
    bleu(&strings(hypotheses), &strings(references), &config).unwrap()
}

#[track_caller]
fn assert_near(ours: f64, theirs: f64, what: &str) {
    assert!(
        (ours - theirs).abs() < ROUNDING,
        "{what}: {ours}, not {theirs}"
    );
}

#[test]
fn bleu_is_that_of_the_reference_cases() {
    let file: Value = serde_json::from_str(include_str!("../cases/bleu.json")).unwrap();
    let none = BleuConfig {
        tokenization: BleuTokenization::None,
        ..BleuConfig::default()
    };
    let unsmoothed = BleuConfig {
        smoothing: Smoothing::None,
        ..none
    };
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        for (key, config) in [
            ("bleu_13a", BleuConfig::default()),
            ("bleu_none", none),
            ("bleu_none_unsmoothed", unsmoothed),
        ] {
            let what = format!("{} {key}", case["name"]);
            assert_near(scored(case, config).score, numbers(&case[key]), &what);
        }
    }
}

#[test]
fn bleu_is_that_of_sacrebleu_in_all_its_parts() {
    let file: Value = serde_json::from_str(include_str!("../cases/bleu-more.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        let scores = case["scores"].as_array().unwrap();
        assert_eq!(scores.len(), 8);
        for theirs in scores {
            let options = &theirs["options"];
            let config = BleuConfig {
                tokenization: match options["tokenize"].as_str().unwrap() {
                    "13a" => BleuTokenization::V13a,
                    _ => BleuTokenization::None,
                },
                smoothing: match options["smooth_method"].as_str().unwrap() {
                    "exp" => Smoothing::Exp,
                    _ => Smoothing::None,
                },
                effective_order: options["effective_order"].as_bool().unwrap(),
            };
            let ours = scored(case, config);
            let what = format!("{} {}", case["name"], config.signature());
            assert_near(ours.score, numbers(&theirs["score"]), &what);
            let penalty = numbers(&theirs["brevity_penalty"]);
            assert_near(ours.brevity_penalty, penalty, &what);
            let precisions: [f64; 4] = numbers(&theirs["precisions"]);
            for (ours, theirs) in ours.precisions.into_iter().zip(precisions) {
                assert_near(ours, theirs, &what);
            }
            assert_eq!(
                ours.matches,
                numbers::<[u64; 4]>(&theirs["matches"]),
                "{what}"
            );
            assert_eq!(
                ours.totals,
                numbers::<[u64; 4]>(&theirs["totals"]),
                "{what}"
            );
            let lengths = [ours.hypothesis_length, ours.reference_length];
            let theirs =
                ["hypothesis_length", "reference_length"].map(|key| numbers::<u64>(&theirs[key]));
            assert_eq!(lengths, theirs, "{what}");
        }
    }
}

#[test]
fn a_score_is_printed_with_all_that_explains_it() {
    let (hypothesis, reference) = ("a dog runs across the field", "a dog runs over the field .");
    let score = bleu(&[hypothesis], &[reference], &BleuConfig::default()).unwrap();
    // sacrebleu 2.6.0 prints the same but for the version.
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        score.to_string(),
        format!(
            "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:xsam-{version} = 32.16 \
             83.3/60.0/25.0/16.7 (BP = 0.846 ratio = 0.857 hyp_len = 6 ref_len = 7)"
        )
    );
}

#[test]
fn unequal_numbers_of_sentences_are_refused() {
    let refused = |hypotheses: &[&str], references: &[&str]| {
        let result = bleu(hypotheses, references, &BleuConfig::default());
        result.unwrap_err().to_string()
    };
    let unequal = refused(&["a"], &["a", "b"]);
    assert_eq!(unequal, "1 hypotheses cannot be scored by 2 references");
    assert_eq!(refused(&[], &[]), "BLEU needs at least one sentence");
}

#[test]
fn subwords_are_those_of_hugging_face() {
    let file: Value = serde_json::from_str(include_str!("../cases/bpe.json")).unwrap();
    let text = strings(&file["text"]);
    let all = [text.clone(), strings(&file["unseen"])].concat();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let merges = numbers(&case["merges"]);
        let tokenizer = Tokenizer::train(text.iter().copied(), merges).unwrap();
        let pieces = strings(&case["pieces"]);
        assert_eq!(tokenizer.len(), 4 + pieces.len());
        for (id, piece) in (4..).zip(pieces) {
            assert_eq!(tokenizer.decode(&[id]), piece.trim_end());
        }
        let encoded: Vec<Vec<u32>> = numbers(&case["encoded"]);
        assert_eq!(encoded.len(), all.len());
        for (line, ids) in all.iter().zip(encoded) {
            assert_eq!(tokenizer.encode(line), ids, "{merges} merges, {line}");
            let known = line.replace('!', "<unk>");
            assert_eq!(tokenizer.decode(&ids), known);
        }
    }
}
