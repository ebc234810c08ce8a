//! Ranks over a real MPI: `mpirun` starts them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{
    assert_contains, assert_fails, assert_succeeds, children, json, metrics, signal, succeeds,
    text, weights,
};

/// XSAM that searches often, on images that are augmented, with dropout.
const SPEC: &str = "
    [data]
    label_noise = 0.2
    [augmentation]
    crop_padding = 1
    [model]
    name = 'cnn'
    [method]
    name = 'xsam'
    search = { every-steps = 5 }
    [train]
    epochs = 15
    batch_size = 100
    checkpoint_steps = 3
    checkpoint_every = 2
";

fn mpirun(here: &Path, ranks: usize, line: &str) -> Command {
    let mut command = Command::new("mpirun");
    let options = format!("-n {ranks} --oversubscribe --allow-run-as-root");
    command.args(options.split_whitespace());
    command.arg(env!("CARGO_BIN_EXE_xsam"));
    command
        .args(line.split_whitespace())
        .args(["--threads", "1"]);
    command
        .current_dir(here)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn on_ranks(here: &Path, ranks: usize, line: &str) -> Output {
    mpirun(here, ranks, line).output().unwrap()
}

fn start(here: &Path, ranks: usize, line: &str) -> Child {
    mpirun(here, ranks, line).spawn().unwrap()
}

fn directory() -> tempfile::TempDir {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("spec.toml"), SPEC).unwrap();
    here
}

/// The processes of two ranks, once there is a checkpoint.
fn under_way(mpirun: &Child, run: &Path) -> Vec<u32> {
    let begun = Instant::now();
    let has_checkpoint =
        || fs::read_dir(run.join("checkpoint")).is_ok_and(|mut entries| entries.next().is_some());
    while children(mpirun.id()).len() < 2 || !has_checkpoint() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it is not under way"
        );
        sleep(Duration::from_millis(10));
    }
    children(mpirun.id())
}

#[test]
fn two_ranks_are_one_process_with_two_micro_batches() {
    let here = directory();
    let here = here.path();
    // Running statistics of two micro-batches are taken one after the other, those of two ranks at once.
    let spec = "train spec.toml --set model.name=mlp";
    let one = format!("{spec} --out one --threads 1 --set train.micro_batches=2");
    succeeds(here, &one);
    let found = on_ranks(here, 2, &format!("{spec} --out two"));
    assert_succeeds(&found);
    assert_eq!(weights(here, "one"), weights(here, "two"));
    assert_eq!(json(here.join("two/run.json"))["ranks"], 2);
    // What is printed is printed once.
    let printed = text(&found.stdout);
    assert_eq!(printed.matches("test accuracy").count(), 1, "{printed}");
    assert!(
        !text(&found.stderr).contains("warning"),
        "{}",
        text(&found.stderr)
    );

    // m-sharpness, without a search: where a part of a batch searches in one process, all ranks do.
    let each = "--set train.m_sharpness=2 --set method.alpha=1.2 --set method.search=never";
    succeeds(here, &format!("{spec} --out one-each --threads 1 {each}"));
    assert_succeeds(&on_ranks(here, 2, &format!("{spec} --out two-each {each}")));
    assert_eq!(weights(here, "one-each"), weights(here, "two-each"));
}

