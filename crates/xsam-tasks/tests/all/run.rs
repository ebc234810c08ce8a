//! Runs and comparisons: files, interruption, going on.

use std::fs;
use std::path::Path;

use crate::common::{self, Comparison, Runs, export, parse, prepare, train, warned};
use burn::module::Module;
use burn::tensor::Device;
use xsam_lab::compare::ComparisonSummary;
use xsam_lab::files::Existing;
use xsam_lab::spec::Compare;
use xsam_lab::{Error, Event, RunSummary, Status, StopSignal};
use xsam_models::state;

fn short() -> Runs {
    Runs::new(&["data.subset=200", "train.epochs=4", "train.batch_size=50"])
}

#[test]
fn a_run_leaves_its_files() {
    let runs = short();
    let summary = runs.run("run", &[]);
    assert_eq!((summary.status, summary.epochs), (Status::Finished, 4));
    assert_eq!(summary.gradient_passes, 4 * 4 * 2);
    assert_eq!(summary.search_passes, 4 * 21);

    let rows = runs.rows("run");
    assert_eq!(rows.len(), 1 + 4);
    let columns = rows[0].split(',').count();
    assert!(rows.iter().all(|row| row.split(',').count() == columns));
    assert_eq!(common::summary(&runs.path("run")), summary);
    // What was asked for, beside what it came to.
    let (written, _) = parse(&runs.text("run/spec.toml"), &[]).unwrap();
    assert_eq!(written, runs.spec(&[]));
    let came_to = written.resolved().unwrap().to_table().unwrap();
    assert_eq!(summary.spec, Some(came_to));
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let runs = short();
    let run = |name: &str, settings: &[&str]| {
        runs.run(name, settings);
        runs.rows(name)
    };
    assert_eq!(run("a", &[]), run("b", &[]));
    assert_ne!(run("c", &["train.seed=1"])[1..], run("d", &[])[1..]);
}

#[test]
fn epochs_that_are_not_evaluated_train_as_the_others() {
    let runs = short();
    runs.run("all", &[]);
    let summary = runs.run("some", &["train.evaluate_every=3"]);
    let (all, some) = (runs.rows("all"), runs.rows("some"));
    for (epoch, (all, some)) in all.iter().zip(&some).enumerate() {
        // The head, the third epoch and the last.
        if [0, 3, 4].contains(&epoch) {
            assert_eq!(all, some);
            continue;
        }
        let fields = all.split(',').zip(some.split(',')).enumerate();
        let left_out = fields.filter(|(_, (all, some))| some.is_empty() && all != some);
        let left_out: Vec<usize> = left_out.map(|(column, _)| column).collect();
        assert_eq!(left_out, [5, 6, 7, 8], "{some}");
    }
    assert!([3, 4].contains(&summary.best.unwrap().epoch));
    let accuracy = |line: &str| line.split(',').nth(8).unwrap().parse::<f64>().unwrap();
    let mean = (accuracy(&some[3]) + accuracy(&some[4])) / 2.0;
    assert!((summary.mean_of_last_5.unwrap() - mean).abs() < 1e-12);
}

/// A run that was interrupted has the rows, weights and searches of one that was not.
#[track_caller]
fn assert_same(runs: &Runs, parts: &str, whole: &str) {
    assert_eq!(runs.rows(parts), runs.rows(whole));
    let of = |name: &str| (weights_of(runs, name), searched(&runs.path(name)));
    assert_eq!(of(parts), of(whole));
}

#[test]
fn an_interrupted_run_goes_on_as_if_nothing_had_been() {
    let runs = short();
    for (name, settings) in [
        ("xsam", &["method.name=xsam", "data.label_noise=0.3"][..]),
        ("xsam-steps", &["method.search={every-steps=3}"]),
        (
            "sgd-adam",
            &[
                "method.name=sgd",
                "optimizer.name=adam",
                "optimizer.lr=0.01",
            ],
        ),
    ] {
        let (whole, parts) = (format!("{name}-whole"), format!("{name}-parts"));
        let summary = runs.run(&whole, settings);
        // Within the first epoch, within the third, and after one more step.
        let first = runs.interrupted(&parts, settings, 2);
        assert_eq!((first.status, first.epochs), (Status::Interrupted, 0));
        let second = runs.interrupted(&parts, settings, 2 + 4 + 1);
        assert_eq!((second.status, second.epochs), (Status::Interrupted, 2));
        runs.interrupted(&parts, settings, 1);
        let place = runs.path(&parts);
        let place = place.join("checkpoint/epoch-00002-step-000002");
        assert!(place.exists());
        let last = runs.resume(&parts, settings).unwrap();

        assert_same(&runs, &parts, &whole);
        let best = |summary: &RunSummary| summary.best.as_ref().map(|row| row.epoch);
        assert_eq!(best(&last), best(&summary));
        // A finished run has nothing left to do.
        assert_eq!(runs.resume(&parts, settings).unwrap().epochs, 4);
        assert_eq!(runs.rows(&parts), runs.rows(&whole));
    }
}

