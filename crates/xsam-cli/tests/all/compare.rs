//! Comparisons of several processes: in parallel, interrupted, killed.
#![cfg(unix)]

use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::Child;
use std::process::Output;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{
    assert_contains, assert_succeeds, fails, lines, metrics, start, succeeds, text, weights, xsam,
};
#[cfg(target_os = "linux")]
use crate::common::{assert_fails, assert_status, await_that, children, is_running, signal};

/// Runs of some tenths of a second, of SGD, SAM and XSAM from two seeds.
const RUNS: &str = "compare --set data.subset=300 --set train.epochs=6 --set train.batch_size=20 \
                    --set train.checkpoint_every=2 --seeds 0,1";

/// One thread a run.
const ONE_BY_ONE: &str = "--threads 1";
const IN_PARALLEL: &str = "--threads 2 --jobs 2";

const NAMES: [&str; 6] = [
    "sgd-seed0",
    "sam-seed0",
    "xsam-seed0",
    "sgd-seed1",
    "sam-seed1",
    "xsam-seed1",
];

#[track_caller]
fn compare(here: &Path, how: &str, out: &str) -> Output {
    succeeds(here, &format!("{RUNS} {how} --out {out}"))
}

#[track_caller]
fn assert_same_results(here: &Path, one: &str, other: &str) {
    for name in NAMES {
        let [one, other] = [one, other].map(|out| format!("{out}/{name}"));
        let [one, other] = [one, other].map(|run| (metrics(&here.join(&run)), weights(here, &run)));
        assert_eq!(one.0, other.0, "{name}");
        assert!(one.1 == other.1, "{name}: other weights");
    }
}

#[test]
fn runs_in_parallel_are_the_same_as_one_by_one() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    compare(here, ONE_BY_ONE, "one");
    let progress = text(&compare(here, IN_PARALLEL, "two").stderr);
    assert_contains(&progress, &["[6/6] "]);
    assert_eq!(progress.matches(" s an epoch").count(), 6, "{progress}");
    assert_same_results(here, "one", "two");

    let output = compare(here, &format!("{IN_PARALLEL} --json"), "three");
    let lines = lines(&output);
    let of = |run: &str, event: &str| {
        let lines = lines.iter();
        let of = lines.filter(|line| line["run"] == run && line["event"] == event);
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
    compare(here, ONE_BY_ONE, "whole");
    // On a machine that is busy, moments are further apart.
    let longest = begin.elapsed() / 2;
    let mut moments = Moments(0x9E37_79B9_7F4A_7C15);
    for (how, name) in [(ONE_BY_ONE, "one"), (IN_PARALLEL, "two")] {
        // Where it has become less busy since, a comparison may end before it is killed: then another one is.
        let (mut kills, mut longest, mut round) = (0, longest, 0);
        while kills < 2 {
            let out = format!("{name}{round}");
            let finished = loop {
                let line = match here.join(&out).join("spec.toml").exists() {
                    true => format!("compare --resume {out} {how}"),
                    false => format!("{RUNS} {how} --out {out}"),
                };
                let mut child = start(here, &line);
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
            assert_succeeds(&finished);
            assert_same_results(here, "whole", &out);
            (longest, round) = (longest / 2, round + 1);
        }
    }
}

/// Starts a comparison of runs of some seconds in parallel, and waits until one of them has a checkpoint.
#[cfg(target_os = "linux")]
fn long_runs(here: &Path) -> (Child, Vec<u32>) {
    let more = "--methods sgd,sam --set train.epochs=150 --out c";
    let child = start(here, &format!("{RUNS} {IN_PARALLEL} {more}"));
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
    signal("KILL", workers[0]);
    let output = child.wait_with_output().unwrap();
    assert_fails(&output, 1, "its process ended with signal: 9");
    assert_contains(&text(&output.stdout), &["(1 of 2 runs)"]);
    let resumed = succeeds(here, "compare --resume c --quiet --jobs 2");
    assert!(!text(&resumed.stdout).contains("of 2 runs"));
}

#[cfg(target_os = "linux")]
#[test]
fn all_processes_stop_when_one_is_asked_to() {
    for name in ["INT", "TERM"] {
        let here = tempfile::tempdir().unwrap();
        let here = here.path();
        let (child, workers) = long_runs(here);
        signal(name, child.id());
        let output = child.wait_with_output().unwrap();
        assert_fails(&output, 130, "xsam compare --resume c");
        for worker in workers {
            assert!(!Path::new(&format!("/proc/{worker}")).exists());
        }
        assert_status(&here.join("c/sgd-seed0/run.json"), "interrupted");
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
    let tuned = format!("{RUNS} {IN_PARALLEL} --tune rho=0.1,0.6,-1 --out c --quiet");
    let told = text(&succeeds(&here, &tuned).stdout);
    assert_contains(
        &told,
        &[
            "Chosen by validation accuracy in % after the last epoch, mean over the seeds 0, 1:",
            "left out: xsam with rho = -1: `method.rho`: -1 must be",
            "test data had no part in it",
        ],
    );
    assert_eq!(told.matches("  chosen\n").count(), 2, "{told}");
}

#[test]
fn a_job_is_for_comparisons_alone() {
    let here = tempfile::tempdir().unwrap();
    let alone = "`xsam job` is for `xsam compare --jobs` alone";
    fails(&here, "job", 1, alone);
    let help = text(&xsam(&here, "--help").stdout);
    let mut lines = help.lines();
    assert!(!lines.any(|line| line.trim_start().starts_with("job ")));
    for (line, message) in [
        ("compare --tune rho", "rho=0.05,0.1,0.2"),
        ("compare --jobs 0", "0 is not in 1..=256"),
        ("compare --rho x", "invalid value"),
    ] {
        fails(&here, line, 2, message);
    }
}
