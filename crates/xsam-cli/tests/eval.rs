//! `xsam eval`: how well a trained model does.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{SHORT, assert_fails, lines, text, xsam};
use serde_json::Value;

fn summary(run: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap()
}

#[test]
fn scores_are_those_of_the_run() {
    let here = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| xsam(here.path(), arguments);
    let trained = run(&[&["train", "--out", "a", "--quiet"], &SHORT[..]].concat());
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    let files = || fs::read_dir(here.path()).unwrap().count();
    let before = files();

    let output = run(&["eval", "a", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found = &lines(&output)[0];
    let last = &summary(&here.path().join("a"))["last"];
    for part in ["validation", "test"] {
        let (scores, accuracy) = (&found["scores"][part], &last[format!("{part}_accuracy")]);
        assert_eq!(&scores["accuracy"], accuracy, "{found}");
        assert_eq!(scores["loss"], last[format!("{part}_loss")], "{found}");
        assert_eq!(scores["bleu"], Value::Null);
    }
    assert_eq!(
        (&found["model"], &found["epochs"]),
        (&"cnn".into(), &2.into())
    );
    assert_eq!(found["precision"], "f32");
    assert!(
        found["checkpoint"]
            .as_str()
            .unwrap()
            .ends_with("epoch-00002")
    );
    assert!(found["data"].as_str().unwrap().len() > 8, "{found}");
    assert_eq!(found.get("warnings"), None);

    let people = text(&run(&["eval", "a"]).stdout);
    assert!(
        people.contains("epoch-00002: cnn after 2 epochs"),
        "{people}"
    );
    for words in ["validation", "test", "loss", "accuracy"] {
        assert!(people.contains(words), "{people}");
    }
    let first = run(&[
        "eval",
        "a/checkpoint/epoch-00001",
        "--json",
        "--device",
        "cpu",
    ]);
    assert_eq!(lines(&first)[0]["epochs"], 1);

    let export = run(&["export", "a", "--out", "model.pt"]);
    assert!(export.status.success(), "{}", text(&export.stderr));
    let of_file = run(&["eval", "model.pt", "--spec", "a/spec.toml", "--json"]);
    let of_file = &lines(&of_file)[0];
    assert_eq!(of_file["scores"], found["scores"]);
    assert_eq!(
        (&of_file["data"], &of_file["epochs"]),
        (&found["data"], &0.into())
    );
    // Nothing but the weights.
    assert_eq!(files(), before + 1);

    for (arguments, code, message) in [
        (&["eval", "model.pt"][..], 2, "say of which model they are"),
        (
            &["eval", "model.pt", "--set", "model.name=mlp"],
            1,
            "missing: fc1.weight",
        ),
        (
            &["eval", "a", "--preset", "digits-noise"],
            2,
            "a run has a spec of its own",
        ),
        (&["eval", "nowhere"], 1, "nowhere"),
        (&["eval", "."], 2, ". is not a run"),
        (
            &["eval", "a", "--device", "cudda"],
            2,
            "there is no device `cudda`; did you mean `cuda`?",
        ),
        (&["eval"], 2, "<RUN|CHECKPOINT|FILE>"),
    ] {
        assert_fails(&run(arguments), code, message);
    }
}

/// Ten pairs of sentences in each part.
fn sentences(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for part in ["train", "valid", "test"] {
        for (language, words) in [
            ("de", ["ein hund", "eine katze"]),
            ("en", ["a dog", "a cat"]),
        ] {
            let lines = words.map(|words| format!("{words} {part}\n")).concat();
            fs::write(folder.join(format!("{part}.{language}")), lines.repeat(5)).unwrap();
        }
    }
}

#[test]
fn a_translator_has_its_bleu_after_any_epoch_and_other_data_are_told() {
    let here = tempfile::tempdir().unwrap();
    sentences(&here.path().join("text"));
    let run = |arguments: &[&str]| xsam(here.path(), arguments);
    let settings = [
        "data.name=parallel-text",
        "data.dir=text",
        "data.source=de",
        "data.target=en",
        "model.name=transformer",
        "model.width=16",
        "model.layers=1",
        "train.epochs=2",
        "optimizer.name=adam",
        "optimizer.lr=0.001",
    ];
    let settings: Vec<&str> = settings.iter().flat_map(|s| ["--set", s]).collect();
    let train = run(&[&["train", "--out", "run", "--quiet"], &settings[..]].concat());
    assert!(train.status.success(), "{}", text(&train.stderr));
    let last = &summary(&here.path().join("run"))["last"];

    let found = lines(&run(&["eval", "run", "--json"]));
    assert_eq!(found[0]["scores"]["test"]["BLEU"], last["test_bleu"]);
    assert_eq!(
        found[0]["scores"]["validation"]["loss"],
        last["validation_loss"]
    );
    // The run has none after its first epoch.
    let first = lines(&run(&["eval", "run/checkpoint/epoch-00001", "--json"]));
    assert!(first[0]["scores"]["test"]["BLEU"].is_number(), "{first:?}");
    assert!(text(&run(&["eval", "run"]).stdout).contains("BLEU"));

    let file = here.path().join("text/test.en");
    let changed = fs::read_to_string(&file)
        .unwrap()
        .replace("a cat", "the cat");
    fs::write(&file, changed).unwrap();
    let refused = run(&["eval", "run"]);
    assert_fails(&refused, 1, "give --changed-data to go on all the same");
    let told = run(&["eval", "run", "--changed-data", "--json"]);
    assert!(told.status.success(), "{}", text(&told.stderr));
    let warning = "measured on other data than it was trained on";
    let warnings = &lines(&told)[0]["warnings"];
    assert!(
        warnings[0].as_str().unwrap().starts_with(warning),
        "{warnings}"
    );
    assert!(text(&told.stderr).contains(warning));
}
