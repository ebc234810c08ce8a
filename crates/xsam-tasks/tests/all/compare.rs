//! Comparisons: which runs they make, what they choose, and what they refuse.

use std::cell::RefCell;
use std::fs;

use crate::common::{Comparison, Runs, parse, read};
use serde_json::Value;
use xsam_lab::compare::{
    Collected, ComparisonSummary, IndexedRun, ListedRun, MethodSummary, list_runs,
};
use xsam_lab::files::Existing;
use xsam_lab::{Error, Event, RunSummary, Status, StopSignal};
use xsam_report::draw_comparison;

/// Two steps an epoch.
fn small() -> Runs {
    Runs::new(&[
        "data.subset=100",
        "model.name=mlp",
        "model.width=8",
        "train.epochs=4",
        "train.batch_size=50",
    ])
}

/// The comparison `c`.
fn prepare(runs: &Runs, text: &str, existing: Existing) -> Result<Comparison, Error> {
    let (spec, compare) = runs.parse(text);
    Comparison::prepare(&spec, &compare, &runs.path("c"), existing)
}

/// Its summary, and the directories of the runs that it has made.
fn run(runs: &Runs, text: &str, existing: Existing) -> (ComparisonSummary, Vec<String>) {
    let (directory, made) = (runs.path("c"), RefCell::new(Vec::new()));
    let comparison = prepare(runs, text, existing).unwrap();
    let summary = comparison
        .run(&StopSignal::default(), &mut |event| {
            if let Event::Started { directory: run, .. } = event {
                let name = run.strip_prefix(&directory).unwrap();
                made.borrow_mut().push(name.display().to_string());
            }
        })
        .unwrap();
    let made = made.into_inner();
    if existing == Existing::Refuse && summary.status == Status::Finished {
        assert_eq!(made.len(), comparison.runs());
    }
    (summary, made)
}

fn json(runs: &Runs, file: &str) -> Value {
    read(runs.path("c").join(file))
}

fn rho(row: &MethodSummary) -> Option<f64> {
    row.method.as_ref().and_then(|method| method.rho())
}

#[test]
fn lists_of_values_are_rows() {
    let runs = small();
    let text = "
        [compare]
        methods = ['sgd', 'sam']
        seeds = [3]
        rho = [0.1, 0.2]
        ascent_steps = [1, 2]
    ";
    let (summary, made) = run(&runs, text, Existing::Refuse);
    let labels: Vec<&str> = summary.methods.iter().map(|m| m.label.as_str()).collect();
    let expected = [
        "sgd",
        "sam-rho0.1-k1",
        "sam-rho0.1-k2",
        "sam-rho0.2-k1",
        "sam-rho0.2-k2",
    ];
    assert_eq!(labels, expected);
    assert_eq!(made, expected.map(|label| format!("{label}-seed3")));
    let last = &summary.methods[4];
    let steps = last
        .method
        .as_ref()
        .and_then(|method| method.ascent_steps());
    assert_eq!((rho(last), steps), (Some(0.2), Some(2)));
    // Two steps in each of four epochs, of three passes each.
    assert_eq!(
        (last.gradient_passes, last.passes),
        (Some(24.0), Some(24.0))
    );
    assert!(last.seconds.unwrap() > 0.0);
    // One seed says nothing of deviations.
    assert_eq!(last.test_against_first, None);

    // What was asked for is in the spec of a run, and what it came to beside its results.
    let asked = runs.text("c/sam-rho0.2-k2-seed3/spec.toml");
    let method = asked.parse::<toml::Table>().unwrap()["method"].to_string();
    assert_eq!(method, "{ ascent_steps = 2, name = \"sam\", rho = 0.2 }");
    let (asked, _) = parse(&asked, &[]).unwrap();
    assert_eq!(asked.task.augmentation.flip, None);
    let came_to = &json(&runs, "sam-rho0.2-k2-seed3/run.json")["spec"];
    assert_eq!(came_to["method"]["rho"], 0.2);
    assert_eq!(came_to["augmentation"]["flip"], 0.0);

    // More of them are added to what there is.
    let longer = text.replace("rho = [0.1, 0.2]", "rho = [0.1, 0.2, 0.3]");
    let (_, made) = run(&runs, &longer, Existing::Resume);
    assert_eq!(made, ["sam-rho0.3-k1-seed3", "sam-rho0.3-k2-seed3"]);
}

