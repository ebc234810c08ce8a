//! `xsam eval`: how well a trained model does.

use std::fs;

use crate::common::{
    SHORT, assert_contains, fails, json, lines, read, succeeds, text, translation,
};
use serde_json::Value;

#[test]
fn scores_are_those_of_the_run() {
    let here = tempfile::tempdir().unwrap();
    let run = |line: &str| succeeds(&here, line);
    run(&format!("train --out a --quiet {SHORT}"));
    let files = || fs::read_dir(here.path()).unwrap().count();
    let before = files();

    let found = &lines(&run("eval a --json"))[0];
    let last = &json(here.path().join("a/run.json"))["last"];
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
    let checkpoint = found["checkpoint"].as_str().unwrap();
    assert!(checkpoint.ends_with("epoch-00002"));
    assert!(found["data"].as_str().unwrap().len() > 8, "{found}");
    assert_eq!(found.get("warnings"), None);

    let people = text(&run("eval a").stdout);
    let words = ["epoch-00002: cnn after 2 epochs", "validation", "test"];
    assert_contains(&people, &words);
    assert_contains(&people, &["loss", "accuracy"]);
    let first = run("eval a/checkpoint/epoch-00001 --json --device cpu");
    assert_eq!(lines(&first)[0]["epochs"], 1);

    run("export a --out model.pt");
    let of_file = &lines(&run("eval model.pt --spec a/spec.toml --json"))[0];
    assert_eq!(of_file["scores"], found["scores"]);
    assert_eq!(
        (&of_file["data"], &of_file["epochs"]),
        (&found["data"], &0.into())
    );
    // Nothing but the weights.
    assert_eq!(files(), before + 1);

    for (line, code, message) in [
        ("model.pt", 2, "say of which model they are"),
        ("model.pt --set model.name=mlp", 1, "missing: fc1.weight"),
        ("a --preset digits-noise", 2, "a run has a spec of its own"),
        ("nowhere", 1, "nowhere"),
        (".", 2, ". is not a run"),
        (
            "a --device cudda",
            2,
            "there is no device `cudda`; did you mean `cuda`?",
        ),
        ("", 2, "<RUN|CHECKPOINT|FILE>"),
    ] {
        fails(&here, &format!("eval {line}"), code, message);
    }
}

#[test]
fn a_translator_has_its_bleu_after_any_epoch_and_other_data_are_told() {
    let here = tempfile::tempdir().unwrap();
    let settings = translation(&here);
    let run = |line: &str| succeeds(&here, line);
    run(&format!("train --out run --quiet {settings}"));
    let last = &json(here.path().join("run/run.json"))["last"];

    let scores = &lines(&run("eval run --json"))[0]["scores"];
    assert_eq!(scores["test"]["BLEU"], last["test_bleu"]);
    assert_eq!(scores["validation"]["loss"], last["validation_loss"]);
    // The run has none after its first epoch.
    let first = lines(&run("eval run/checkpoint/epoch-00001 --json"));
    assert!(first[0]["scores"]["test"]["BLEU"].is_number(), "{first:?}");
    assert_contains(&text(&run("eval run").stdout), &["BLEU"]);

    let file = here.path().join("text/test.en");
    fs::write(&file, read(&file).replace("a cat", "the cat")).unwrap();
    let refused = "give --changed-data to go on all the same";
    fails(&here, "eval run", 1, refused);
    let told = run("eval run --changed-data --json");
    let warning = "measured on other data than it was trained on";
    let warnings = &lines(&told)[0]["warnings"];
    let first = warnings[0].as_str().unwrap();
    assert!(first.starts_with(warning), "{warnings}");
    assert_contains(&text(&told.stderr), &[warning]);
}
