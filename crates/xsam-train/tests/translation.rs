//! Runs and comparisons of translations.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{rows, train};
use xsam_train::{Comparison, Error, Event, Existing, Run, Spec, Status, StopSignal};

/// Sentences of a made-up language, and the same words in another one and in reverse.
fn write_text(directory: &Path, pairs: usize) {
    fs::create_dir_all(directory).unwrap();
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % bound
    };
    let (mut source, mut target) = (String::new(), String::new());
    for _ in 0..pairs {
        let words: Vec<u64> = (0..4 + below(5)).map(|_| below(40)).collect();
        let line = |words: &mut dyn Iterator<Item = &u64>, first: char| {
            let words: Vec<String> = words.map(|word| format!("{first}{word}")).collect();
            words.join(" ") + "\n"
        };
        source += &line(&mut words.iter(), 'a');
        target += &line(&mut words.iter().rev(), 'b');
    }
    for part in ["train", "valid", "test"] {
        fs::write(directory.join(format!("{part}.aa")), &source).unwrap();
        fs::write(directory.join(format!("{part}.bb")), &target).unwrap();
    }
}

/// A model that trains in seconds.
fn spec(text: &Path, settings: &[&str]) -> Spec {
    let dir = format!("data.dir={}", text.display());
    let small = [
        dir.as_str(),
        "data.name=parallel-text",
        "data.source=aa",
        "data.target=bb",
        "model.name=transformer",
        "model.width=64",
        "model.heads=4",
        "model.layers=1",
        "model.dropout=0.1",
        "translation.merges=200",
        "train.batch_size=20",
        "optimizer.name=adam",
        "optimizer.lr=2e-3",
        "optimizer.weight_decay=0",
        "schedule.name=inverse-sqrt",
        "schedule.warmup_steps=20",
        "train.epochs=3",
    ];
    common::spec(&small, settings)
}

#[test]
fn two_hundred_pairs_are_learned_by_heart() {
    let parent = tempfile::tempdir().unwrap();
    let (text, directory) = (parent.path().join("text"), parent.path().join("run"));
    write_text(&text, 200);
    let spec = spec(
        &text,
        &[
            "method.name=sgd",
            "model.layers=2",
            "model.dropout=0",
            "train.epochs=60",
            "train.label_smoothing=0",
        ],
    );
    let summary = train(&spec, &directory, Existing::Refuse).unwrap();
    let last = summary.last.unwrap();
    let bleu = last.test_bleu.unwrap();
    assert!(bleu > 95.0, "{bleu}");
    let accuracy = last.test_accuracy.unwrap();
    assert!(accuracy > 0.97, "{accuracy}");

    let translations = fs::read_to_string(directory.join("translations.txt")).unwrap();
    let references = fs::read_to_string(text.join("test.bb")).unwrap();
    let equal = translations
        .lines()
        .zip(references.lines())
        .filter(|(a, b)| a == b);
    assert!(equal.count() > 180);
    let score = fs::read_to_string(directory.join("bleu.json")).unwrap();
    let score: serde_json::Value = serde_json::from_str(&score).unwrap();
    assert_eq!(score["bleu"].as_f64().unwrap(), bleu);
    assert!(
        score["signature"].as_str().unwrap().contains("tok:13a"),
        "{score}"
    );
}

#[test]
fn an_interrupted_run_goes_on_as_if_nothing_had_been() {
    let parent = tempfile::tempdir().unwrap();
    let text = parent.path().join("text");
    write_text(&text, 60);
    for method in ["sgd", "sam", "xsam"] {
        let method = format!("method.name={method}");
        let spec = spec(
            &text,
            &[&method, "method.rho=0.05", "translation.bleu_every=2"],
        );
        let whole = parent.path().join(format!("{method}-whole"));
        let parts = parent.path().join(format!("{method}-parts"));
        train(&spec, &whole, Existing::Refuse).unwrap();

        let stop = StopSignal::default();
        let mut steps = 0;
        let run = Run::prepare(spec.clone(), &parts, Existing::Refuse).unwrap();
        let summary = run
            .train(&stop, &mut |event| {
                if let Event::Step { .. } = event {
                    steps += 1;
                    if steps == 5 {
                        stop.stop();
                    }
                }
            })
            .unwrap();
        assert_eq!((summary.status, summary.epochs), (Status::Interrupted, 1));
        let summary = train(&spec, &parts, Existing::Resume).unwrap();
        assert_eq!(summary.status, Status::Finished);

        assert_eq!(rows(&parts), rows(&whole));
        for file in ["tokenizer.json", "translations.txt", "bleu.json"] {
            let read = |run: &Path| fs::read(run.join(file)).unwrap();
            assert!(read(&parts) == read(&whole), "{file}");
        }
        // BLEU after the second epoch and after the last.
        let bleu = |row: &str| !row.split(',').nth(10).unwrap().is_empty();
        let bleus: Vec<bool> = rows(&whole)[1..].iter().map(|row| bleu(row)).collect();
        assert_eq!(bleus, [false, true, true]);
    }
}

#[test]
fn other_text_under_a_run_is_noticed() {
    let parent = tempfile::tempdir().unwrap();
    let (text, directory) = (parent.path().join("text"), parent.path().join("run"));
    write_text(&text, 40);
    let spec = spec(&text, &["train.epochs=1"]);
    train(&spec, &directory, Existing::Refuse).unwrap();
    write_text(&text, 50);
    let error = train(&spec, &directory, Existing::Resume).unwrap_err();
    assert!(matches!(error, Error::OtherData { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("tokenizer.json was made from other"),
        "{error}"
    );
}

#[test]
fn methods_are_compared_by_bleu() {
    let parent = tempfile::tempdir().unwrap();
    let text = parent.path().join("text");
    write_text(&text, 40);
    let spec = spec(
        &text,
        &["train.epochs=1", "method.rho=0.05", "data.subset=30"],
    );
    let settings = ["compare.seeds=[0, 1]".to_owned()];
    let (_, compare) = Spec::parse("[compare]", &settings).unwrap();
    let directory = parent.path().join("comparison");
    let comparison =
        Comparison::prepare(&spec, &compare.unwrap(), &directory, Existing::Refuse).unwrap();
    let summary = comparison.run(&StopSignal::default(), &mut |_| {}).unwrap();
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(summary.methods.len(), 3);
    for method in summary.methods {
        assert_eq!(method.runs, 2);
        assert!(method.test_bleu.is_some() && method.validation_bleu.is_some());
    }
    let many = self::spec(&text, &["data.subset=41"]);
    let error = train(&many, &directory.join("many"), Existing::Refuse).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`data.subset`: 41 must be from 1 to 40"),
        "{error}"
    );
}