#[test]
fn a_run_of_another_spec_is_refused_before_the_first_one() {
    let runs = small();
    let text = "
        [compare]
        methods = ['sgd', 'sam']
        seeds = [0]
    ";
    run(&runs, text, Existing::Refuse);
    let before = runs.rows("c/sam-seed0");
    let other = "
        [method]
        rho = 0.3
        [compare]
        methods = ['sgd', 'sam']
        seeds = [7, 0]
    ";
    let comparison = prepare(&runs, other, Existing::Resume).unwrap();
    let error = comparison
        .run(&StopSignal::default(), &mut |_| {})
        .unwrap_err();
    assert!(error.is_usage());
    assert!(
        error.to_string().contains("method.rho: 0.15, not 0.3"),
        "{error}"
    );
    assert!(!runs.path("c/sgd-seed7").exists());
    assert_eq!(runs.rows("c/sam-seed0"), before);
}

#[test]
fn methods_are_tested_against_the_first_one_over_the_seeds() {
    let runs = small();
    let text = "
        [compare]
        methods = ['sam', 'sgd']
        seeds = [0, 1, 2]
        [compare.sam]
        rho = 2.0
    ";
    let (summary, _) = run(&runs, text, Existing::Refuse);
    assert_eq!(summary.methods[0].test_against_first, None);
    let test = summary.methods[1].test_against_first.unwrap();
    let accuracy = |label: &str, seed: u64| {
        let run = json(&runs, &format!("{label}-seed{seed}/run.json"));
        run["last"]["test_accuracy"].as_f64().unwrap()
    };
    let differences: Vec<f64> = (0..3)
        .map(|seed| accuracy("sgd", seed) - accuracy("sam", seed))
        .collect();
    let mean = differences.iter().sum::<f64>() / 3.0;
    assert!((test.difference - mean).abs() < 1e-12);
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    let t = mean / (squares / 2.0 / 3.0).sqrt();
    assert!((test.t - t).abs() < 1e-9 * t.abs(), "{} and {t}", test.t);
    // With two degrees of freedom p has a closed form.
    let p = 1.0 - t.abs() / (2.0 + t * t).sqrt();
    assert!((test.p - p).abs() < 1e-9, "{} and {p}", test.p);

    let csv = runs.text("c/methods.csv");
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let sgd = lines.nth(1).unwrap();
    assert_eq!(head.len(), sgd.len());
    let column = head.iter().position(|name| *name == "p").unwrap();
    assert_eq!(sgd[column].parse(), Ok(test.p));
    let written = json(&runs, "compare.json");
    assert_eq!(written["methods"][1]["test_against_first"]["p"], test.p);
}

#[test]
fn at_equal_compute_all_have_as_many_passes() {
    let runs = small();
    let text = "
        [schedule]
        name = 'step'
        warmup = 1
        step_size = 2
        [compare]
        methods = ['sgd', 'sam', 'xsam', 'often', 'still']
        seeds = [0]
        equal_compute = true
        [compare.sam]
        ascent_steps = 2
        [compare.often]
        name = 'xsam'
        search = { every-steps = 2 }
        grid = [0, 1, 2]
        [compare.still]
        name = 'sam'
        rho = 0.0
    ";
    let (summary, _) = run(&runs, text, Existing::Refuse);
    assert!(summary.equal_compute);
    // xsam: 2 steps of 2 passes, and a search of 21 / 3 of one, in each of 4 epochs.
    let budget: f64 = 4.0 * (2.0 * 2.0 + 7.0);
    // Passes in an epoch. Without a length of ascent sam has one pass a step, as sgd.
    for (method, in_an_epoch) in summary.methods.iter().zip([2.0, 6.0, 11.0, 5.0, 2.0]) {
        let label = &method.label;
        let epochs = (budget / in_an_epoch).round();
        assert_eq!(method.epochs, Some(epochs as usize), "{label}");
        let passes = method.passes.unwrap();
        assert!((passes - epochs * in_an_epoch).abs() < 1e-9, "{label}");
        assert!((passes - budget).abs() <= in_an_epoch / 2.0, "{label}");
    }
    // The schedule spans the 22 epochs of sgd as it spans the 4 of the spec.
    let spec = runs.text("c/sgd-seed0/spec.toml");
    let (spec, _) = parse(&spec, &[]).unwrap();
    assert_eq!(spec.train.epochs, 22);
    let schedule = (spec.schedule.warmup, spec.schedule.step_size);
    assert_eq!(schedule, (6, Some(11)));
    // Curves are over passes then.
    draw_comparison(&runs.path("c")).unwrap();
    let plot = runs.text("c/train-loss.svg");
    assert!(plot.contains("forward-backward passes"));
}

