//! Runs and comparisons: files, interruption, going on.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{Comparison, Spec, export, interrupted, prepare, report, rows, train};
use xsam_lab::files::Existing;
use xsam_lab::spec::Compare;
use xsam_lab::{Error, Event, Metrics, RunSummary, Status, StopSignal};

fn spec(settings: &[&str]) -> Spec {
    let short = ["data.subset=200", "train.epochs=4", "train.batch_size=50"];
    common::spec(&short, settings)
}

#[test]
fn a_run_leaves_its_files() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("run");
    let summary = train(&spec(&[]), &directory, Existing::Refuse).unwrap();
    assert_eq!((summary.status, summary.epochs), (Status::Finished, 4));
    assert_eq!(summary.gradient_passes, 4 * 4 * 2);
    assert_eq!(summary.search_passes, 4 * 21);

    let rows = rows(&directory);
    assert_eq!(rows.len(), 1 + 4);
    let columns = rows[0].split(',').count();
    assert!(rows.iter().all(|row| row.split(',').count() == columns));
    let read = fs::read_to_string(directory.join("run.json")).unwrap();
    let read: RunSummary = serde_json::from_str(&read).unwrap();
    assert_eq!(read, summary);
    let written = fs::read_to_string(directory.join("spec.toml")).unwrap();
    let (written, _) = Spec::parse(&written, &[]).unwrap();
    // What was asked for, beside what it came to.
    assert_eq!(written, spec(&[]));
    let came_to = spec(&[]).resolved().unwrap().to_table().unwrap();
    assert_eq!(summary.spec, Some(came_to));
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let parent = tempfile::tempdir().unwrap();
    let run = |name: &str, settings: &[&str]| {
        let directory = parent.path().join(name);
        train(&spec(settings), &directory, Existing::Refuse).unwrap();
        rows(&directory)
    };
    assert_eq!(run("a", &[]), run("b", &[]));
    assert_ne!(run("c", &["train.seed=1"])[1..], run("d", &[])[1..]);
}

#[test]
fn epochs_that_are_not_evaluated_train_as_the_others() {
    let parent = tempfile::tempdir().unwrap();
    let run = |name: &str, settings: &[&str]| {
        let directory = parent.path().join(name);
        let summary = train(&spec(settings), &directory, Existing::Refuse).unwrap();
        (rows(&directory), summary)
    };
    let (all, _) = run("all", &[]);
    let (some, summary) = run("some", &["train.evaluate_every=3"]);
    for (epoch, (all, some)) in all.iter().zip(&some).enumerate() {
        // The head, the third epoch and the last.
        if [0, 3, 4].contains(&epoch) {
            assert_eq!(all, some);
            continue;
        }
        let fields = all.split(',').zip(some.split(','));
        let left_out: Vec<usize> = fields
            .enumerate()
            .filter(|(_, (_, some))| some.is_empty())
            .filter(|(_, (all, some))| all != some)
            .map(|(column, _)| column)
            .collect();
        assert_eq!(left_out, [5, 6, 7, 8], "{some}");
    }
    assert!([3, 4].contains(&summary.best.unwrap().epoch));
    let accuracy = |line: &str| line.split(',').nth(8).unwrap().parse::<f64>().unwrap();
    let mean = (accuracy(&some[3]) + accuracy(&some[4])) / 2.0;
    assert!((summary.mean_of_last_5.unwrap() - mean).abs() < 1e-12);
}

#[test]
fn an_interrupted_run_goes_on_as_if_nothing_had_been() {
    let parent = tempfile::tempdir().unwrap();
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
        let spec = spec(settings);
        let whole = parent.path().join(format!("{name}-whole"));
        let summary = train(&spec, &whole, Existing::Refuse).unwrap();

        let parts = parent.path().join(format!("{name}-parts"));
        // Within the first epoch, within the third, and after one more step.
        let first = interrupted(&spec, &parts, Existing::Refuse, 2);
        assert_eq!((first.status, first.epochs), (Status::Interrupted, 0));
        let second = interrupted(&spec, &parts, Existing::Resume, 2 + 4 + 1);
        assert_eq!((second.status, second.epochs), (Status::Interrupted, 2));
        interrupted(&spec, &parts, Existing::Resume, 1);
        let place = parts.join("checkpoint/epoch-00002-step-000002");
        assert!(place.exists());
        let last = train(&spec, &parts, Existing::Resume).unwrap();

        assert_eq!(rows(&parts), rows(&whole));
        let best = |summary: &RunSummary| summary.best.as_ref().map(|row| row.epoch);
        assert_eq!(best(&last), best(&summary));
        assert_eq!(weights_of(&parts, &spec), weights_of(&whole, &spec));
        assert_eq!(searched(&parts), searched(&whole));
        // A finished run has nothing left to do.
        let again = train(&spec, &parts, Existing::Resume).unwrap();
        assert_eq!(again.epochs, 4);
        assert_eq!(rows(&parts), rows(&whole));
    }
}

