//! Whatever happens to its output, the program does its work, and says by its exit code how that went.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{SHORT, await_that, lines, signal, text, xsam};
use serde_json::Value;

/// A file on a disk that is full.
fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

fn start(here: &Path, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_xsam"))
        .args(arguments)
        .current_dir(here)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap()
}

/// The exit codes with outputs that are full, that nobody reads, and that are closed.
fn codes(here: &Path, arguments: &[&str]) -> [Option<i32>; 4] {
    let wait = |mut child: Child| child.wait().unwrap().code();
    let error_full = wait(start(here, arguments, Stdio::null(), full()));
    let both_full = wait(start(here, arguments, full(), full()));
    let mut child = start(here, arguments, Stdio::piped(), Stdio::piped());
    drop((child.stdout.take(), child.stderr.take()));
    let nobody_reads = wait(child);
    let closed = Command::new("sh")
        .args([
            "-c",
            "exec \"$@\" >&- 2>&-",
            "sh",
            env!("CARGO_BIN_EXE_xsam"),
        ])
        .args(arguments)
        .current_dir(here)
        .status();
    [error_full, both_full, nobody_reads, closed.unwrap().code()]
}

#[track_caller]
fn assert_ends(here: &Path, arguments: &[&str], code: i32) {
    assert_eq!(codes(here, arguments), [Some(code); 4], "{arguments:?}");
}

#[track_caller]
fn assert_status(file: &Path, status: &str) {
    let value: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(value["status"], status, "{}", file.display());
}

#[test]
fn a_run_ends_well_whatever_its_outputs() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let train = [&["train", "--out", "r", "--overwrite"], &SHORT[..]].concat();
    xsam(here, &train);
    assert_ends(here, &train, 0);
    assert_status(&here.join("r/run.json"), "finished");
    assert_ends(here, &[&train[..], &["--json"]].concat(), 0);
    assert_ends(here, &["report", "r"], 0);
    assert_ends(
        here,
        &["export", "r", "--out", "w.safetensors", "--overwrite"],
        0,
    );
    assert_ends(here, &["flatness", "r", "--samples", "40", "--top", "1"], 0);
    let landscape = [
        "landscape",
        "r",
        "--line",
        "--points",
        "3",
        "--samples",
        "40",
    ];
    assert_ends(here, &[&landscape[..], &["--overwrite"]].concat(), 0);
    assert_ends(here, &["data", "show", "digits"], 0);
    assert_ends(here, &["data", "list"], 0);
}

#[test]
fn a_comparison_ends_well_whatever_its_outputs() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let compare = [
        "compare",
        "--out",
        "c",
        "--methods",
        "sgd,sam",
        "--seeds",
        "0",
    ];
    let compare = [&compare[..], &SHORT, &["--threads", "2"]].concat();
    for jobs in ["1", "2"] {
        for json in [&[][..], &["--json"]] {
            xsam(here, &compare);
            let how = ["--overwrite", "--jobs", jobs];
            assert_ends(here, &[&compare[..], &how, json].concat(), 0);
            assert_status(&here.join("c/compare.json"), "finished");
        }
    }
    let plan = ["plan", "--methods", "sgd,sam", "--steps", "6"];
    let plan = [&plan[..], &SHORT].concat();
    assert_ends(here, &plan, 0);
}

#[test]
fn wrong_usage_and_failures_keep_their_exit_codes() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    for wrong in [
        &["train", "--nonsense"][..],
        &["train", "--set", "method.rho=-1"],
        &["train", "--set", "model.nam=mlp"],
        &["compare", "--methods", "samm"],
        &["report", "nowhere"],
        &["plan", "--steps", "x"],
        &[],
    ] {
        assert_ends(here, wrong, 2);
    }
    for failing in [
        &["train", "--init", "no.safetensors"][..],
        &["flatness", "nowhere"],
        &["landscape", "nowhere"],
        &["export", "nowhere", "--out", "w.safetensors"],
    ] {
        assert_ends(here, failing, 1);
    }
    assert_ends(here, &["--help"], 0);
    assert_ends(here, &["--version"], 0);
}

/// A run that takes some seconds, of which there is something already.
fn under_way(here: &Path, before: &str) -> Child {
    let script = format!("{before} exec \"$@\"");
    let child = Command::new("sh")
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_xsam")])
        .args(["train", "--out", "r", "--set", "data.subset=100"])
        .args(["--set", "train.epochs=60", "--set", "model.name=small_cnn"])
        .current_dir(here)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    await_that(|| here.join("r/checkpoint").exists());
    child
}

#[test]
fn a_terminal_that_is_closed_stops_a_run_with_a_checkpoint() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let child = under_way(here, "");
    signal("HUP", &child.id().to_string());
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert_status(&here.join("r/run.json"), "interrupted");
}

#[test]
fn with_nohup_a_run_outlives_its_terminal() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let child = under_way(here, "trap '' HUP;");
    signal("HUP", &child.id().to_string());
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_status(&here.join("r/run.json"), "finished");
}

/// One step of a size that leaves weights with which a loss overflows.
const OVERFLOW: [&str; 10] = [
    "--set",
    "data.subset=100",
    "--set",
    "train.batch_size=100",
    "--set",
    "train.epochs=1",
    "--set",
    "optimizer.lr=1e30",
    "--set",
    "method.name=sgd",
];

#[test]
fn a_warning_is_told_even_quietly() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let warning = "after epoch 1 validation_loss is NaN and test_loss is NaN";
    let train = [&["train", "--out", "r", "--overwrite"], &OVERFLOW[..]].concat();
    let of_run = format!("xsam: warning: sgd, seed 0: {warning}\n");
    let quiet = xsam(here, &[&train[..], &["--quiet"]].concat());
    assert_eq!(text(&quiet.stderr), of_run);
    let json = xsam(here, &[&train[..], &["--json"]].concat());
    assert_eq!(text(&json.stderr), of_run);
    let of = |event: &str| {
        let lines = lines(&json);
        let mut of = lines.into_iter().filter(|line| line["event"] == event);
        of.next().unwrap()
    };
    assert_eq!(of("warning")["warning"], warning);
    assert_eq!(of("epoch")["metrics"]["test_loss"], "NaN");
    assert_eq!(of("ended")["summary"]["warnings"][0], warning);

    let compare = ["compare", "--methods", "sgd", "--seeds", "0,1"];
    let compare = [&compare[..], &OVERFLOW, &["--threads", "2"]].concat();
    for jobs in ["1", "2"] {
        let how = ["--out", "c", "--overwrite", "--quiet", "--jobs", jobs];
        let output = xsam(here, &[&compare[..], &how].concat());
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        for seed in [0, 1] {
            let of_run = format!("sgd, seed {seed}: {warning}\n");
            assert_eq!(said.matches(&of_run).count(), 1, "{said}");
        }
        assert_eq!(said.lines().count(), 2, "{said}");
        let summary = fs::read_to_string(here.join("c/compare.json")).unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        let warnings = &summary["methods"][0]["warnings"];
        assert_eq!(warnings[1]["seed"], 1);
        assert_eq!(warnings[1]["warnings"][0], warning);
    }
}