/// The default of the steps is a share of the epochs that a method gets, as for a run of its own.
#[test]
fn at_equal_compute_a_default_follows_the_epochs() {
    let runs = small();
    let text = "
        [schedule]
        name = 'step'
        [compare]
        methods = ['sgd', 'sam']
        seeds = [0]
        equal_compute = true
        [compare.sam]
        ascent_steps = 2
    ";
    let (summary, _) = run(&runs, text, Existing::Refuse);
    assert_eq!(summary.methods[0].epochs, Some(12));
    let spec = |label: &str| {
        let spec = runs.text(&format!("c/{label}-seed0/spec.toml"));
        let (spec, _) = parse(&spec, &[]).unwrap();
        assert_eq!(spec.schedule.step_size, None, "{label}");
        spec.resolved().unwrap()
    };
    let (sgd, sam) = (spec("sgd"), spec("sam"));
    assert_eq!((sgd.train.epochs, sgd.schedule.step_size), (12, Some(4)));
    assert_eq!((sam.train.epochs, sam.schedule.step_size), (4, Some(2)));
    let (_, made) = run(&runs, text, Existing::Resume);
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn initial_weights_that_are_nowhere_are_missed_before_the_first_run() {
    let runs = small();
    let text = "
        [train]
        init = 'nowhere.safetensors'
        [compare]
        methods = ['sgd']
    ";
    let error = prepare(&runs, text, Existing::Refuse);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("nowhere.safetensors"), "{error}");
    assert!(!runs.path("c").exists());
}

const TUNED: &str = "
    [compare]
    methods = ['sgd', 'sam', 'xsam']
    seeds = [0, 1]
    tune_seeds = [1, 5]
    [compare.tune]
    rho = [0.05, 2.0]
    rho_max = [0.2, 4.0, 0.0]
";

#[test]
fn hyper_parameters_are_chosen_on_validation_data() {
    let runs = small();
    let (summary, made) = run(&runs, TUNED, Existing::Refuse);
    assert_eq!(summary.status, Status::Finished);
    let tuning = summary.tuning.as_ref().unwrap();
    assert_eq!(tuning.score.name, "accuracy");
    assert_eq!(tuning.seeds, [1, 5]);

    // sgd has neither field, sam one of them, and xsam cannot search at no distance.
    let labels: Vec<&str> = tuning.methods.iter().map(|m| m.label.as_str()).collect();
    assert_eq!(labels, ["sam", "xsam"]);
    let words = |m: usize| -> Vec<&str> {
        let candidates = tuning.methods[m].candidates.iter();
        candidates.map(|c| c.words.as_str()).collect()
    };
    assert_eq!(words(0), ["rho = 0.05", "rho = 2"]);
    let pairs = [
        "rho = 0.05, rho_max = 0.2",
        "rho = 0.05, rho_max = 4",
        "rho = 2, rho_max = 0.2",
        "rho = 2, rho_max = 4",
    ];
    assert_eq!(words(1), pairs);
    assert!(tuning.methods[0].omitted.is_empty());
    let omitted = &tuning.methods[1].omitted;
    assert_eq!(omitted.len(), 2);
    assert!(
        omitted[0].starts_with("xsam with rho = 0.05, rho_max = 0: `method.rho_max`"),
        "{omitted:?}"
    );

    // The candidates' numbers are those of their runs, and the highest is the one that is compared.
    for method in &tuning.methods {
        let label = &method.label;
        let validation = |suffix: &str, seed: u64| {
            let run = json(&runs, &format!("tune/{label}{suffix}-seed{seed}/run.json"));
            run["last"]["validation_accuracy"].as_f64().unwrap()
        };
        let mut best = (0, f64::MIN);
        for (c, candidate) in method.candidates.iter().enumerate() {
            let suffix: String = candidate
                .words
                .split(", ")
                .map(|word| format!("-{}", word.replace(" = ", "")))
                .collect();
            let mean = (validation(&suffix, 1) + validation(&suffix, 5)) / 2.0;
            assert!((candidate.validation.unwrap().mean - mean).abs() < 1e-12);
            if mean > best.1 {
                best = (c, mean);
            }
        }
        let chosen: Vec<usize> = (0..method.candidates.len())
            .filter(|&c| method.candidates[c].chosen)
            .collect();
        assert_eq!(chosen, [best.0], "{label}");
        let rho = method.candidates[best.0].values["rho"].as_float();
        let row = summary.methods.iter().find(|row| row.label == *label);
        assert_eq!(self::rho(row.unwrap()), rho, "{label}");
        assert_eq!(row.unwrap().runs, 2, "{label}");
    }

    // Twelve candidates' runs; then three methods from seed 0, and from seed 1 sgd alone: the others have theirs.
    let (tried, compared) = made.split_at(12);
    assert!(tried.iter().all(|name| name.starts_with("tune/")));
    assert_eq!(
        compared,
        ["sgd-seed0", "sam-seed0", "xsam-seed0", "sgd-seed1"]
    );
    let csv = runs.text("c/tuning.csv");
    assert_eq!(csv.lines().count(), 1 + 6);
    assert_eq!(csv.matches(",true").count(), 2);

    let (again, made) = run(&runs, TUNED, Existing::Resume);
    assert!(made.is_empty(), "{made:?}");
    assert_eq!(again.tuning, summary.tuning);
}