#[test]
fn an_evaluation_that_was_stopped_is_made_again() {
    let runs = short();
    let settings = ["train.evaluate_every=2", "data.label_noise=0.3"];
    runs.run("whole", &settings);

    // After the last step of an epoch that is evaluated, of one that is not, and of the last one.
    for (steps, epochs) in [(2 * 4, 1), (4, 3), (4, 3)] {
        let summary = runs.interrupted("parts", &settings, steps);
        let reached = (summary.status, summary.epochs);
        assert_eq!(reached, (Status::Interrupted, epochs));
        let again = runs.path("parts/checkpoint/epoch-00001-step-000004");
        assert!(epochs > 1 || again.exists());
    }
    let last = runs.resume("parts", &settings).unwrap();
    assert_eq!(last.status, Status::Finished);
    assert_same(&runs, "parts", "whole");
}

/// The curves that XSAM searched, of which nothing is there twice and nothing missing.
fn searched(directory: &Path) -> String {
    let path = directory.join("search.csv");
    if !path.exists() {
        return String::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let count = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), count);
    text
}

/// The weights after the last epoch: ids of parameters differ between runs, values must not.
fn weights_of(runs: &Runs, name: &str) -> Vec<Vec<f64>> {
    let task = runs.spec(&[]).task;
    let sizes = task.data.name.sizes().unwrap();
    let model = task.model_config(sizes).unwrap();
    let model = model.init(0, &Device::flex()).unwrap();
    let path = runs.path(name).join("checkpoint/epoch-00004/model.bpk");
    let values = state::values(&model.try_load_file(path).unwrap());
    values.into_iter().map(|(_, values)| values).collect()
}

#[test]
fn augmented_images_are_the_same_whoever_prepares_them() {
    let runs = short();
    let run = |name: &str, settings: &[&str]| {
        let share = runs.run(name, settings).waiting_share.unwrap();
        assert!((0.0..1.0).contains(&share), "{share}");
        runs.rows(name)
    };
    let shifted = ["augmentation.crop_padding=1", "augmentation.cutout=2"];
    let with = |workers| run(workers, &[&shifted[..], &[workers]].concat());
    let first = with("data.workers=0");
    assert_eq!(first, with("data.workers=1"));
    assert_eq!(first, with("data.workers=3"));
    assert_ne!(first[1..], run("none", &[])[1..]);
}

#[test]
fn a_directory_is_not_taken_without_a_word() {
    let runs = short();
    runs.run("run", &[]);
    let before = runs.rows("run");
    let (directory, other) = (runs.path("run"), runs.spec(&["train.seed=1"]));
    let error = train(&other, &directory, Existing::Refuse).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }) && error.is_usage());

    let error = runs.resume("run", &["method.rho=0.3"]).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("method.rho: 0.15, not 0.3"), "{message}");
    assert_eq!(runs.rows("run"), before);

    train(&other, &directory, Existing::Overwrite).unwrap();
    assert_ne!(runs.rows("run"), before);
}

