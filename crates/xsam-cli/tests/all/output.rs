//! Whatever happens to its output, the program does its work, and says by its exit code how that went.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::common::{
    self, SHORT, assert_status, await_that, command, json, lines, signal, succeeds, text, xsam,
};
use signal_hook::consts::SIGHUP;

/// A file on a disk that is full.
fn full() -> Stdio {
    let full = File::options().write(true).open("/dev/full");
    full.unwrap().into()
}

fn start(here: &Path, line: &str, stdout: Stdio, stderr: Stdio) -> Child {
    let mut command = command(here, line);
    let command = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    command.spawn().unwrap()
}

/// The program after some words of a shell.
fn in_shell(here: &Path, script: &str, line: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_xsam")])
        .args(line.split_whitespace())
        .current_dir(here);
    command
}

/// Asserts the exit code with outputs that are full, that nobody reads, and that are closed.
#[track_caller]
fn assert_ends(here: &Path, line: &str, code: i32) {
    let wait = |mut child: Child| child.wait().unwrap().code();
    let error_full = wait(start(here, line, Stdio::null(), full()));
    let both_full = wait(start(here, line, full(), full()));
    let mut child = start(here, line, Stdio::piped(), Stdio::piped());
    drop((child.stdout.take(), child.stderr.take()));
    let nobody_reads = wait(child);
    let closed = in_shell(here, "exec \"$@\" >&- 2>&-", line).status();
    let codes = [error_full, both_full, nobody_reads, closed.unwrap().code()];
    assert_eq!(codes, [Some(code); 4], "{line}");
}

#[test]
fn a_run_ends_well_whatever_its_outputs() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let train = format!("train --out r --overwrite {SHORT}");
    succeeds(here, &train);
    assert_ends(here, &train, 0);
    assert_status(&here.join("r/run.json"), "finished");
    assert_ends(here, &format!("{train} --json"), 0);
    for line in [
        "report r",
        "export r --out w.safetensors --overwrite",
        "flatness r --samples 40 --top 1",
        "landscape r --line --points 3 --samples 40 --overwrite",
        "data show digits",
        "data list",
    ] {
        assert_ends(here, line, 0);
    }
}

#[test]
fn a_comparison_ends_well_whatever_its_outputs() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let compare = format!(
        "compare --out c --set method.rho=0.6 --methods sgd,sam --seeds 0 {SHORT} --threads 2"
    );
    for jobs in ["1", "2"] {
        for json in ["", "--json"] {
            xsam(here, &compare);
            assert_ends(
                here,
                &format!("{compare} --overwrite --jobs {jobs} {json}"),
                0,
            );
            assert_status(&here.join("c/compare.json"), "finished");
        }
    }
    assert_ends(
        here,
        &format!("plan --methods sgd,sam --steps 6 {SHORT}"),
        0,
    );
}

#[test]
fn wrong_usage_and_failures_keep_their_exit_codes() {
    let here = tempfile::tempdir().unwrap();
    for (line, code) in [
        ("train --nonsense", 2),
        ("train --set method.rho=-1", 2),
        ("train --set model.nam=mlp", 2),
        ("compare --methods samm", 2),
        ("report nowhere", 2),
        ("plan --steps x", 2),
        ("", 2),
        ("train --init no.safetensors", 1),
        ("flatness nowhere", 1),
        ("landscape nowhere", 1),
        ("export nowhere --out w.safetensors", 1),
        ("--help", 0),
        ("--version", 0),
    ] {
        assert_ends(here.path(), line, code);
    }
}

/// What becomes of a run of some seconds whose terminal is closed when there is something of it.
fn closed_terminal(here: &Path, before: &str) -> Output {
    let script = format!("{before} exec \"$@\"");
    let run =
        "train --out r --set data.subset=100 --set train.epochs=60 --set model.name=small_cnn";
    let mut command = in_shell(here, &script, run);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap();
    await_that(|| here.join("r/checkpoint").exists());
    signal("HUP", child.id());
    child.wait_with_output().unwrap()
}

#[test]
fn a_terminal_that_is_closed_stops_a_run_with_a_checkpoint() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    // These tests may be run with nohup, and a signal that is ignored would be so by the program, too. One that is heeded is
    // not ignored by it.
    signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false))).unwrap();
    let output = closed_terminal(here, "");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert_status(&here.join("r/run.json"), "interrupted");
}

#[test]
fn with_nohup_a_run_outlives_its_terminal() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let output = closed_terminal(here, "trap '' HUP;");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_status(&here.join("r/run.json"), "finished");
}

#[test]
fn a_warning_is_told_even_quietly() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    // One step of a size that leaves weights with which a loss overflows.
    let overflow = common::set(
        "data.subset=100 train.batch_size=100 train.epochs=1 optimizer.lr=1e30 method.name=sgd",
    );
    let warning = "after epoch 1 validation_loss is NaN and test_loss is NaN";
    let train = format!("train --out r --overwrite {overflow}");
    let of_run = format!("xsam: warning: sgd, seed 0: {warning}\n");
    let quiet = xsam(here, &format!("{train} --quiet"));
    assert_eq!(text(&quiet.stderr), of_run);
    let told = xsam(here, &format!("{train} --json"));
    assert_eq!(text(&told.stderr), of_run);
    let of = |event: &str| {
        let mut lines = lines(&told).into_iter();
        lines.find(|line| line["event"] == event).unwrap()
    };
    assert_eq!(of("warning")["warning"], warning);
    assert_eq!(of("epoch")["metrics"]["test_loss"], "NaN");
    assert_eq!(of("ended")["summary"]["warnings"][0], warning);

    let compare = format!(
        "compare --methods sgd --seeds 0,1 {overflow} --threads 2 --out c --overwrite --quiet"
    );
    for jobs in ["1", "2"] {
        let output = succeeds(here, &format!("{compare} --jobs {jobs}"));
        let said = text(&output.stderr);
        for seed in [0, 1] {
            let of_run = format!("sgd, seed {seed}: {warning}\n");
            assert_eq!(said.matches(&of_run).count(), 1, "{said}");
        }
        assert_eq!(said.lines().count(), 2, "{said}");
        let warnings = &json(here.join("c/compare.json"))["methods"][0]["warnings"];
        assert_eq!(warnings[1]["seed"], 1);
        assert_eq!(warnings[1]["warnings"][0], warning);
    }
}