const HALVED: &str = "
    [compare]
    methods = ['sgd', 'sam']
    seeds = [0]
    tune_seeds = [1, 5, 6]
    halving = true
    [compare.tune]
    rho = [0.05, 0.1, 0.2, 0.4]
";

#[test]
fn by_halving_fewer_runs_are_made_and_those_are_the_same() {
    let runs = small();
    let (summary, made) = run(&runs, HALVED, Existing::Refuse);
    assert_eq!(summary.status, Status::Finished);
    // Four candidates, two of them, one of them; then sgd and sam.
    let tried = made.iter().filter(|name| name.starts_with("tune/"));
    let of_seed = |seed: u64| {
        let ending = format!("-seed{seed}");
        tried.clone().filter(|name| name.ends_with(&ending)).count()
    };
    assert_eq!([1, 5, 6].map(of_seed), [4, 2, 1]);
    assert_eq!(made.len(), 4 + 2 + 1 + 2);
    let (spec, compare) = runs.parse(HALVED);
    let existing = Existing::Resume;
    let comparison = Comparison::prepare(&spec, &compare, &runs.path("c"), existing).unwrap();
    assert_eq!(comparison.runs(), 4 + 2 + 1 + 2);
    drop(comparison);

    let candidates = &summary.tuning.as_ref().unwrap().methods[0].candidates;
    let mut made_of: Vec<usize> = candidates.iter().map(|c| c.runs).collect();
    made_of.sort_unstable();
    assert_eq!(made_of, [1, 1, 2, 3]);
    for candidate in candidates {
        let left_out = (candidate.runs < 3).then_some(candidate.runs);
        assert_eq!(candidate.left_out_after, left_out);
        assert_eq!(candidate.chosen, candidate.runs == 3);
    }
    // A candidate's run is that of the whole grid, and what is there is not made again.
    let grid = small();
    run(
        &grid,
        &HALVED.replace("halving = true", ""),
        Existing::Refuse,
    );
    for name in tried {
        let same = |runs: &Runs| runs.rows(&format!("c/{name}"));
        assert_eq!(same(&runs), same(&grid), "{name}");
    }
    let (again, more) = run(&runs, HALVED, Existing::Resume);
    assert!(more.is_empty(), "{more:?}");
    assert_eq!(again.tuning, summary.tuning);
}

