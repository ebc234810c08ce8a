//! Sweeps: interrupted and gone on with, in parallel, by a launcher and by number, always with the same results.
#![cfg(unix)]

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::common::{
    assert_contains, assert_fails, assert_same_runs, await_that, fails, json, lines, start,
    succeeds, text, xsam,
};

/// Runs of some tenths of a second: SGD once, SAM at two rhos, from two seeds.
const RUNS: &str = "compare --set data.subset=300 --set train.epochs=8 --set train.batch_size=20 \
                    --set train.checkpoint_every=2 --methods sgd,sam --sweep rho=0.1,0.6 --seeds 0,1 --quiet";

const NAMES: [&str; 6] = [
    "sgd-seed0",
    "sam-rho0.1-seed0",
    "sam-rho0.6-seed0",
    "sgd-seed1",
    "sam-rho0.1-seed1",
    "sam-rho0.6-seed1",
];

#[track_caller]
fn assert_same_results(here: &Path, one: &str, other: &str) {
    assert_same_runs(here, [one, other], &NAMES);
    let [one, other] = [one, other].map(|out| json(here.join(out).join("compare.json")));
    for key in ["sweep", "pairs", "sentences", "seeds_needed"] {
        assert!(!one[key].is_null(), "{key}");
        assert_eq!(one[key], other[key], "{key}");
    }
}

#[test]
fn a_sweep_that_was_killed_goes_on_and_comes_to_the_same() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let told = text(&succeeds(here, &format!("{RUNS} --threads 1 --out whole")).stdout);
    assert_contains(
        &told,
        &[
            "sam-rho0.6",
            "Best against best, sam at rho",
            "Within a point of its best over rho: sam ",
            "The best of a method is its row with the highest validation accuracy",
            "At the worst rho of the sweep each method loses",
            "To tell a difference of a point between",
        ],
    );
    for (how, out) in [
        ("--threads 1", "one"),
        ("--threads 2 --jobs 2", "two"),
        ("--threads 1 --jobs 2 --launch env", "three"),
    ] {
        let mut child = start(here, &format!("{RUNS} {how} --out {out}"));
        let third = here.join(out).join("sam-rho0.6-seed0/run.json");
        await_that(|| third.exists());
        sleep(Duration::from_millis(20));
        child.kill().unwrap();
        child.wait().unwrap();
        // Workers end with the one that has started them.
        await_that(|| {
            xsam(here, &format!("compare --resume {out} --collect --json"))
                .status
                .code()
                == Some(1)
        });
        succeeds(here, &format!("compare --resume {out} {how} --quiet"));
        assert_same_results(here, "whole", out);
    }
    // More values are added to what there is.
    let begun = json(here.join("one/sam-rho0.1-seed0/run.json"));
    let more = "compare --resume one --sweep rho=0.1,0.3,0.6 --threads 1 --quiet";
    let told = text(&succeeds(here, more).stdout);
    assert_contains(&told, &["sam-rho0.3"]);
    assert_eq!(json(here.join("one/sam-rho0.1-seed0/run.json")), begun);
}

#[test]
fn a_sweep_is_made_by_number_and_collected() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    succeeds(here, &format!("{RUNS} --threads 1 --out whole"));
    let queued = format!("{RUNS} --threads 1 --out queued");
    let listed = lines(&succeeds(here, &format!("{queued} --list-runs --json")));
    let directories: Vec<&str> = listed
        .iter()
        .map(|run| run["directory"].as_str().unwrap())
        .collect();
    assert_eq!(directories, NAMES.map(|name| format!("queued/{name}")));
    for index in [5, 0, 1, 3, 4] {
        succeeds(here, &format!("{queued} --run-index {index}"));
    }
    let missing = xsam(here, "compare --resume queued --collect");
    assert_fails(&missing, 1, "1 of 6 runs are missing: 2 (");
    succeeds(
        here,
        "compare --resume queued --run-index 2 --threads 1 --quiet",
    );
    succeeds(here, "compare --resume queued --collect");
    assert_same_results(here, "whole", "queued");
}