#[test]
fn an_evaluation_that_was_stopped_is_made_again() {
    let parent = tempfile::tempdir().unwrap();
    let spec = spec(&["train.evaluate_every=2", "data.label_noise=0.3"]);
    let whole = parent.path().join("whole");
    train(&spec, &whole, Existing::Refuse).unwrap();

    // After the last step of an epoch that is evaluated, of one that is not, and of the last one.
    let parts = parent.path().join("parts");
    let second = interrupted(&spec, &parts, Existing::Refuse, 2 * 4);
    assert_eq!((second.status, second.epochs), (Status::Interrupted, 1));
    assert!(parts.join("checkpoint/epoch-00001-step-000004").exists());
    let third = interrupted(&spec, &parts, Existing::Resume, 4);
    assert_eq!((third.status, third.epochs), (Status::Interrupted, 3));
    let fourth = interrupted(&spec, &parts, Existing::Resume, 4);
    assert_eq!((fourth.status, fourth.epochs), (Status::Interrupted, 3));
    let last = train(&spec, &parts, Existing::Resume).unwrap();

    assert_eq!(last.status, Status::Finished);
    assert_eq!(rows(&parts), rows(&whole));
    assert_eq!(weights_of(&parts, &spec), weights_of(&whole, &spec));
    assert_eq!(searched(&parts), searched(&whole));
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
fn weights_of(directory: &Path, spec: &Spec) -> Vec<Vec<f64>> {
    use burn::module::Module;
    use burn::tensor::Device;
    use xsam_models::state;
    let model = spec
        .task
        .model_config(spec.task.data.name.sizes().unwrap())
        .unwrap()
        .init(0, &Device::flex())
        .unwrap();
    let path = directory.join("checkpoint/epoch-00004/model.bpk");
    let model = model.try_load_file(path).unwrap();
    state::values(&model)
        .into_iter()
        .map(|(_, values)| values)
        .collect()
}

#[test]
fn augmented_images_are_the_same_whoever_prepares_them() {
    let parent = tempfile::tempdir().unwrap();
    let run = |name: &str, settings: &[&str]| {
        let directory = parent.path().join(name);
        let summary = train(&spec(settings), &directory, Existing::Refuse).unwrap();
        let share = summary.waiting_share.unwrap();
        assert!((0.0..1.0).contains(&share), "{share}");
        rows(&directory)
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
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("run");
    train(&spec(&[]), &directory, Existing::Refuse).unwrap();
    let before = rows(&directory);
    let error = train(&spec(&["train.seed=1"]), &directory, Existing::Refuse).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }) && error.is_usage());

    let error = train(&spec(&["method.rho=0.3"]), &directory, Existing::Resume).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("method.rho: 0.15, not 0.3"), "{message}");
    assert_eq!(rows(&directory), before);

    train(&spec(&["train.seed=1"]), &directory, Existing::Overwrite).unwrap();
    assert_ne!(rows(&directory), before);
}