#[test]
fn halving_needs_an_order() {
    let runs = small();
    let error = run_index(&runs, HALVED, 0).unwrap_err();
    assert!(error.is_usage());
    assert!(error.to_string().contains("--jobs"), "{error}");
    let one = HALVED.replace("[1, 5, 6]", "[1]");
    let error = prepare(&runs, &one, Existing::Refuse).unwrap_err();
    assert!(
        error.to_string().starts_with("`compare.halving`: needs"),
        "{error}"
    );
}

/// Makes a run of the comparison `c` by its number.
fn run_index(runs: &Runs, text: &str, index: usize) -> Result<IndexedRun, Error> {
    let (spec, compare) = runs.parse(text);
    let directory = runs.path("c");
    let existing = Existing::Refuse;
    let comparison = Comparison::join(&spec, &compare, &directory, existing, Some(index))?;
    comparison.run_index(index, &StopSignal::default(), &mut |_| {})
}

fn collect(runs: &Runs, text: &str) -> Collected {
    let (spec, compare) = runs.parse(text);
    let directory = runs.path("c");
    let comparison = Comparison::join(&spec, &compare, &directory, Existing::Refuse, None);
    comparison.unwrap().collect().unwrap()
}

#[test]
fn runs_by_number_are_those_of_a_comparison_in_its_order() {
    let (whole, made) = run(&small(), TUNED, Existing::Refuse);
    let runs = small();
    let (spec, compare) = runs.parse(TUNED);
    let listed = || list_runs(&spec, &compare, &runs.path("c")).unwrap();
    let names: Vec<String> = listed()
        .iter()
        .map(|run| {
            let name = run.directory.strip_prefix(runs.path("c")).unwrap();
            assert_eq!((run.tunes, run.status), (name.starts_with("tune"), None));
            name.display().to_string()
        })
        .collect();
    assert_eq!(names, made);
    assert!(!runs.path("c").exists());

    // A method that is not tuned waits for nothing, another one for its own candidates.
    run_index(&runs, TUNED, 12).unwrap();
    for index in [0, 6] {
        run_index(&runs, TUNED, index).unwrap();
    }
    let refused = run_index(&runs, TUNED, 13).unwrap_err();
    assert!(!refused.is_usage());
    assert_eq!(
        refused.to_string(),
        "the hyper-parameters of sam are not chosen yet: first finish the runs 1,7 (--run-index)"
    );
    let Collected { summary, missing } = collect(&runs, TUNED);
    assert_eq!(summary.status, Status::Running);
    assert_eq!(missing, [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15]);
    let done: Vec<usize> = summary.methods.iter().map(|method| method.runs).collect();
    assert_eq!(done, [1, 0, 0]);

    // What is chosen for one does not wait for what is tried of another.
    for index in [1, 7, 13] {
        run_index(&runs, TUNED, index).unwrap();
    }
    for index in 0..16 {
        let run = run_index(&runs, TUNED, index).unwrap();
        assert_eq!(run.summary.status, Status::Finished);
    }
    let finished = |run: &ListedRun| run.status == Some(Status::Finished);
    assert!(listed().iter().all(finished));

    let collected = collect(&runs, TUNED);
    assert!(collected.missing.is_empty());
    let collected = collected.summary;
    assert_eq!(collected.status, Status::Finished);
    assert_eq!(collected.tuning, whole.tuning);
    for (collected, whole) in collected.methods.iter().zip(&whole.methods) {
        assert_eq!(collected.spreads["last"], whole.spreads["last"]);
        assert_eq!(collected.folders, whole.folders);
        assert_eq!(collected.method, whole.method);
    }
    assert!(run_index(&runs, TUNED, 16).unwrap_err().is_usage());
}

