//! Comparisons of several processes: in parallel, interrupted, killed.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{assert_fails, lines, metrics, text, weights, xsam};
#[cfg(target_os = "linux")]
use common::{await_that, children, is_running, signal};

/// Runs of some tenths of a second, of SGD, SAM and XSAM from two seeds.
const RUNS: [&str; 11] = [
    "compare",
    "--set",
    "data.subset=300",
    "--set",
    "train.epochs=6",
    "--set",
    "train.batch_size=20",
    "--set",
    "train.checkpoint_every=2",
    "--seeds",
    "0,1",
];

/// One thread a run.
const ONE_BY_ONE: [&str; 2] = ["--threads", "1"];
const IN_PARALLEL: [&str; 4] = ["--threads", "2", "--jobs", "2"];

const NAMES: [&str; 6] = [
    "sgd-seed0",
    "sam-seed0",
    "xsam-seed0",
    "sgd-seed1",
    "sam-seed1",
    "xsam-seed1",
];

fn compare(here: &Path, how: &[&str], out: &str) -> Output {
    xsam(here, &[&RUNS[..], how, &["--out", out]].concat())
}

fn start(here: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_xsam"))
        .args(arguments)
        .current_dir(here)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a run has come to.
fn result(here: &Path, run: &str) -> (Vec<String>, Vec<u8>) {
    (metrics(&here.join(run)), weights(here, run))
}

#[track_caller]
fn assert_same_results(here: &Path, one: &str, other: &str) {
    for name in NAMES {
        let one = result(here, &format!("{one}/{name}"));
        let other = result(here, &format!("{other}/{name}"));
        assert_eq!(one.0, other.0, "{name}");
        assert!(one.1 == other.1, "{name}: other weights");
    }
}

#[track_caller]
fn assert_finished(output: &Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn runs_in_parallel_are_the_same_as_one_by_one() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    assert_finished(&compare(here, &ONE_BY_ONE, "one"));
    let parallel = compare(here, &IN_PARALLEL, "two");
    assert_finished(&parallel);
    let progress = text(&parallel.stderr);
    assert!(progress.contains("[6/6] "), "{progress}");
    assert_eq!(progress.matches(" s an epoch").count(), 6, "{progress}");
    assert_same_results(here, "one", "two");

    let json = [&IN_PARALLEL[..], &["--json"]].concat();
    let output = compare(here, &json, "three");
    let lines = lines(&output);
    let of = |run: &str, event: &str| {
        let of = lines
            .iter()
            .filter(|l| l["run"] == run && l["event"] == event);
        of.count()
    };
    for name in NAMES {
        let run = format!("three/{name}");
        let counts = ["started", "epoch", "ended"].map(|event| of(&run, event));
        assert_eq!(counts, [1, 6, 1], "{name}");
    }
    assert_eq!(lines.last().unwrap()["event"], "comparison");
    assert!(output.stderr.is_empty());
}

/// xorshift: moments that look random and are the same in every test.
struct Moments(u64);

impl Moments {
    fn next(&mut self, longest: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        longest.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[test]
fn killed_at_any_moment_a_comparison_goes_on_where_it_was() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let begin = Instant::now();
    assert_finished(&compare(here, &ONE_BY_ONE, "whole"));
    // On a machine that is busy, moments are further apart.
    let longest = begin.elapsed() / 2;
    let mut moments = Moments(0x9E37_79B9_7F4A_7C15);
    for (how, name) in [(&ONE_BY_ONE[..], "one"), (&IN_PARALLEL, "two")] {
        // Where it has become less busy since, a comparison may end before it is killed: then another one is.
        let (mut kills, mut longest, mut round) = (0, longest, 0);
        while kills < 2 {
            let out = format!("{name}{round}");
            let finished = loop {
                let begun = here.join(&out).join("spec.toml").exists();
                let fresh = [&RUNS[..], how, &["--out", &out]].concat();
                let resumed = [&["compare", "--resume", &out], how].concat();
                let mut child = start(here, if begun { &resumed } else { &fresh });
                if kills == 12 {
                    break child.wait_with_output().unwrap();
                }
                sleep(moments.next(longest));
                if child.try_wait().unwrap().is_some() {
                    break child.wait_with_output().unwrap();
                }
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            };
            assert_finished(&finished);
            assert_same_results(here, "whole", &out);
            (longest, round) = (longest / 2, round + 1);
        }
    }
}

/// Starts a comparison of runs of some seconds in parallel, and waits until one of them has a checkpoint.
#[cfg(target_os = "linux")]
fn long_runs(here: &Path) -> (Child, Vec<u32>) {
    let more = [
        "--methods",
        "sgd,sam",
        "--set",
        "train.epochs=150",
        "--out",
        "c",
    ];
    let long = [&RUNS[..], &IN_PARALLEL, &more].concat();
    let child = start(here, &long);
    let there = |name: &str| here.join("c").join(name).join("checkpoint/epoch-00002");
    await_that(|| there("sgd-seed0").exists() || there("sam-seed0").exists());
    let workers = children(child.id());
    (child, workers)
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_crashes_is_a_failure_and_no_hang() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let (child, workers) = long_runs(here);
    assert_eq!(workers.len(), 2);
    signal("KILL", &workers[0].to_string());
    let output = child.wait_with_output().unwrap();
    assert_fails(&output, 1, "its process ended with signal: 9");
    let table = text(&output.stdout);
    assert!(table.contains("(1 of 2 runs)"), "{table}");
    let resumed = xsam(
        here,
        &["compare", "--resume", "c", "--quiet", "--jobs", "2"],
    );
    assert_finished(&resumed);
    assert!(!text(&resumed.stdout).contains("of 2 runs"));
}

#[cfg(target_os = "linux")]
#[test]
fn all_processes_stop_when_one_is_asked_to() {
    for name in ["INT", "TERM"] {
        let here = tempfile::tempdir().unwrap();
        let here = here.path();
        let (child, workers) = long_runs(here);
        signal(name, &child.id().to_string());
        let output = child.wait_with_output().unwrap();
        assert_fails(&output, 130, "xsam compare --resume c");
        for worker in workers {
            assert!(!Path::new(&format!("/proc/{worker}")).exists());
        }
        let run = fs::read_to_string(here.join("c/sgd-seed0/run.json")).unwrap();
        assert!(run.contains(r#""status": "interrupted""#), "{run}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn processes_end_with_the_one_that_has_started_them() {
    let here = tempfile::tempdir().unwrap();
    let (mut child, workers) = long_runs(here.path());
    child.kill().unwrap();
    child.wait().unwrap();
    await_that(|| !workers.iter().any(is_running));
}

#[test]
fn what_was_chosen_is_told() {
    let here = tempfile::tempdir().unwrap();
    let arguments = [
        &RUNS[..],
        &IN_PARALLEL,
        &["--tune", "rho=0.1,0.6,-1", "--out", "c", "--quiet"],
    ]
    .concat();
    let output = xsam(here.path(), &arguments);
    assert_finished(&output);
    let told = text(&output.stdout);
    for words in [
        "Chosen by validation accuracy in % after the last epoch, mean over the seeds 0, 1:",
        "left out: xsam with rho = -1: `method.rho`: -1 must be",
        "test data had no part in it",
    ] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(told.matches("  chosen\n").count(), 2, "{told}");
}

#[test]
fn a_job_is_for_comparisons_alone() {
    let here = tempfile::tempdir().unwrap();
    let output = xsam(here.path(), &["job"]);
    assert_fails(&output, 1, "`xsam job` is for `xsam compare --jobs` alone");
    let help = text(&xsam(here.path(), &["--help"]).stdout);
    assert!(
        !BufReader::new(help.as_bytes())
            .lines()
            .any(|line| line.unwrap().trim_start().starts_with("job "))
    );
    for (arguments, message) in [
        (&["compare", "--tune", "rho"][..], "rho=0.05,0.1,0.2"),
        (&["compare", "--jobs", "0"], "0 is not in 1..=256"),
        (&["compare", "--rho", "x"], "invalid value"),
    ] {
        assert_fails(&xsam(here.path(), arguments), 2, message);
    }
}
