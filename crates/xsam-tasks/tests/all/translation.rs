//! Runs and comparisons of translations.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{self, Runs, Subject, compared, flatness, parse, prepare, read, train, warned};
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

/// So many pairs of a made-up language, and models that train in seconds.
fn translations(pairs: usize) -> (Runs, PathBuf) {
    let mut runs = Runs::new(&[
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
    ]);
    let text = runs.path("text");
    runs.set(format!("data.dir={}", text.display()));
    write_text(&text, pairs);
    (runs, text)
}

#[test]
fn two_hundred_pairs_are_learned_by_heart() {
    let (runs, text) = translations(200);
    let settings = [
        "method.name=sgd",
        "model.layers=2",
        "model.dropout=0",
        "train.epochs=60",
        "data.label_smoothing=0",
    ];
    let last = runs.run("run", &settings).last.unwrap();
    let bleu = last.get("test_bleu").unwrap();
    assert!(bleu > 95.0, "{bleu}");
    let accuracy = last.get("test_accuracy").unwrap();
    assert!(accuracy > 0.97, "{accuracy}");

    let translations = runs.text("run/translations.txt");
    let references = fs::read_to_string(text.join("test.bb")).unwrap();
    let pairs = translations.lines().zip(references.lines());
    assert!(pairs.filter(|(a, b)| a == b).count() > 180);
    let score: Value = read(runs.path("run/bleu.json"));
    assert_eq!(score["bleu"].as_f64().unwrap(), bleu);
    let signature = score["signature"].as_str().unwrap();
    assert!(signature.contains("tok:13a"), "{score}");
}

/// The rows and the files of a run that was interrupted are those of one that was not.
#[track_caller]
fn assert_same(runs: &Runs, parts: &str, whole: &str) {
    assert_eq!(runs.rows(parts), runs.rows(whole));
    for file in ["tokenizer.json", "translations.txt", "bleu.json"] {
        let read = |run: &str| fs::read(runs.path(run).join(file)).unwrap();
        assert!(read(parts) == read(whole), "{file}");
    }
}

#[test]
fn an_interrupted_run_goes_on_as_if_nothing_had_been() {
    let (runs, _) = translations(60);
    for (method, rho) in [
        ("sgd", &[][..]),
        ("sam", &["method.rho=0.05"]),
        ("xsam", &["method.rho=0.05"]),
    ] {
        let name = format!("method.name={method}");
        let settings = [&[&*name, "translation.bleu_every=2"][..], rho].concat();
        let (whole, parts) = (format!("{method}-whole"), format!("{method}-parts"));
        runs.run(&whole, &settings);
        let summary = runs.interrupted(&parts, &settings, 5);
        assert_eq!((summary.status, summary.epochs), (Status::Interrupted, 1));
        let summary = runs.resume(&parts, &settings).unwrap();
        assert_eq!(summary.status, Status::Finished);
        assert_same(&runs, &parts, &whole);
        // BLEU after the second epoch and after the last.
        let bleu = |row: &String| !row.split(',').nth(10).unwrap().is_empty();
        let bleus: Vec<bool> = runs.rows(&whole)[1..].iter().map(bleu).collect();
        assert_eq!(bleus, [false, true, true]);
    }
}

#[test]
fn a_run_that_is_stopped_while_it_translates_makes_the_evaluation_again() {
    let (runs, _) = translations(400);
    // Three steps, and then 800 translations.
    let spec = || runs.spec(&["data.subset=60", "train.epochs=1"]);
    let (mut trained, mut evaluation) = (Instant::now(), Duration::ZERO);
    let run = prepare(spec(), &runs.path("whole"), Existing::Refuse).unwrap();
    run.train(&StopSignal::default(), &mut |event| match event {
        Event::Step { .. } => trained = Instant::now(),
        Event::Epoch(_) => evaluation = trained.elapsed(),
        _ => {}
    })
    .unwrap();

    let parts = runs.path("parts");
    let stop = StopSignal::default();
    let run = prepare(spec(), &parts, Existing::Refuse).unwrap();
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
    let run = prepare(spec(), &parts, Existing::Resume).unwrap();
    let summary = run
        .train(&StopSignal::default(), &mut |event| {
            steps += usize::from(matches!(event, Event::Step { .. }));
        })
        .unwrap();
    assert_eq!((summary.status, steps), (Status::Finished, 0));
    assert_same(&runs, "parts", "whole");
}