#[test]
fn what_failed_is_collected_as_such() {
    let text = "
        [compare]
        methods = ['sgd']
        seeds = [0, 1]
        tune_seeds = [2]
        [compare.tune.optimizer]
        lr = [1e30, 0.05]
    ";
    let runs = small();
    let failed = run_index(&runs, text, 0).unwrap_err();
    assert!(matches!(failed, Error::Step { .. }), "{failed}");
    // One that diverged is over, and is not chosen.
    run_index(&runs, text, 1).unwrap();
    run_index(&runs, text, 2).unwrap();
    let Collected { summary, missing } = collect(&runs, text);
    assert_eq!((summary.status, missing), (Status::Running, vec![3]));
    run_index(&runs, text, 3).unwrap();
    let Collected { summary, missing } = collect(&runs, text);
    assert_eq!((summary.status, missing), (Status::Finished, vec![]));
    let told = "sgd with optimizer.lr = 1e30, seed 2: epoch 1";
    assert!(summary.failures[0].starts_with(told));

    let runs = small();
    let text = text.replace(", 0.05", ", 2e30");
    for index in [0, 1] {
        run_index(&runs, &text, index).unwrap_err();
    }
    let nothing = "sgd: none of its candidates could be run from every seed";
    let refused = run_index(&runs, &text, 2).unwrap_err().to_string();
    assert_eq!(refused, nothing);
    let Collected { summary, missing } = collect(&runs, &text);
    assert_eq!((summary.status, missing), (Status::Failed, vec![]));
    assert_eq!(summary.failures[2], nothing);

    let runs = small();
    let text = "
        [optimizer]
        lr = 1e30
        [compare]
        methods = ['sgd']
        seeds = [0]
    ";
    run_index(&runs, text, 0).unwrap_err();
    let Collected { summary, missing } = collect(&runs, text);
    assert_eq!((summary.status, missing), (Status::Failed, vec![0]));
    assert!(summary.failures[0].starts_with("sgd, seed 0: epoch 1"));
}

#[test]
fn nothing_is_chosen_before_everything_is_tried() {
    let runs = small();
    let comparison = prepare(&runs, TUNED, Existing::Refuse).unwrap();
    let stop = StopSignal::default();
    let mut ended = 0;
    let summary = comparison
        .run(&stop, &mut |event| {
            if let Event::Ended(_) = event {
                ended += 1;
                if ended == 9 {
                    stop.stop();
                }
            }
        })
        .unwrap();
    drop(comparison);
    assert_eq!(summary.status, Status::Interrupted);
    let tuning = summary.tuning.unwrap();
    let chosen = tuning.methods.iter().flat_map(|method| &method.candidates);
    assert_eq!(chosen.filter(|candidate| candidate.chosen).count(), 0);
    assert_eq!(summary.methods[1].method, None);

    let (resumed, _) = run(&runs, TUNED, Existing::Resume);
    let (undisturbed, _) = run(&small(), TUNED, Existing::Refuse);
    assert_eq!(resumed.tuning, undisturbed.tuning);
    for (resumed, undisturbed) in resumed.methods.iter().zip(&undisturbed.methods) {
        assert_eq!(resumed.spreads, undisturbed.spreads);
    }
}

#[test]
fn a_candidate_that_diverges_is_not_chosen() {
    let text = "
        [compare]
        methods = ['sgd']
        seeds = [0]
        [compare.tune.optimizer]
        lr = [1e30, 0.05]
    ";
    let (summary, _) = run(&small(), text, Existing::Refuse);
    assert_eq!(summary.status, Status::Finished);
    let failure = &summary.failures[0];
    let told = "sgd with optimizer.lr = 1e30, seed 0: epoch 1";
    assert!(failure.starts_with(told), "{failure}");
    let candidates = &summary.tuning.unwrap().methods[0].candidates;
    assert_eq!((candidates[0].runs, candidates[0].chosen), (0, false));
    assert_eq!((candidates[1].runs, candidates[1].chosen), (1, true));

    let text = text.replace(", 0.05", ", 2e30");
    let (summary, _) = run(&small(), &text, Existing::Refuse);
    assert_eq!(summary.status, Status::Failed);
    assert_eq!(summary.methods[0].runs, 0);
    assert_eq!(
        summary.failures[2],
        "sgd: none of its candidates could be run from every seed"
    );
}

#[test]
fn one_comparison_at_a_time_is_at_work_in_a_directory() {
    let runs = small();
    let text = "[compare]\nmethods = ['sgd']\nseeds = [0]";
    let first = prepare(&runs, text, Existing::Refuse).unwrap();
    for existing in [Existing::Resume, Existing::Overwrite] {
        let error = prepare(&runs, text, existing).unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{error}");
    }
    assert!(runs.path("c/compare.json").exists());
    drop(first);
    run(&runs, text, Existing::Overwrite);
}