#[test]
fn a_sweep_with_tuning_chooses_for_each_of_its_values() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let tuned =
        format!("{RUNS} --threads 2 --jobs 2 --tune optimizer.lr=0.02,0.05 --tune-seeds 3 --out c");
    succeeds(here, &tuned);
    let summary = json(here.join("c/compare.json"));
    let labels = |list: &Value| {
        let list = list.as_array().unwrap().iter();
        let labels = list.map(|method| method["label"].as_str().unwrap().to_owned());
        labels.collect::<Vec<_>>()
    };
    let rows = ["sgd", "sam-rho0.1", "sam-rho0.6"];
    assert_eq!(labels(&summary["methods"]), rows);
    assert_eq!(labels(&summary["tuning"]["methods"]), rows);
    assert!(
        here.join("c/tune/sam-rho0.6-optimizer.lr0.02-seed3")
            .exists()
    );
}

#[test]
fn what_cannot_be_swept_is_told_before_the_work() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    for (flags, message) in [
        (
            "--sweep rho",
            "must be a field and values to try, as in rho=0.05,0.1,0.2",
        ),
        (
            "--sweep rhoo=1",
            "`--sweep rhoo`: there is no such field; did you mean `rho`?",
        ),
        ("--sweep rho=x", "`--sweep rho`: invalid type: string"),
        (
            "--sweep rho=-1",
            "`method.rho`: -1 must be finite and at least 0 (in sam-rho-1)",
        ),
        (
            "--sweep rho=0.1,0.10",
            "`--sweep rho`: `0.1` is there twice",
        ),
        (
            "--sweep dat.subset=1",
            "`--sweep dat.subset`: cannot be swept; did you mean `data`?",
        ),
        ("--sweep train.seed=1,2", "seeds are in compare.seeds"),
        (
            "--sweep train.log_every=1,2",
            "leaves the steps of a run as they are",
        ),
        (
            "--sweep data.dir=a,b",
            "leaves the steps of a run as they are",
        ),
        (
            "--sweep name=sam",
            "methods are compared by naming them in compare.methods",
        ),
        (
            "--sweep rho=1 --rho 1",
            "`--rho`: is in [compare.sweep] as well",
        ),
        (
            "--sweep rho=1 --tune rho=1",
            "`compare.sweep.rho`: is both swept and tuned",
        ),
        ("--methods sgd --sweep rho=1", "none of the methods has it"),
        (
            "--sweep rho=1 --sweep rho_max=1 --sweep optimizer.lr=1",
            "rho, rho_max, optimizer.lr are more than 2 fields",
        ),
        (
            "--sweep data.subset=100,200 --equal-compute",
            "`--equal-compute`: is for runs with the same steps in an epoch",
        ),
    ] {
        fails(here, &format!("compare {flags} --out c"), 2, message);
    }
    assert!(!here.join("c").exists());
}

/// What is asked for on the command line is not swept by the file.
#[test]
fn a_value_that_is_set_ends_the_sweep_of_its_field() {
    let here = tempfile::tempdir().unwrap();
    let listed = |flags: &str| {
        let listed = lines(&succeeds(
            &here,
            &format!("compare --list-runs --json --seeds 0 {flags}"),
        ));
        let labels = listed
            .iter()
            .map(|run| run["label"].as_str().unwrap().to_owned());
        labels.collect::<Vec<_>>()
    };
    assert_eq!(listed("--methods sgd,sam").len(), 1 + 4);
    for flags in [
        "--methods sgd,sam --set method.rho=0.3",
        "--methods sgd,sam --tune rho=0.3",
    ] {
        assert_eq!(listed(flags), ["sgd", "sam"]);
    }
    // Nor is what none of the methods has.
    assert_eq!(listed("--methods sgd"), ["sgd"]);
    let other = listed("--methods sgd,sam --sweep data.label_noise=0,0.4");
    assert_eq!(other.len(), 4);
    assert_eq!(other[3], "sam-data.label_noise0.4");
    assert_eq!(
        listed(
            "--methods sam-k2 --set compare.sam-k2.name=sam --set compare.sam-k2.ascent_steps=2 --ascent-steps 1,3"
        ),
        ["sam-k1", "sam-k3"]
    );
}