#[test]
fn a_run_that_diverges_says_where_and_keeps_what_there_was() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("run");
    let spec = spec(&[
        "optimizer.lr=1e30",
        "method.name=sgd",
        "schedule.name=constant",
    ]);
    let error = train(&spec, &directory, Existing::Refuse).unwrap_err();
    assert!(matches!(error, Error::Step { epoch: 1, .. }), "{error}");
    assert!(
        error.to_string().contains("lower the learning rate"),
        "{error}"
    );
    let summary = fs::read_to_string(directory.join("run.json")).unwrap();
    assert!(summary.contains(r#""status": "failed""#), "{summary}");
}

#[test]
fn damaged_checkpoints_are_named() {
    let parent = tempfile::tempdir().unwrap();
    for file in ["model.bpk", "optimizer.bpk", "position.json"] {
        let directory = parent.path().join(file);
        interrupted(&spec(&[]), &directory, Existing::Refuse, 6);
        let path = directory
            .join("checkpoint/epoch-00001-step-000002")
            .join(file);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 3] ^= 1;
        for damaged in [&bytes[..bytes.len() / 2], &flipped] {
            fs::write(&path, damaged).unwrap();
            let error = train(&spec(&[]), &directory, Existing::Resume).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(file), "{error}");
            assert!(
                error.contains("epoch-00001 is whole, and --recover goes on from there"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_run_recovers_from_a_damaged_checkpoint() {
    let parent = tempfile::tempdir().unwrap();
    let whole = parent.path().join("whole");
    train(&spec(&[]), &whole, Existing::Refuse).unwrap();

    let directory = parent.path().join("run");
    interrupted(&spec(&[]), &directory, Existing::Refuse, 6);
    let latest = directory.join("checkpoint/epoch-00001-step-000002");
    fs::remove_file(latest.join("optimizer.bpk")).unwrap();
    train(&spec(&[]), &directory, Existing::Recover).unwrap();
    assert_eq!(rows(&directory), rows(&whole));
    assert_eq!(
        weights_of(&directory, &spec(&[])),
        weights_of(&whole, &spec(&[]))
    );

    // Where nothing is whole there is nothing to go on from.
    let other = parent.path().join("other");
    interrupted(&spec(&[]), &other, Existing::Refuse, 2);
    fs::write(
        other.join("checkpoint/epoch-00000-step-000002/model.bpk"),
        "",
    )
    .unwrap();
    let error = train(&spec(&[]), &other, Existing::Recover).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("it has 0 of"), "{error}");
    assert!(error.contains("no other checkpoint is whole"), "{error}");
}

#[test]
fn a_checkpoint_of_another_model_or_version_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let small = spec(&["model.name=mlp"]);
    let (a, b) = (parent.path().join("a"), parent.path().join("b"));
    train(&small, &a, Existing::Refuse).unwrap();
    train(&spec(&[]), &b, Existing::Refuse).unwrap();
    let latest = "checkpoint/epoch-00004";
    fs::remove_dir_all(a.join(latest)).unwrap();
    fs::rename(b.join(latest), a.join(latest)).unwrap();
    let error = train(&small, &a, Existing::Resume).unwrap_err();
    assert!(error.to_string().contains("model.bpk"), "{error}");

    let manifest = a.join("checkpoint/epoch-00003/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace(r#""version":3"#, r#""version":1"#)).unwrap();
    fs::remove_dir_all(a.join(latest)).unwrap();
    let error = train(&small, &a, Existing::Resume).unwrap_err().to_string();
    assert!(error.contains("its version is 1"), "{error}");
}

#[test]
fn the_latest_checkpoints_and_the_best_are_kept() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("run");
    let spec = spec(&["train.epochs=12", "train.checkpoint_steps=2"]);
    let summary = train(&spec, &directory, Existing::Refuse).unwrap();
    let folder = fs::read_dir(directory.join("checkpoint")).unwrap();
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
    let parent = tempfile::tempdir().unwrap();
    let constant = ["schedule.name=constant"];
    let more = |settings: &[&'static str]| spec(&[&constant[..], settings].concat());
    let whole = parent.path().join("whole");
    train(&more(&["train.epochs=6"]), &whole, Existing::Refuse).unwrap();

    let directory = parent.path().join("run");
    train(&more(&[]), &directory, Existing::Refuse).unwrap();
    let longer = more(&[
        "train.epochs=6",
        "data.workers=2",
        "train.checkpoint_every=3",
    ]);
    train(&longer, &directory, Existing::Resume).unwrap();
    assert_eq!(rows(&directory), rows(&whole));
    let written = fs::read_to_string(directory.join("spec.toml")).unwrap();
    assert!(written.contains("epochs = 6"), "{written}");

    for (other, message) in [
        ("train.epochs=5", "train.epochs: 6, not 5"),
        ("optimizer.lr=0.2", "optimizer.lr: 0.05, not 0.2"),
    ] {
        let other = more(&["train.epochs=6", other]);
        let error = train(&other, &directory, Existing::Resume).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// The default of its steps is a share of the epochs, and goes with them; steps that were asked for stay.
#[test]
fn a_longer_run_takes_the_steps_of_its_own_schedule() {
    let parent = tempfile::tempdir().unwrap();
    let step = [
        "schedule.name=step",
        "model.name=mlp",
        "method.name=sgd",
        "optimizer.lr=0.5",
    ];
    let rates = |directory: &Path| -> Vec<f64> {
        let rows = rows(directory).into_iter().skip(1);
        rows.map(|row| row.split(',').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    for (name, asked, last) in [
        // Every 4 of 12 epochs, and every 2 of 6.
        ("default", &[][..], 0.5e-2),
        ("asked", &["schedule.step_size=2"], 0.5e-5),
    ] {
        let of = |epochs: &'static str| spec(&[&step[..], asked, &[epochs]].concat());
        let fresh = parent.path().join(format!("{name}-fresh"));
        train(&of("train.epochs=12"), &fresh, Existing::Refuse).unwrap();
        let resumed = parent.path().join(name);
        train(&of("train.epochs=6"), &resumed, Existing::Refuse).unwrap();
        // As the program does it: the file, and what is set.
        let text = fs::read_to_string(resumed.join("spec.toml")).unwrap();
        let (spec, _) = Spec::parse(&text, &["train.epochs=12".to_owned()]).unwrap();
        train(&spec, &resumed, Existing::Resume).unwrap();

        let (fresh, resumed) = (rates(&fresh), rates(&resumed));
        assert_eq!(resumed[6..], fresh[6..], "{name}");
        assert!(
            (resumed[11] / last - 1.0).abs() < 1e-9,
            "{name}: {resumed:?}"
        );
    }
}

/// Earlier versions wrote all values down: they count as asked for.
#[test]
fn a_run_with_all_values_in_its_spec_goes_on_and_keeps_them() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("run");
    let settings = ["model.name=mlp", "schedule.name=step"];
    train(&spec(&settings), &directory, Existing::Refuse).unwrap();
    let file = directory.join("spec.toml");
    let old = spec(&settings).resolved().unwrap();
    fs::write(&file, old.to_toml().unwrap()).unwrap();
    // The same by other words.
    train(&spec(&settings), &directory, Existing::Resume).unwrap();

    fs::write(&file, old.to_toml().unwrap()).unwrap();
    let longer = ["train.epochs=6".to_owned()];
    let (longer, _) = Spec::parse(&fs::read_to_string(&file).unwrap(), &longer).unwrap();
    let summary = train(&longer, &directory, Existing::Resume).unwrap();
    let spec = summary.spec.unwrap();
    assert_eq!(spec["train"]["epochs"], 6.into());
    assert_eq!(spec["schedule"]["step_size"], 2.into());
}

#[test]
fn a_batch_has_no_more_parts_than_items() {
    let parent = tempfile::tempdir().unwrap();
    for (i, setting) in ["train.micro_batches", "train.m_sharpness"]
        .iter()
        .enumerate()
    {
        let run = |count: &str, name: &str| {
            let setting = format!("{setting}={count}");
            let directory = parent.path().join(format!("{i}{name}"));
            let short = [
                "model.name=mlp",
                "train.epochs=1",
                "data.subset=20",
                &setting,
            ];
            train(&spec(&short), &directory, Existing::Refuse).unwrap();
            rows(&directory)
        };
        // Memory for as many parts as are asked for there is nowhere.
        assert_eq!(run("9000000000000000000", "most"), run("20", "as-many"));
    }
}

#[test]
fn a_run_goes_on_without_the_file_that_it_began_with() {
    let parent = tempfile::tempdir().unwrap();
    let (first, file) = (parent.path().join("first"), parent.path().join("w.pt"));
    let short = ["model.name=mlp", "train.epochs=2"];
    train(&spec(&short), &first, Existing::Refuse).unwrap();
    export(&first, &file, false).unwrap();
    let init = format!("train.init={}", file.display());
    let spec = |epochs| spec(&["model.name=mlp", &init, epochs]);
    let whole = parent.path().join("whole");
    train(&spec("train.epochs=4"), &whole, Existing::Refuse).unwrap();

    // Nothing to go on from yet: the file is needed, and named.
    let directory = parent.path().join("run");
    let run = prepare(spec("train.epochs=4"), &directory, Existing::Refuse);
    drop(run.unwrap());
    let gone = parent.path().join("gone");
    fs::rename(&file, &gone).unwrap();
    let error = train(&spec("train.epochs=4"), &directory, Existing::Resume).unwrap_err();
    assert!(matches!(error, Error::NoInit { .. }), "{error}");
    let told = format!("the weights in {}, its train.init", file.display());
    assert!(error.to_string().contains(&told), "{error}");
    fs::rename(&gone, &file).unwrap();

    interrupted(&spec("train.epochs=4"), &directory, Existing::Resume, 6);
    fs::remove_file(&file).unwrap();
    train(&spec("train.epochs=4"), &directory, Existing::Resume).unwrap();
    assert_eq!(rows(&directory), rows(&whole));
}

#[test]
fn a_divergence_can_be_left_behind() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("run");
    let wild = |lr: &str| {
        spec(&[
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
    let summary = fs::read_to_string(directory.join("run.json")).unwrap();
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
    assert_eq!(rows(&directory).len(), 1 + 4);
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
    let (spec, compare) = Spec::parse(text, &[]).unwrap();
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
    assert_eq!(
        summary.methods.iter().map(|m| m.runs).collect::<Vec<_>>(),
        [1, 0]
    );

    let (summary, epochs) = run(Existing::Resume, usize::MAX);
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(epochs, 8 - 3);
    assert_eq!(
        summary.methods.iter().map(|m| m.runs).collect::<Vec<_>>(),
        [2, 2]
    );
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
        let path = directory.join(format!("xsam-seed{seed}/run.json"));
        let run: RunSummary = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let last: Metrics = run.last.unwrap();
        last.get("test_accuracy").unwrap()
    };
    let last = summary.methods[1].spreads["last"];
    assert!((last.mean - (accuracy(0) + accuracy(1)) / 2.0).abs() < 1e-12);
    let deviation = (accuracy(0) - accuracy(1)).abs() / 2f64.sqrt();
    assert!((last.deviation - deviation).abs() < 1e-12);
}

#[test]
fn a_loss_that_is_not_finite_is_told_and_stays_what_it_was() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("run");
    // One step from the first weights, which leaves others of a size that overflows.
    let overflow = [
        "method.name=sgd",
        "optimizer.lr=1e30",
        "train.epochs=1",
        "train.batch_size=200",
        "data.subset=100",
    ];
    let run = |existing| {
        let mut told = Vec::new();
        let run = prepare(spec(&overflow), &directory, existing).unwrap();
        let summary = run.train(&StopSignal::default(), &mut |event| {
            if let Event::Warning(warning) = event {
                told.push(warning.to_owned());
            }
        });
        (summary.unwrap(), told)
    };
    let (summary, told) = run(Existing::Refuse);
    assert_eq!(told, summary.warnings);
    let warning = "after epoch 1 validation_loss is NaN and test_loss is NaN";
    assert_eq!(told, [warning]);
    let before = rows(&directory);
    assert!(before[1].contains(",NaN,"), "{before:?}");
    let text = fs::read_to_string(directory.join("run.json")).unwrap();
    assert!(text.contains("\"test_loss\": \"NaN\""), "{text}");

    // What was told once is not told again, and is not forgotten.
    let (resumed, told) = run(Existing::Resume);
    assert!(told.is_empty());
    assert_eq!(resumed.warnings, [warning]);
    assert_eq!(rows(&directory), before);
    let html = fs::read_to_string(report(&directory).unwrap()).unwrap();
    assert!(html.contains(warning));

    // The same from a process of a comparison, and from its files.
    let mut compare = Compare::default();
    (compare.methods, compare.seeds) = (vec!["sgd".to_owned()], vec![0]);
    let directory = parent.path().join("compared");
    let prepared =
        |existing| Comparison::prepare(&spec(&overflow), &compare, &directory, existing).unwrap();
    let stop = StopSignal::default();
    for existing in [Existing::Refuse, Existing::Resume] {
        let summary = prepared(existing).run(&stop, &mut |_| {}).unwrap();
        let warnings = &summary.methods[0].warnings;
        assert_eq!((warnings[0].seed, &*warnings[0].warnings[0]), (0, warning));
    }
    let html = fs::read_to_string(report(&directory).unwrap()).unwrap();
    assert!(html.contains(warning) && html.contains("sgd: test_loss is not finite in every run"));
}