#[test]
fn a_comparison_that_was_killed_at_its_very_start_can_be_resumed() {
    let runs = small();
    let text = "[compare]\nmethods = ['sgd']\nseeds = [0]";
    drop(prepare(&runs, text, Existing::Refuse).unwrap());
    // The spec is written before the marker.
    fs::remove_file(runs.path("c/compare.json")).unwrap();
    // Of a run, the marker before the spec.
    let run_directory = runs.path("c/sgd-seed0");
    fs::create_dir(&run_directory).unwrap();
    let begun = serde_json::to_string(&RunSummary::default()).unwrap();
    fs::write(run_directory.join("run.json"), begun).unwrap();
    let (summary, made) = run(&runs, text, Existing::Resume);
    assert_eq!((summary.status, made.len()), (Status::Finished, 1));

    // What somebody else has written is not ours to go on with.
    let foreign = small();
    fs::create_dir(foreign.path("c")).unwrap();
    fs::write(foreign.path("c/spec.toml"), "mine").unwrap();
    let error = prepare(&foreign, text, Existing::Resume).unwrap_err();
    assert!(matches!(error, Error::NotOurs { .. }), "{error}");
}

#[test]
fn a_sweep_over_the_data_compares_under_each_of_its_conditions() {
    let runs = small();
    let text = "
        [compare]
        methods = ['sgd', 'sam']
        seeds = [0, 1]
        [compare.sweep.data]
        label_noise = [0.0, 0.5]
    ";
    let (summary, made) = run(&runs, text, Existing::Refuse);
    assert_eq!(made.len(), 8);
    assert_eq!(made[0], "sgd-data.label_noise0-seed0");
    let changed = |name: &str| {
        json(&runs, &format!("{name}-seed0/run.json"))["facts"]["changed_labels"].clone()
    };
    assert_eq!(changed("sgd-data.label_noise0"), 0);
    assert_ne!(changed("sgd-data.label_noise0.5"), 0);

    let sweep = summary.sweep.as_ref().unwrap();
    assert_eq!(sweep.slices.len(), 2);
    assert_eq!(sweep.over_conditions.len(), 2);
    // sam against sgd under the same noise, and no other pair.
    let pairs = summary
        .pairs
        .iter()
        .map(|pair| (&*pair.first, &*pair.second));
    let expected = [
        ("sgd-data.label_noise0", "sam-data.label_noise0"),
        ("sgd-data.label_noise0.5", "sam-data.label_noise0.5"),
    ];
    assert_eq!(pairs.collect::<Vec<_>>(), expected);
    assert!(summary.sentences[0].starts_with("At data.label_noise 0, "));
    // What is written is what is told.
    let written = ComparisonSummary::read(&runs.path("c")).unwrap();
    assert_eq!(written.sentences, summary.sentences);
    assert_eq!(written.sweep, summary.sweep);
    assert_eq!(written.pairs, summary.pairs);
}

#[test]
fn a_run_that_learns_nothing_is_named() {
    let runs = Runs::new(&[
        "data.subset=300",
        "model.name=mlp",
        "model.width=32",
        "train.epochs=6",
        "train.batch_size=50",
    ]);
    // Steps that are too small to leave the start.
    let text = "
        [compare]
        methods = ['sgd']
        seeds = [0, 1]
        [compare.sweep.optimizer]
        lr = [1e-9, 0.1]
    ";
    let (summary, _) = run(&runs, text, Existing::Refuse);
    let [nothing, something] = &summary.methods[..] else {
        panic!("{summary:?}")
    };
    assert_eq!(nothing.collapsed, [0, 1]);
    assert_eq!(something.collapsed, [0u64; 0]);
    let told = "Collapsed, no better than guessing or with nothing learned: 2 of 2 runs of sgd-optimizer.lr1e-9.";
    let sentence = summary.sentences.last().unwrap();
    assert!(sentence.starts_with(told), "{sentence}");
    let run = json(&runs, &format!("{}-seed0/run.json", nothing.label));
    assert!(run["chance"]["accuracy"].as_f64().unwrap() > 0.1);
    assert!(
        run["collapsed"]
            .as_str()
            .unwrap()
            .ends_with("that of guessing")
    );
    assert!(
        runs.text("c/methods.csv")
            .lines()
            .next()
            .unwrap()
            .contains(",collapsed,")
    );
}
