//! Runs and comparisons of translations.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use common::{Comparison, Spec, Subject, flatness, prepare, report, rows, train};
use xsam_lab::compare::ComparisonSummary;
use xsam_lab::files::{Existing, Terms};
use xsam_lab::flatness::FlatnessSpec;
use xsam_lab::{Error, Event, RunSummary, Sample, Status, StopSignal};

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
            "data.label_smoothing=0",
        ],
    );
    let summary = train(&spec, &directory, Existing::Refuse).unwrap();
    let last = summary.last.unwrap();
    let bleu = last.get("test_bleu").unwrap();
    assert!(bleu > 95.0, "{bleu}");
    let accuracy = last.get("test_accuracy").unwrap();
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
    for (method, rho) in [
        ("sgd", &[][..]),
        ("sam", &["method.rho=0.05"]),
        ("xsam", &["method.rho=0.05"]),
    ] {
        let method = format!("method.name={method}");
        let settings = [&[&*method, "translation.bleu_every=2"][..], rho].concat();
        let spec = spec(&text, &settings);
        let whole = parent.path().join(format!("{method}-whole"));
        let parts = parent.path().join(format!("{method}-parts"));
        train(&spec, &whole, Existing::Refuse).unwrap();

        let stop = StopSignal::default();
        let mut steps = 0;
        let run = prepare(spec.clone(), &parts, Existing::Refuse).unwrap();
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
fn a_run_that_is_stopped_while_it_translates_makes_the_evaluation_again() {
    let parent = tempfile::tempdir().unwrap();
    let text = parent.path().join("text");
    write_text(&text, 400);
    // Three steps, and then 800 translations.
    let spec = spec(&text, &["data.subset=60", "train.epochs=1"]);
    let whole = parent.path().join("whole");
    let (mut trained, mut evaluation) = (Instant::now(), Duration::ZERO);
    let run = prepare(spec.clone(), &whole, Existing::Refuse).unwrap();
    run.train(&StopSignal::default(), &mut |event| match event {
        Event::Step { .. } => trained = Instant::now(),
        Event::Epoch(_) => evaluation = trained.elapsed(),
        _ => {}
    })
    .unwrap();

    let parts = parent.path().join("parts");
    let stop = StopSignal::default();
    let run = prepare(spec.clone(), &parts, Existing::Refuse).unwrap();
    let summary = run
        .train(&stop, &mut |event| {
            if let Event::Step { step: 3, .. } = event {
                let stop = stop.clone();
                thread::spawn(move || {
                    thread::sleep(evaluation / 4);
                    stop.stop();
                });
            }
        })
        .unwrap();
    // Heeded at the end of the evaluation alone, it would have finished.
    assert_eq!((summary.status, summary.epochs), (Status::Interrupted, 0));
    assert!(parts.join("checkpoint/epoch-00000-step-000003").exists());
    assert!(!parts.join("translations.txt").exists());

    let mut steps = 0;
    let run = prepare(spec, &parts, Existing::Resume).unwrap();
    let summary = run
        .train(&StopSignal::default(), &mut |event| {
            steps += usize::from(matches!(event, Event::Step { .. }));
        })
        .unwrap();
    assert_eq!((summary.status, steps), (Status::Finished, 0));
    assert_eq!(rows(&parts), rows(&whole));
    for file in ["translations.txt", "bleu.json"] {
        let read = |run: &Path| fs::read(run.join(file)).unwrap();
        assert!(read(&parts) == read(&whole), "{file}");
    }
}

#[test]
fn other_text_under_a_run_is_noticed() {
    let parent = tempfile::tempdir().unwrap();
    let (text, directory) = (parent.path().join("text"), parent.path().join("run"));
    write_text(&text, 40);
    let short = ["train.epochs=1", "model.width=16", "translation.beam=1"];
    let spec = spec(&text, &short);
    train(&spec, &directory, Existing::Refuse).unwrap();
    // A test part of which a line was changed: the tokenizer, of the training text, is the same.
    let test = text.join("test.bb");
    let before = fs::read_to_string(&test).unwrap();
    fs::write(&test, before.replacen('b', "bb", 1)).unwrap();
    let error = train(&spec, &directory, Existing::Resume).unwrap_err();
    assert!(matches!(error, Error::OtherData { .. }), "{error}");
    let told = "the test part has other translations, or another order";
    assert!(error.to_string().contains(told), "{error}");

    write_text(&text, 50);
    let error = train(&spec, &directory, Existing::Resume).unwrap_err();
    let told = "the train part has 50 pairs, not 40";
    assert!(error.to_string().contains(told), "{error}");
    assert!(error.to_string().contains("--changed-data"), "{error}");

    // The weights are for the tokenizer that the run began with.
    let tokenizer = fs::read(directory.join("tokenizer.json")).unwrap();
    let longer = self::spec(&text, &[&short[..], &["train.epochs=2"]].concat());
    let terms = Terms {
        existing: Existing::Resume,
        changed_data: true,
    };
    let run = prepare(longer, &directory, terms).unwrap();
    let summary = run.train(&StopSignal::default(), &mut |_| {}).unwrap();
    assert!(
        summary.warnings[0].contains("from epoch 2 on"),
        "{summary:?}"
    );
    assert!(summary.warnings[0].contains(told), "{summary:?}");
    assert!(tokenizer == fs::read(directory.join("tokenizer.json")).unwrap());

    // One that somebody has put there is none of these weights.
    let other = parent.path().join("other");
    let longer = self::spec(&text, &[&short[..], &["translation.merges=20"]].concat());
    train(&longer, &other, Existing::Refuse).unwrap();
    fs::write(other.join("tokenizer.json"), tokenizer).unwrap();
    let error = train(&longer, &other, Existing::Resume).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
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
    let directory = parent.path().join("comparison");
    let summary = compared(&spec, &["compare.seeds=[0, 1]"], &directory);
    assert_eq!(summary.methods.len(), 3);
    for method in summary.methods {
        assert_eq!(method.runs, 2);
        for column in ["test_bleu", "validation_bleu"] {
            assert!(method.spreads.contains_key(column));
        }
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

/// The summary of a comparison with these settings.
fn compared(spec: &Spec, settings: &[&str], directory: &Path) -> ComparisonSummary {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let (_, compare) = Spec::parse("[compare]", &settings).unwrap();
    let comparison =
        Comparison::prepare(spec, &compare.unwrap(), directory, Existing::Refuse).unwrap();
    let summary = comparison.run(&StopSignal::default(), &mut |_| {}).unwrap();
    assert_eq!(summary.status, Status::Finished);
    summary
}

#[test]
fn hyper_parameters_are_chosen_by_the_bleu_of_the_validation_data() {
    let parent = tempfile::tempdir().unwrap();
    let (text, directory) = (parent.path().join("text"), parent.path().join("c"));
    write_text(&text, 60);
    // Test data that say nothing of the validation data: nobody translates them right.
    fs::write(text.join("test.bb"), "never\n".repeat(60)).unwrap();
    let spec = spec(&text, &["train.epochs=12", "model.dropout=0"]);
    let settings = [
        "compare.methods=['sgd']",
        "compare.seeds=[0]",
        "compare.tune_seeds=[3, 4]",
        "compare.tune.optimizer.lr=[1e-6, 4e-3]",
    ];
    let summary = compared(&spec, &settings, &directory);
    let tuning = summary.tuning.unwrap();
    assert_eq!(tuning.score.name, "BLEU");
    let candidates = &tuning.methods[0].candidates;
    for (candidate, lr) in candidates.iter().zip(["1e-6", "0.004"]) {
        let bleu = |seed: u64| {
            let run = format!("tune/sgd-optimizer.lr{lr}-seed{seed}/run.json");
            let run = fs::read_to_string(directory.join(run)).unwrap();
            let run: RunSummary = serde_json::from_str(&run).unwrap();
            run.last.unwrap().get("validation_bleu").unwrap()
        };
        let mean = (bleu(3) + bleu(4)) / 2.0;
        assert!((candidate.validation.unwrap().mean - mean).abs() < 1e-12);
    }
    let means: Vec<f64> = candidates
        .iter()
        .map(|c| c.validation.unwrap().mean)
        .collect();
    assert!(means[1] > means[0] + 1.0, "{means:?}");
    let chosen: Vec<bool> = candidates.iter().map(|c| c.chosen).collect();
    assert_eq!(chosen, [false, true]);
    let compared = fs::read_to_string(directory.join("sgd-seed0/spec.toml")).unwrap();
    assert!(compared.contains("lr = 0.004"), "{compared}");
    let row = &summary.methods[0];
    assert!(row.spreads["validation_bleu"].mean > row.spreads["test_bleu"].mean);
}

#[test]
fn translations_are_compared_at_equal_compute() {
    let parent = tempfile::tempdir().unwrap();
    let (text, directory) = (parent.path().join("text"), parent.path().join("c"));
    write_text(&text, 60);
    // Longer pairs are left out: how many steps an epoch has, the tokenizer says.
    let spec = spec(&text, &["train.epochs=2", "translation.max_length=7"]);
    let settings = [
        "compare.methods=['sgd', 'sam', 'xsam']",
        "compare.seeds=[0]",
        "compare.equal_compute=true",
    ];
    let summary = compared(&spec, &settings, &directory);
    assert!(summary.equal_compute);
    let [sgd, sam, xsam] = &summary.methods[..] else {
        panic!("{summary:?}");
    };
    let steps = sgd.gradient_passes.unwrap() / sgd.epochs.unwrap() as f64;
    assert!((1.0..3.0).contains(&steps), "{steps}");
    // xsam: two passes a step, and a search of 21 / 3 of one.
    let budget = 2.0 * (2.0 * steps + 7.0);
    for (method, in_an_epoch) in [(sgd, steps), (sam, 2.0 * steps), (xsam, 2.0 * steps + 7.0)] {
        let epochs = (budget / in_an_epoch).round();
        assert_eq!(method.epochs, Some(epochs as usize), "{}", method.label);
        let passes = method.passes.unwrap();
        assert!(
            (passes - epochs * in_an_epoch).abs() < 1e-9,
            "{}",
            method.label
        );
        assert!(method.spreads.contains_key("test_bleu"));
    }
    // The learning rate rises and falls over all epochs as it does over the two of the spec.
    let stretched = fs::read_to_string(directory.join("sgd-seed0/spec.toml")).unwrap();
    let (stretched, _) = Spec::parse(&stretched, &[]).unwrap();
    let warmup = 20.0 * sgd.epochs.unwrap() as f64 / 2.0;
    assert_eq!(stretched.schedule.warmup_steps, Some(warmup as usize));
}

#[test]
fn parts_of_a_batch_of_pairs_are_as_the_whole_batch() {
    let parent = tempfile::tempdir().unwrap();
    let text = parent.path().join("text");
    write_text(&text, 60);
    let run = |name: &str, settings: &[&str]| {
        // Without dropout, whose masks depend on the size of what they are for.
        let plain = ["train.epochs=1", "method.name=sam", "model.dropout=0"];
        let spec = spec(&text, &[&plain[..], settings].concat());
        let directory = parent.path().join(name);
        train(&spec, &directory, Existing::Refuse).unwrap()
    };
    let loss = |summary: &RunSummary| summary.last.as_ref().unwrap().get("train_loss").unwrap();
    let whole = loss(&run("whole", &[]));
    // Sentences differ in length: a mean of the parts' means would be another one.
    let parts = loss(&run("parts", &["train.micro_batches=3"]));
    assert!((whole - parts).abs() < 1e-5 * whole, "{whole} and {parts}");
    let each = loss(&run("each", &["train.m_sharpness=3"]));
    assert!((whole - each).abs() > 1e-6 * whole, "{whole} and {each}");
}

/// Replaces a line of a file, counted from 1.
fn replace_line(text: &Path, file: &str, line: usize, by: &str) {
    let path = text.join(file);
    let content = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = content.lines().collect();
    lines[line - 1] = by;
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// The outcome of a run, the warnings before its first step, and those after it.
fn warned(spec: &Spec, directory: &Path) -> (RunSummary, Vec<String>, Vec<String>) {
    let (mut before, mut after, mut steps) = (Vec::new(), Vec::new(), 0);
    let run = prepare(spec.clone(), directory, Existing::Refuse).unwrap();
    let summary = run.train(&StopSignal::default(), &mut |event| match event {
        Event::Step { .. } => steps += 1,
        Event::Warning(warning) if steps == 0 => before.push(warning.to_owned()),
        Event::Warning(warning) => after.push(warning.to_owned()),
        _ => {}
    });
    (summary.unwrap(), before, after)
}

#[test]
fn training_pairs_that_are_left_out_are_counted_and_said() {
    let parent = tempfile::tempdir().unwrap();
    let text = parent.path().join("text");
    write_text(&text, 60);
    let spec = spec(&text, &["train.epochs=1", "translation.bleu_every=1"]);
    let (whole, warnings, _) = warned(&spec, &parent.path().join("whole"));
    let left_out = json!({"lines": 60, "used": 60, "empty": 0, "too_long": 0});
    assert_eq!(whole.facts["pairs"], left_out);
    assert_eq!(warnings, [""; 0]);

    replace_line(&text, "train.aa", 3, " ");
    replace_line(&text, "train.bb", 3, "");
    replace_line(&text, "train.bb", 9, "");
    replace_line(&text, "train.aa", 20, &"a1 ".repeat(40_000));
    let directory = parent.path().join("run");
    let (summary, warnings, _) = warned(&spec, &directory);
    let left_out = json!({"lines": 60, "used": 57, "empty": 2, "too_long": 1});
    assert_eq!(summary.facts["pairs"], left_out);
    let expected = "3 of 60 training pairs are left out: 2 with an empty side, 1 with a side of more than \
                    translation.max_length = 256 subwords";
    assert_eq!(warnings, [expected]);
    let run = fs::read_to_string(directory.join("run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    assert_eq!(run["facts"]["pairs"]["empty"], 2);
    assert_eq!(run["warnings"][0], expected);
    let page = fs::read_to_string(report(&directory).unwrap()).unwrap();
    assert!(page.contains("are left out: 2 with an empty side"));

    // They are not looked at by what measures a model, either: this one would take all memory.
    let flat = FlatnessSpec {
        sample: Sample {
            samples: 60,
            ..Sample::default()
        },
        ..FlatnessSpec::default()
    };
    flatness(&Subject::run(&directory), &flat, &mut |_| {}).unwrap();
}

#[test]
fn lines_without_end_to_evaluate_by_are_named_before_the_first_step_and_read_in_part() {
    let parent = tempfile::tempdir().unwrap();
    let text = parent.path().join("text");
    write_text(&text, 30);
    replace_line(&text, "valid.aa", 7, &"a1 ".repeat(60_000));
    replace_line(&text, "test.bb", 2, &"b1 ".repeat(300));
    let spec = spec(&text, &["train.epochs=1", "translation.beam=2"]);
    let directory = parent.path().join("run");
    // Read as a whole, the first would take a hundred gigabytes.
    let (summary, warnings, _) = warned(&spec, &directory);
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(summary.warnings, warnings);
    let [validation, test] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    for (warning, words) in [
        (
            validation,
            [
                "valid.aa: ",
                "line 7 has ",
                "after 1024 the rest of a line is not read",
            ],
        ),
        (test, ["test.bb: ", "max_length = 256", "line 2 has "]),
    ] {
        assert!(words.iter().all(|word| warning.contains(word)), "{warning}");
    }
    assert!(!test.contains("not read"), "{test}");
    let translations = fs::read_to_string(directory.join("translations.txt")).unwrap();
    assert_eq!(translations.lines().count(), 30);
}

#[test]
fn a_beam_that_is_wider_than_the_vocabulary_is_refused_before_the_first_step() {
    let parent = tempfile::tempdir().unwrap();
    let text = parent.path().join("text");
    write_text(&text, 20);
    let refused = |settings: &[&str], words: &[&str]| {
        let directory = parent.path().join("run");
        let error = prepare(spec(&text, settings), &directory, Existing::Refuse);
        let error = error.unwrap_err();
        assert!(error.is_usage());
        let error = error.to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
        assert!(!directory.exists());
    };
    // Four special ones, twelve characters, the end of a word, and a merge.
    let few = "translation.merges=1";
    refused(
        &[few, "translation.beam=17"],
        &["`translation.beam`: 17 must be at most 16"],
    );
    refused(
        &["translation.beam=1001"],
        &["`translation.beam`: 1001 must be from 1 to 1000"],
    );
    let whole = spec(&text, &[few, "translation.beam=16", "train.epochs=1"]);
    let summary = train(&whole, &parent.path().join("whole"), Existing::Refuse).unwrap();
    assert!(summary.last.unwrap().get("test_bleu").is_some());
}

#[test]
fn a_model_that_cannot_translate_has_no_bleu_and_its_run_is_finished() {
    let parent = tempfile::tempdir().unwrap();
    let text = parent.path().join("text");
    write_text(&text, 20);
    // One step, whose loss is still that of the initial weights.
    let settings = [
        "train.epochs=1",
        "schedule.name=constant",
        "optimizer.lr=1e30",
    ];
    let mut spec = spec(&text, &settings);
    spec.schedule.warmup_steps = None;
    let (summary, _, warnings) = warned(&spec, &parent.path().join("run"));
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(summary.last.unwrap().get("test_bleu"), None);
    let told = |warning: &String| warning.contains("epoch 1 has no BLEU: the logits");
    assert!(warnings.iter().any(told), "{warnings:?}");
}
