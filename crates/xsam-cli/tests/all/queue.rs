//! Comparisons whose runs are made by number, as the tasks of a job array do.
#![cfg(unix)]

use std::path::Path;
use std::thread;

use serde_json::Value;

use crate::common::{
    assert_contains, assert_fails, assert_status, assert_succeeds, await_that, fails, json, lines,
    metrics, signal, start, succeeds, text, xsam,
};

/// Runs of some tenths of a second, of SGD and SAM from two seeds.
const RUNS: &str = "compare --set data.subset=300 --set train.epochs=6 --set train.batch_size=20 \
                    --set method.rho=0.6 --methods sgd,sam --seeds 0,1 --threads 1 --quiet";

const NAMES: [&str; 4] = ["sgd-seed0", "sam-seed0", "sgd-seed1", "sam-seed1"];

/// What does not differ from time to time of the outcome of a comparison.
fn means(here: &Path, out: &str) -> Vec<Value> {
    let summary = json(here.join(out).join("compare.json"));
    let methods = summary["methods"].as_array().unwrap().iter();
    let means = methods.map(|method| {
        let names = ["label", "runs", "folders", "test_against_first", "passes"];
        let mut kept: Vec<Value> = names.iter().map(|name| method[name].clone()).collect();
        kept.push(method["spreads"]["last"].clone());
        Value::Array(kept)
    });
    means.collect()
}

/// The states of the runs of `c`, as they are listed.
fn states(here: &Path, line: &str) -> Vec<String> {
    let listed = lines(&succeeds(here, &format!("{line} --list-runs --json")));
    let states = listed.iter().enumerate().map(|(i, run)| {
        assert_eq!(run["index"], i);
        run["status"].as_str().unwrap_or("none").to_owned()
    });
    states.collect()
}

#[test]
fn runs_by_number_and_what_is_collected_are_the_same_as_a_comparison() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    succeeds(here, &format!("{RUNS} --out one"));
    let queued = format!("{RUNS} --out two");

    let listed = text(&succeeds(here, &format!("{queued} --list-runs")).stdout);
    assert_contains(&listed, &["two/sam-seed1", "not begun"]);
    assert_eq!(listed.lines().count(), 2 + 4, "{listed}");
    assert!(!here.join("two").exists());

    // All at once: the first one that comes makes the directory.
    thread::scope(|scope| {
        for index in [0, 2, 3] {
            let line = format!("{queued} --run-index {index}");
            scope.spawn(move || {
                let output = xsam(here, &line);
                assert_succeeds(&output);
                let run = format!("run {index}: ");
                assert_contains(&text(&output.stdout), &[&run, NAMES[index], "last epoch"]);
            });
        }
    });
    assert_eq!(
        states(here, &queued),
        ["finished", "none", "finished", "finished"]
    );
    let missing = xsam(here, &format!("{queued} --collect"));
    assert_fails(&missing, 1, "1 of 4 runs are missing: 1 (");
    assert_contains(&text(&missing.stdout), &["sam", "(1 of 2 runs)"]);
    assert_status(&here.join("two/compare.json"), "running");
    let line = lines(&xsam(here, "compare --resume two --collect --json")).pop();
    assert_eq!(line.unwrap()["missing"], serde_json::json!([1]));

    succeeds(
        here,
        "compare --resume two --run-index 1 --threads 1 --quiet",
    );
    let collected = lines(&succeeds(here, &format!("{queued} --collect --json"))).pop();
    assert_eq!(collected.unwrap()["missing"], serde_json::json!([]));
    assert_status(&here.join("two/compare.json"), "finished");
    assert!(here.join("two/report.html").exists());
    for name in NAMES {
        let [one, two] = ["one", "two"].map(|out| metrics(&here.join(out).join(name)));
        assert_eq!(one, two, "{name}");
    }
    assert_eq!(means(here, "one"), means(here, "two"));

    // One that is finished is not made again, and a comparison goes on with what there is.
    let begun = json(here.join("two/sgd-seed0/run.json"));
    let again = lines(&succeeds(here, &format!("{queued} --run-index 0 --json")));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0]["event"], "ended");
    assert_eq!(again[0]["run"], "two/sgd-seed0");
    succeeds(here, "compare --resume two --quiet");
    assert_eq!(json(here.join("two/sgd-seed0/run.json")), begun);
}

#[test]
fn what_cannot_be_is_refused_before_the_work() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let none = "there is no run 4: the comparison has 4, from 0 to 3";
    fails(here, &format!("{RUNS} --out c --run-index 4"), 2, none);
    for flags in [
        "--run-index 0 --collect",
        "--run-index 0 --jobs 2",
        "--run-index 0 --overwrite",
        "--list-runs --collect",
        "--collect --overwrite",
    ] {
        fails(
            here,
            &format!("{RUNS} --out c {flags}"),
            2,
            "cannot be used with",
        );
    }
    let nothing = "cannot read c/compare.json: ";
    fails(here, &format!("{RUNS} --out c --collect"), 1, nothing);
    assert!(!here.join("c").exists());

    succeeds(here, &format!("{RUNS} --out c --run-index 0"));
    let other = RUNS.replace("--seeds 0,1", "--seeds 1");
    for flag in ["--run-index 0", "--collect"] {
        let told = "c was run with another spec (compare.seeds: [0, 1], not [1])";
        fails(here, &format!("{other} --out c {flag}"), 2, told);
    }
    let foreign = format!("{RUNS} --out c/sgd-seed0 --run-index 0");
    fails(here, &foreign, 2, "was not written by xsam");
}

#[test]
fn a_run_by_number_that_is_asked_to_stop_goes_on_by_the_same_command() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let long = RUNS.replace("epochs=6", "epochs=50");
    succeeds(here, &format!("{long} --out whole --run-index 0"));
    let line = format!("{long} --out c --run-index 0");
    let child = start(here, &line);
    let checkpoint = here.join("c/sgd-seed0/checkpoint/epoch-00002");
    await_that(|| checkpoint.exists());
    // It has its run for as long as it is there.
    signal("STOP", child.id());
    assert_eq!(states(here, &format!("{long} --out c"))[0], "running");
    // The same run is not made twice, another one is, and nobody takes the whole comparison.
    let who = "c/sgd-seed0 is in use by `xsam compare";
    fails(here, &line, 1, who);
    succeeds(here, &format!("{long} --out c --run-index 2"));
    fails(here, "compare --resume c", 1, who);
    let missing = "3 of 4 runs are missing: 0-1,3 (";
    fails(here, "compare --resume c --collect", 1, missing);

    signal("TERM", child.id());
    signal("CONT", child.id());
    let told = "to go on: xsam compare --run-index 0 --resume c";
    assert_fails(&child.wait_with_output().unwrap(), 130, told);
    assert_status(&here.join("c/sgd-seed0/run.json"), "interrupted");
    assert_eq!(states(here, "compare --resume c")[0], "interrupted");
    succeeds(here, &line);
    let [whole, run] = ["whole", "c"].map(|out| metrics(&here.join(out).join("sgd-seed0")));
    assert_eq!(whole, run);

    // A comparison that is under way makes its runs itself.
    let head = start(here, "compare --resume c");
    await_that(|| here.join("c/sam-seed0/run.json").exists());
    signal("STOP", head.id());
    fails(
        here,
        &format!("{long} --out c --run-index 3"),
        1,
        "c is in use by `xsam compare --resume c`",
    );
    signal("KILL", head.id());
    head.wait_with_output().unwrap();
}