#[test]
fn batch_norm_over_ranks_is_that_of_the_whole_batch() {
    let here = directory();
    let here = here.path();
    let spec = "train spec.toml --set train.epochs=2 --set model.name=resnet18 --set model.width=2 --set data.subset=300";
    succeeds(here, &format!("{spec} --out one"));
    assert_succeeds(&on_ranks(here, 2, &format!("{spec} --out own")));
    let shared = format!("{spec} --out shared --set train.sync_batch_norm=true");
    assert_succeeds(&on_ranks(here, 2, &shared));
    let losses = |run: &str| -> Vec<f64> {
        let rows = metrics(&here.join(run));
        let mut names = rows[0].split(',');
        let column = names.position(|name| name == "train_loss").unwrap();
        let loss = |row: &String| row.split(',').nth(column).unwrap().parse().unwrap();
        rows[1..].iter().map(loss).collect()
    };
    let expected = losses("one");
    assert_eq!(expected.len(), 2);
    let furthest = |run: &str| {
        let pairs = losses(run).into_iter().zip(&expected);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(furthest("shared") < 1e-3, "{}", furthest("shared"));
    assert!(furthest("own") > furthest("shared"));
    let page = fs::read_to_string(here.join("shared/report.html")).unwrap();
    assert_contains(&page, &["on 2 ranks", "mpirun -n 2 xsam train"]);
}

#[test]
fn a_plan_is_one_of_the_ranks() {
    let here = directory();
    let here = here.path();
    let found = on_ranks(here, 2, "plan spec.toml --steps 6 --methods sgd,xsam");
    assert_succeeds(&found);
    let printed = text(&found.stdout);
    assert_contains(&printed, &["2 ranks of 1 thread"]);
    assert_eq!(printed.matches("s/step").count(), 1, "{printed}");
}

#[test]
fn a_run_whose_ranks_are_killed_goes_on_as_if_nothing_had_been() {
    let here = directory();
    let here = here.path();
    assert_succeeds(&on_ranks(here, 2, "train spec.toml --out whole"));
    let killed = here.join("killed");
    for rank in [0, 1] {
        let line = match killed.exists() {
            true => "train --resume killed",
            false => "train spec.toml --out killed",
        };
        let mpirun = start(here, 2, line);
        let ranks = under_way(&mpirun, &killed);
        sleep(Duration::from_millis(500));
        signal("KILL", ranks[rank]);
        let begun = Instant::now();
        let output = mpirun.wait_with_output().unwrap();
        assert!(!output.status.success() && begun.elapsed() < Duration::from_secs(20));
    }
    // And the launcher itself.
    let mut mpirun = start(here, 2, "train --resume killed");
    let ranks = under_way(&mpirun, &killed);
    sleep(Duration::from_millis(500));
    mpirun.kill().unwrap();
    mpirun.wait().unwrap();
    let begun = Instant::now();
    while ranks
        .iter()
        .any(|rank| Path::new(&format!("/proc/{rank}/stat")).exists())
    {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "ranks have outlived mpirun"
        );
        sleep(Duration::from_millis(50));
    }
    assert_succeeds(&on_ranks(here, 2, "train --resume killed"));
    assert_eq!(metrics(&killed), metrics(&here.join("whole")));
    assert_eq!(weights(here, "killed"), weights(here, "whole"));
}

#[test]
fn ranks_that_are_asked_to_stop_write_a_checkpoint_and_go_on_as_one() {
    let here = directory();
    let here = here.path();
    let long = "train spec.toml --out run --set train.epochs=400";
    let mpirun = start(here, 2, long);
    let ranks = under_way(&mpirun, &here.join("run"));
    // One of them is enough.
    signal("TERM", ranks[1]);
    let output = mpirun.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let run = json(here.join("run/run.json"));
    assert_eq!(run["status"], "interrupted");
    let epochs = run["epochs"].as_u64().unwrap();
    let further = format!("train --resume run --set train.epochs={}", 400);
    let mpirun = start(here, 3, &further);
    sleep(Duration::from_secs(3));
    signal("TERM", mpirun.id());
    let output = mpirun.wait_with_output().unwrap();
    assert!(!output.status.success());
    let after = json(here.join("run/run.json"));
    assert!(after["epochs"].as_u64().unwrap() >= epochs);
    assert_eq!(after["ranks"], 3);
}

#[test]
fn a_rank_that_has_stopped_does_not_hang_the_others() {
    let here = directory();
    let here = here.path();
    let mpirun = start(
        here,
        2,
        "train spec.toml --out run --set train.epochs=400 --deadline 2s",
    );
    let ranks = under_way(&mpirun, &here.join("run"));
    signal("STOP", ranks[1]);
    let begun = Instant::now();
    let output = mpirun.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert!(begun.elapsed() < Duration::from_secs(15), "{error}");
    assert_contains(
        &error,
        &[
            "rank 0 of 2 has waited for the others for",
            "cannot be reached",
        ],
    );
    assert!(!output.status.success());
    // What it has reached is there.
    succeeds(here, "eval run");
}

#[test]
fn an_error_is_told_once_and_ends_all_ranks() {
    let here = directory();
    let here = here.path();
    let refused = on_ranks(
        here,
        3,
        "train spec.toml --out run --set train.m_sharpness=4",
    );
    assert_fails(
        &refused,
        2,
        "4 must be a multiple of the number of ranks, which is 3",
    );
    assert_eq!(
        text(&refused.stderr).matches("must be a multiple").count(),
        1
    );
    let diverged = on_ranks(here, 2, "train spec.toml --out run --set optimizer.lr=1e30");
    assert_fails(&diverged, 1, "epoch 1, step");
    assert_eq!(text(&diverged.stderr).matches("epoch 1, step").count(), 1);
    assert_eq!(json(here.join("run/run.json"))["status"], "failed");
    // The first rank's alone.
    let there = on_ranks(here, 2, "train spec.toml --out run");
    assert_fails(&there, 2, "rank 0: run exists: give --resume");
}