#[test]
fn other_text_under_a_run_is_noticed() {
    let (runs, text) = translations(40);
    let short = ["train.epochs=1", "model.width=16", "translation.beam=1"];
    runs.run("run", &short);
    let refused = |told: &str| {
        let error = runs.resume("run", &short).unwrap_err();
        assert!(matches!(error, Error::OtherData { .. }), "{error}");
        let error = error.to_string();
        assert!(
            error.contains(told) && error.contains("--changed-data"),
            "{error}"
        );
    };
    // A test part of which a line was changed: the tokenizer, of the training text, is the same.
    let test = text.join("test.bb");
    let before = fs::read_to_string(&test).unwrap();
    fs::write(&test, before.replacen('b', "bb", 1)).unwrap();
    refused("the test part has other translations, or another order");

    write_text(&text, 50);
    let told = "the train part has 50 pairs, not 40";
    refused(told);

    // The weights are for the tokenizer that the run began with.
    let tokenizer = runs.text("run/tokenizer.json");
    let longer = runs.spec(&[&short[..], &["train.epochs=2"]].concat());
    let terms = Terms {
        existing: Existing::Resume,
        changed_data: true,
    };
    let summary = train(&longer, &runs.path("run"), terms).unwrap();
    let warning = &summary.warnings[0];
    assert!(
        warning.contains("from epoch 2 on") && warning.contains(told),
        "{summary:?}"
    );
    assert!(tokenizer == runs.text("run/tokenizer.json"));

    // One that somebody has put there is none of these weights.
    let other = [&short[..], &["translation.merges=20"]].concat();
    runs.run("other", &other);
    fs::write(runs.path("other/tokenizer.json"), tokenizer).unwrap();
    let error = runs.resume("other", &other).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

/// The summary of a comparison in the folder `c`.
fn compare(runs: &Runs, settings: &[&str], compare: &[&str]) -> ComparisonSummary {
    let (_, compare) = parse("[compare]", compare).unwrap();
    compared(&runs.spec(settings), &compare.unwrap(), &runs.path("c"))
}

#[test]
fn methods_are_compared_by_bleu() {
    let (runs, _) = translations(40);
    let settings = ["train.epochs=1", "method.rho=0.05", "data.subset=30"];
    let summary = compare(&runs, &settings, &["compare.seeds=[0, 1]"]);
    assert_eq!(summary.methods.len(), 3);
    for method in summary.methods {
        assert_eq!(method.runs, 2);
        for column in ["test_bleu", "validation_bleu"] {
            assert!(method.spreads.contains_key(column));
        }
    }
    let many = runs.spec(&["data.subset=41"]);
    let error = train(&many, &runs.path("many"), Existing::Refuse).unwrap_err();
    let told = "`data.subset`: 41 must be from 1 to 40";
    assert!(error.to_string().contains(told), "{error}");
}

#[test]
fn hyper_parameters_are_chosen_by_the_bleu_of_the_validation_data() {
    let (runs, text) = translations(60);
    // Test data that say nothing of the validation data: nobody translates them right.
    fs::write(text.join("test.bb"), "never\n".repeat(60)).unwrap();
    let tuned = [
        "compare.methods=['sgd']",
        "compare.seeds=[0]",
        "compare.tune_seeds=[3, 4]",
        "compare.tune.optimizer.lr=[1e-6, 4e-3]",
    ];
    let summary = compare(&runs, &["train.epochs=12", "model.dropout=0"], &tuned);
    let tuning = summary.tuning.unwrap();
    assert_eq!(tuning.score.name, "BLEU");
    let candidates = &tuning.methods[0].candidates;
    for (candidate, lr) in candidates.iter().zip(["1e-6", "0.004"]) {
        let bleu = |seed: u64| {
            let run = format!("c/tune/sgd-optimizer.lr{lr}-seed{seed}");
            let run = common::summary(&runs.path(&run));
            run.last.unwrap().get("validation_bleu").unwrap()
        };
        let mean = (bleu(3) + bleu(4)) / 2.0;
        assert!((candidate.validation.unwrap().mean - mean).abs() < 1e-12);
    }
    let means = candidates.iter().map(|c| c.validation.unwrap().mean);
    let means: Vec<f64> = means.collect();
    assert!(means[1] > means[0] + 1.0, "{means:?}");
    let chosen: Vec<bool> = candidates.iter().map(|c| c.chosen).collect();
    assert_eq!(chosen, [false, true]);
    let compared = runs.text("c/sgd-seed0/spec.toml");
    assert!(compared.contains("lr = 0.004"), "{compared}");
    let row = &summary.methods[0];
    assert!(row.spreads["validation_bleu"].mean > row.spreads["test_bleu"].mean);
}

#[test]
fn translations_are_compared_at_equal_compute() {
    let (runs, _) = translations(60);
    // Longer pairs are left out: how many steps an epoch has, the tokenizer says.
    let settings = ["train.epochs=2", "translation.max_length=7"];
    let equal = [
        "compare.methods=['sgd', 'sam', 'xsam']",
        "compare.seeds=[0]",
        "compare.equal_compute=true",
    ];
    let summary = compare(&runs, &settings, &equal);
    assert!(summary.equal_compute);
    let [sgd, sam, xsam] = &summary.methods[..] else {
        panic!("{summary:?}");
    };
    let steps = sgd.gradient_passes.unwrap() / sgd.epochs.unwrap() as f64;
    assert!((1.0..3.0).contains(&steps), "{steps}");
    // xsam: two passes a step, and a search of 21 / 3 of one.
    let budget = 2.0 * (2.0 * steps + 7.0);
    for (method, in_an_epoch) in [(sgd, steps), (sam, 2.0 * steps), (xsam, 2.0 * steps + 7.0)] {
        let (label, epochs) = (&method.label, (budget / in_an_epoch).round());
        assert_eq!(method.epochs, Some(epochs as usize), "{label}");
        let passes = method.passes.unwrap();
        assert!((passes - epochs * in_an_epoch).abs() < 1e-9, "{label}");
        assert!(method.spreads.contains_key("test_bleu"));
    }
    // The learning rate rises and falls over all epochs as it does over the two of the spec.
    let (stretched, _) = parse(&runs.text("c/sgd-seed0/spec.toml"), &[]).unwrap();
    let warmup = 20.0 * sgd.epochs.unwrap() as f64 / 2.0;
    assert_eq!(stretched.schedule.warmup_steps, Some(warmup as usize));
}

#[test]
fn parts_of_a_batch_of_pairs_are_as_the_whole_batch() {
    let (runs, _) = translations(60);
    let loss = |name: &str, settings: &[&str]| {
        // Without dropout, whose masks depend on the size of what they are for.
        let plain = ["train.epochs=1", "model.dropout=0"];
        let summary = runs.run(name, &[&plain[..], settings].concat());
        summary.last.unwrap().get("train_loss").unwrap()
    };
    let both = |method: &str| {
        let whole = loss(&format!("{method} whole"), &[method]);
        // Sentences differ in length: a mean of the parts' means would be another one.
        let parts = loss(
            &format!("{method} in parts"),
            &[method, "train.micro_batches=3"],
        );
        assert!((whole - parts).abs() < 1e-5 * whole, "{whole} and {parts}");
        whole
    };
    let functional = both("method.name=functional-sam");
    let whole = both("method.name=sam");
    assert!(
        (whole - functional).abs() > 1e-6 * whole,
        "{whole} and {functional}"
    );
    // A pair counts by its tokens: all pairs, told apart, are the batch.
    let by_samples = ["method.name=esam", "method.beta=1", "method.gamma=0.999"];
    let apart = loss("esam", &by_samples);
    assert!((whole - apart).abs() < 1e-5 * whole, "{whole} and {apart}");
    let apart = loss(
        "esam in parts",
        &[&by_samples[..], &["train.micro_batches=3"]].concat(),
    );
    assert!((whole - apart).abs() < 1e-5 * whole, "{whole} and {apart}");
    let some = loss("half", &["method.name=esam", "method.beta=1"]);
    assert!((whole - some).abs() > 1e-6 * whole, "{whole} and {some}");
    let each = loss("each", &["method.name=sam", "train.m_sharpness=3"]);
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
fn begun(runs: &Runs, name: &str, settings: &[&str]) -> (RunSummary, Vec<String>, Vec<String>) {
    let run = prepare(runs.spec(settings), &runs.path(name), Existing::Refuse);
    warned(run.unwrap())
}

#[test]
fn training_pairs_that_are_left_out_are_counted_and_said() {
    let (runs, text) = translations(60);
    let settings = ["train.epochs=1", "translation.bleu_every=1"];
    let (whole, warnings, _) = begun(&runs, "whole", &settings);
    let left_out = json!({"lines": 60, "used": 60, "empty": 0, "too_long": 0});
    assert_eq!(whole.facts["pairs"], left_out);
    assert_eq!(warnings, [""; 0]);

    replace_line(&text, "train.aa", 3, " ");
    replace_line(&text, "train.bb", 3, "");
    replace_line(&text, "train.bb", 9, "");
    replace_line(&text, "train.aa", 20, &"a1 ".repeat(40_000));
    let (summary, warnings, _) = begun(&runs, "run", &settings);
    let left_out = json!({"lines": 60, "used": 57, "empty": 2, "too_long": 1});
    assert_eq!(summary.facts["pairs"], left_out);
    let expected = "3 of 60 training pairs are left out: 2 with an empty side, 1 with a side of more than \
                    translation.max_length = 256 subwords";
    assert_eq!(warnings, [expected]);
    let run: Value = read(runs.path("run/run.json"));
    assert_eq!(run["facts"]["pairs"]["empty"], 2);
    assert_eq!(run["warnings"][0], expected);
    let page = runs.page("run");
    assert!(page.contains("are left out: 2 with an empty side"));

    // They are not looked at by what measures a model, either: this one would take all memory.
    let flat = FlatnessSpec {
        sample: Sample {
            samples: 60,
            ..Sample::default()
        },
        ..FlatnessSpec::default()
    };
    flatness(&Subject::run(runs.path("run")), &flat, &mut |_| {}).unwrap();
}

#[test]
fn lines_without_end_to_evaluate_by_are_named_before_the_first_step_and_read_in_part() {
    let (runs, text) = translations(30);
    replace_line(&text, "valid.aa", 7, &"a1 ".repeat(60_000));
    replace_line(&text, "test.bb", 2, &"b1 ".repeat(300));
    // Read as a whole, the first would take a hundred gigabytes.
    let settings = ["train.epochs=1", "translation.beam=2"];
    let (summary, warnings, _) = begun(&runs, "run", &settings);
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
    assert_eq!(runs.text("run/translations.txt").lines().count(), 30);
}

#[test]
fn a_beam_that_is_wider_than_the_vocabulary_is_refused_before_the_first_step() {
    let (runs, _) = translations(20);
    // Four special ones, twelve characters, the end of a word, and a merge.
    let few = "translation.merges=1";
    for (settings, told) in [
        (
            &[few, "translation.beam=17"][..],
            "`translation.beam`: 17 must be at most 16",
        ),
        (
            &["translation.beam=1001"],
            "`translation.beam`: 1001 must be from 1 to 1000",
        ),
    ] {
        let directory = runs.path("run");
        let error = prepare(runs.spec(settings), &directory, Existing::Refuse).unwrap_err();
        assert!(error.is_usage() && !directory.exists());
        assert!(error.to_string().contains(told), "{error}");
    }
    let whole = [few, "translation.beam=16", "train.epochs=1"];
    let summary = runs.run("whole", &whole);
    assert!(summary.last.unwrap().get("test_bleu").is_some());
}

#[test]
fn a_model_that_cannot_translate_has_no_bleu_and_its_run_is_finished() {
    let (runs, _) = translations(20);
    // One step, whose loss is still that of the initial weights.
    let mut spec = runs.spec(&[
        "train.epochs=1",
        "schedule.name=constant",
        "optimizer.lr=1e30",
    ]);
    spec.schedule.warmup_steps = None;
    let run = prepare(spec, &runs.path("run"), Existing::Refuse);
    let (summary, _, warnings) = warned(run.unwrap());
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(summary.last.unwrap().get("test_bleu"), None);
    let told = |warning: &String| warning.contains("epoch 1 has no BLEU: the logits");
    assert!(warnings.iter().any(told), "{warnings:?}");
}