#[test]
fn a_run_that_diverges_says_where_and_keeps_what_there_was() {
    let runs = short();
    let spec = runs.spec(&[
        "optimizer.lr=1e30",
        "method.name=sgd",
        "schedule.name=constant",
    ]);
    let error = train(&spec, &runs.path("run"), Existing::Refuse).unwrap_err();
    assert!(matches!(error, Error::Step { epoch: 1, .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("lower the learning rate"), "{error}");
    let summary = runs.text("run/run.json");
    assert!(summary.contains(r#""status": "failed""#), "{summary}");
}

#[test]
fn damaged_checkpoints_are_named() {
    let runs = short();
    for file in ["model.bpk", "optimizer.bpk", "position.json"] {
        runs.interrupted(file, &[], 6);
        let path = runs
            .path(file)
            .join("checkpoint/epoch-00001-step-000002")
            .join(file);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 3] ^= 1;
        for damaged in [&bytes[..bytes.len() / 2], &flipped] {
            fs::write(&path, damaged).unwrap();
            let error = runs.resume(file, &[]).unwrap_err().to_string();
            let whole = "epoch-00001 is whole, and --recover goes on from there";
            assert!(error.contains(file) && error.contains(whole), "{error}");
        }
    }
}

#[test]
fn a_run_recovers_from_a_damaged_checkpoint() {
    let runs = short();
    runs.run("whole", &[]);
    let recovered = |name: &str| train(&runs.spec(&[]), &runs.path(name), Existing::Recover);

    runs.interrupted("run", &[], 6);
    let latest = runs.path("run/checkpoint/epoch-00001-step-000002");
    fs::remove_file(latest.join("optimizer.bpk")).unwrap();
    recovered("run").unwrap();
    assert_same(&runs, "run", "whole");

    // Where nothing is whole there is nothing to go on from.
    runs.interrupted("other", &[], 2);
    let model = runs.path("other/checkpoint/epoch-00000-step-000002/model.bpk");
    fs::write(model, "").unwrap();
    let error = recovered("other").unwrap_err().to_string();
    assert!(error.contains("it has 0 of"), "{error}");
    assert!(error.contains("no other checkpoint is whole"), "{error}");
}

#[test]
fn a_checkpoint_of_another_model_or_version_is_refused() {
    let runs = short();
    let small = ["model.name=mlp"];
    runs.run("a", &small);
    runs.run("b", &[]);
    let latest = runs.path("a/checkpoint/epoch-00004");
    fs::remove_dir_all(&latest).unwrap();
    fs::rename(runs.path("b/checkpoint/epoch-00004"), &latest).unwrap();
    let error = runs.resume("a", &small).unwrap_err();
    assert!(error.to_string().contains("model.bpk"), "{error}");

    let manifest = "a/checkpoint/epoch-00003/manifest.json";
    let other = runs.text(manifest);
    let other = other.replace(r#""version":3"#, r#""version":1"#);
    fs::write(runs.path(manifest), other).unwrap();
    fs::remove_dir_all(latest).unwrap();
    let error = runs.resume("a", &small).unwrap_err().to_string();
    assert!(error.contains("its version is 1"), "{error}");
}

#[test]
fn the_latest_checkpoints_and_the_best_are_kept() {
    let runs = short();
    let summary = runs.run("run", &["train.epochs=12", "train.checkpoint_steps=2"]);
    let folder = fs::read_dir(runs.path("run/checkpoint")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    let best = format!("epoch-{:05}", summary.best.unwrap().epoch);
    let latest = ["epoch-00011-step-000002", "epoch-00012"];
    let mut expected: Vec<String> = latest.map(str::to_owned).into();
    if best != latest[1] {
        expected.insert(0, best);
    }
    assert_eq!(names, expected);
}

#[test]
fn a_run_goes_on_longer_and_otherwise_as_it_was() {
    let runs = short();
    let constant = "schedule.name=constant";
    runs.run("whole", &[constant, "train.epochs=6"]);
    runs.run("run", &[constant]);
    let longer = [
        constant,
        "train.epochs=6",
        "data.workers=2",
        "train.checkpoint_every=3",
    ];
    runs.resume("run", &longer).unwrap();
    assert_eq!(runs.rows("run"), runs.rows("whole"));
    let written = runs.text("run/spec.toml");
    assert!(written.contains("epochs = 6"), "{written}");

    for (other, message) in [
        ("train.epochs=5", "train.epochs: 6, not 5"),
        ("optimizer.lr=0.2", "optimizer.lr: 0.05, not 0.2"),
    ] {
        let error = runs.resume("run", &[constant, "train.epochs=6", other]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

/// The default of its steps is a share of the epochs, and goes with them; steps that were asked for stay.
#[test]
fn a_longer_run_takes_the_steps_of_its_own_schedule() {
    let runs = Runs::new(&[
        "data.subset=200",
        "train.batch_size=50",
        "schedule.name=step",
        "model.name=mlp",
        "method.name=sgd",
        "optimizer.lr=0.5",
    ]);
    let rates = |name: &str| -> Vec<f64> {
        let rows = runs.rows(name).into_iter().skip(1);
        rows.map(|row| row.split(',').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    for (name, asked, last) in [
        // Every 4 of 12 epochs, and every 2 of 6.
        ("default", &[][..], 0.5e-2),
        ("asked", &["schedule.step_size=2"], 0.5e-5),
    ] {
        let fresh = format!("{name}-fresh");
        runs.run(&fresh, &[asked, &["train.epochs=12"]].concat());
        runs.run(name, &[asked, &["train.epochs=6"]].concat());
        // As the program does it: the file, and what is set.
        let text = runs.text(&format!("{name}/spec.toml"));
        let (spec, _) = parse(&text, &["train.epochs=12"]).unwrap();
        train(&spec, &runs.path(name), Existing::Resume).unwrap();

        let (fresh, resumed) = (rates(&fresh), rates(name));
        assert_eq!(resumed[6..], fresh[6..], "{name}");
        let off = (resumed[11] / last - 1.0).abs();
        assert!(off < 1e-9, "{name}: {resumed:?}");
    }
}

/// Earlier versions wrote all values down: they count as asked for.
#[test]
fn a_run_with_all_values_in_its_spec_goes_on_and_keeps_them() {
    let runs = short();
    let settings = ["model.name=mlp", "schedule.name=step"];
    runs.run("run", &settings);
    let old = runs.spec(&settings).resolved().unwrap().to_toml().unwrap();
    fs::write(runs.path("run/spec.toml"), &old).unwrap();
    // The same by other words.
    runs.resume("run", &settings).unwrap();

    fs::write(runs.path("run/spec.toml"), &old).unwrap();
    let (longer, _) = parse(&old, &["train.epochs=6"]).unwrap();
    let summary = train(&longer, &runs.path("run"), Existing::Resume).unwrap();
    let spec = summary.spec.unwrap();
    assert_eq!(spec["train"]["epochs"], 6.into());
    assert_eq!(spec["schedule"]["step_size"], 2.into());
}

#[test]
fn a_batch_has_no_more_parts_than_items() {
    let runs = short();
    for setting in ["train.micro_batches", "train.m_sharpness"] {
        let run = |count: &str| {
            let parts = format!("{setting}={count}");
            let small = ["model.name=mlp", "train.epochs=1", "data.subset=20"];
            runs.run(&parts, &[&small[..], &[&parts]].concat());
            runs.rows(&parts)
        };
        // Memory for as many parts as are asked for there is nowhere.
        assert_eq!(run("9000000000000000000"), run("20"));
    }
}

#[test]
fn a_run_goes_on_without_the_file_that_it_began_with() {
    let runs = short();
    let file = runs.path("w.pt");
    runs.run("first", &["model.name=mlp", "train.epochs=2"]);
    export(&runs.path("first"), &file, false).unwrap();
    let init = format!("train.init={}", file.display());
    let settings = ["model.name=mlp", &init];
    runs.run("whole", &settings);

    // Nothing to go on from yet: the file is needed, and named.
    let run = prepare(runs.spec(&settings), &runs.path("run"), Existing::Refuse);
    drop(run.unwrap());
    let gone = runs.path("gone");
    fs::rename(&file, &gone).unwrap();
    let error = runs.resume("run", &settings).unwrap_err();
    assert!(matches!(error, Error::NoInit { .. }), "{error}");
    let told = format!("the weights in {}, its train.init", file.display());
    assert!(error.to_string().contains(&told), "{error}");
    fs::rename(&gone, &file).unwrap();

    runs.interrupted("run", &settings, 6);
    fs::remove_file(&file).unwrap();
    runs.resume("run", &settings).unwrap();
    assert_eq!(runs.rows("run"), runs.rows("whole"));
}

#[test]
fn a_divergence_can_be_left_behind() {
    let runs = short();
    let directory = runs.path("run");
    let wild = |lr: &str| {
        runs.spec(&[
            "model.name=mlp",
            "method.name=sgd",
            "schedule.name=constant",
            "train.on_divergence=restore",
            lr,
        ])
    };
    let summary = train(&wild("optimizer.lr=1e6"), &directory, Existing::Refuse);
    // A thousandth of it is still too much.
    let error = summary.unwrap_err();
    assert!(matches!(error, Error::Step { .. }), "{error}");
    let summary = runs.text("run/run.json");
    assert!(summary.contains(r#""restored": 10"#), "{summary}");

    let (mut told, mut lrs) = (0, Vec::new());
    let run = prepare(wild("optimizer.lr=1e5"), &directory, Existing::Overwrite).unwrap();
    let summary = run
        .train(&StopSignal::default(), &mut |event| match event {
            Event::Restored { lr_factor, .. } => {
                told += 1;
                lrs.push(lr_factor);
            }
            Event::Epoch(row) => assert!(row.get("train_loss").unwrap().is_finite()),
            _ => {}
        })
        .unwrap();
    assert_eq!(summary.status, Status::Finished);
    assert!(told > 0 && summary.restored == told, "{summary:?}");
    let factors: Vec<f64> = (1..=told as i32).map(|n| 0.5f64.powi(n)).collect();
    assert_eq!(lrs, factors);
    let last = summary.last.unwrap();
    assert_eq!(last.get("lr"), Some(1e5 * 0.5f64.powi(told as i32)));
    assert_eq!(runs.rows("run").len(), 1 + 4);
}

#[test]
fn a_comparison_repeats_nothing_that_is_finished() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("comparison");
    let text = "
        [data]
        subset = 200
        [train]
        epochs = 2
        [compare]
        methods = ['sgd', 'xsam']
        seeds = [0, 1]
    ";
    let (spec, compare) = parse(text, &[]).unwrap();
    let compare = compare.unwrap();
    let run = |existing, stop_after: usize| {
        let comparison = Comparison::prepare(&spec, &compare, &directory, existing).unwrap();
        let stop = StopSignal::default();
        let mut epochs = 0;
        let summary = comparison
            .run(&stop, &mut |event| {
                if let Event::Epoch(_) = event {
                    epochs += 1;
                    if epochs == stop_after {
                        stop.stop();
                    }
                }
            })
            .unwrap();
        (summary, epochs)
    };
    let (summary, _) = run(Existing::Refuse, 3);
    assert_eq!(summary.status, Status::Interrupted);
    let made = |summary: &ComparisonSummary| summary.methods.iter().map(|m| m.runs).collect();
    let runs: Vec<usize> = made(&summary);
    assert_eq!(runs, [1, 0]);

    let (summary, epochs) = run(Existing::Resume, usize::MAX);
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(epochs, 8 - 3);
    let runs: Vec<usize> = made(&summary);
    assert_eq!(runs, [2, 2]);
    assert_eq!(summary.methods[0].time_ratio, Some(1.0));
    assert!(!summary.methods[0].spreads.contains_key("alpha"));
    for file in &summary.files {
        assert!(directory.join(file).metadata().unwrap().len() > 0, "{file}");
    }

    let (again, epochs) = run(Existing::Resume, usize::MAX);
    assert_eq!(epochs, 0);
    assert_eq!(again.methods[1].spreads, summary.methods[1].spreads);

    // The table is what the runs say.
    let accuracy = |seed: usize| {
        let run = common::summary(&directory.join(format!("xsam-seed{seed}")));
        run.last.unwrap().get("test_accuracy").unwrap()
    };
    let last = summary.methods[1].spreads["last"];
    assert!((last.mean - (accuracy(0) + accuracy(1)) / 2.0).abs() < 1e-12);
    let deviation = (accuracy(0) - accuracy(1)).abs() / 2f64.sqrt();
    assert!((last.deviation - deviation).abs() < 1e-12);
}

#[test]
fn a_loss_that_is_not_finite_is_told_and_stays_what_it_was() {
    // One step from the first weights, which leaves others of a size that overflows.
    let runs = Runs::new(&[
        "method.name=sgd",
        "optimizer.lr=1e30",
        "train.epochs=1",
        "train.batch_size=200",
        "data.subset=100",
    ]);
    let warning = "after epoch 1 validation_loss is NaN and test_loss is NaN";
    let run = |existing| {
        let run = prepare(runs.spec(&[]), &runs.path("run"), existing).unwrap();
        let (summary, before, after) = warned(run);
        assert_eq!(summary.warnings, [warning]);
        [before, after].concat()
    };
    assert_eq!(run(Existing::Refuse), [warning]);
    let before = runs.rows("run");
    assert!(before[1].contains(",NaN,"), "{before:?}");
    let text = runs.text("run/run.json");
    assert!(text.contains("\"test_loss\": \"NaN\""), "{text}");

    // What was told once is not told again, and is not forgotten.
    assert!(run(Existing::Resume).is_empty());
    assert_eq!(runs.rows("run"), before);
    assert!(runs.page("run").contains(warning));

    // The same from a process of a comparison, and from its files.
    let mut compare = Compare::default();
    (compare.methods, compare.seeds) = (vec!["sgd".to_owned()], vec![0]);
    let (spec, directory) = (runs.spec(&[]), runs.path("compared"));
    for existing in [Existing::Refuse, Existing::Resume] {
        let comparison = Comparison::prepare(&spec, &compare, &directory, existing).unwrap();
        let summary = comparison.run(&StopSignal::default(), &mut |_| {});
        let warnings = &summary.unwrap().methods[0].warnings;
        assert_eq!((warnings[0].seed, &*warnings[0].warnings[0]), (0, warning));
    }
    let html = runs.page("compared");
    assert!(html.contains(warning) && html.contains("sgd: test_loss is not finite in every run"));
}
