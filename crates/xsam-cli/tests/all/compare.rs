//! Comparisons of several processes: in parallel, interrupted, killed.
#![cfg(unix)]

use std::fs;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::{Child, Stdio};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{
    assert_contains, assert_fails, assert_same_runs, assert_succeeds, command, fails, lines,
    metrics, read, start, succeeds, text, xsam,
};
#[cfg(target_os = "linux")]
use crate::common::{assert_status, await_that, children, is_running, json, signal};

/// Runs of some tenths of a second, of SGD, SAM and XSAM from two seeds.
const RUNS: &str = "compare --set data.subset=300 --set train.epochs=6 --set train.batch_size=20 \
                    --set train.checkpoint_every=2 --set method.rho=0.6 --seeds 0,1";

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
    assert_same_runs(here, [one, other], &NAMES);
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

/// Kills the process of a run, and gives the one that goes on with it.
#[cfg(target_os = "linux")]
fn kill(head: &Child, worker: u32, workers: &[u32]) -> u32 {
    signal("KILL", worker);
    let mut next = None;
    await_that(|| {
        let mut others = children(head.id()).into_iter();
        next = others.find(|other| !workers.contains(other));
        next.is_some()
    });
    next.unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_whose_process_crashes_goes_on_once() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let (child, workers) = long_runs(here);
    assert_eq!(workers.len(), 2);
    let next = kill(&child, workers[0], &workers);
    signal("KILL", next);
    let output = child.wait_with_output().unwrap();
    let died = "its process ended with signal: 9 (SIGKILL)";
    assert_fails(&output, 1, &format!("{died}; tried again: {died}"));
    assert_contains(&text(&output.stderr), &[&format!("{died}; trying again")]);
    assert_contains(&text(&output.stdout), &["(1 of 2 runs)"]);
    let resumed = succeeds(here, "compare --resume c --quiet --jobs 2");
    assert!(!text(&resumed.stdout).contains("of 2 runs"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_dies_is_a_warning_if_another_one_finishes() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let (child, workers) = long_runs(here);
    kill(&child, workers[0], &workers);
    let output = child.wait_with_output().unwrap();
    assert_succeeds(&output);
    let told = "its process ended with signal: 9 (SIGKILL); it went on";
    assert_contains(&text(&output.stderr), &[told]);
    let summary = json(here.join("c/compare.json"));
    assert_eq!(summary["status"], "finished");
    assert_contains(&summary["warnings"][0].to_string(), &[told, "seed "]);
}

#[test]
fn a_run_that_fails_is_not_tried_again() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    launcher(here, "count", "echo >> launches; exec \"$@\"");
    let bad = format!("{RUNS} --methods sgd --set optimizer.lr=1e30 --out c");
    let output = launched(here, &bad, &["./count"]);
    assert_fails(&output, 1, "sgd, seed 1: epoch 1, step ");
    assert!(!text(&output.stderr).contains("again"));
    assert_eq!(read(here.join("launches")).lines().count(), 2);
}

/// A script that starts what is written behind it, or not.
fn launcher(here: &Path, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;

    let path = here.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A command line with launchers.
fn with_launchers(here: &Path, line: &str, launchers: &[&str]) -> Command {
    let mut command = command(here, line);
    for launcher in launchers {
        command.args(["--launch", launcher]);
    }
    command
}

fn launched(here: &Path, line: &str, launchers: &[&str]) -> Output {
    with_launchers(here, line, launchers).output().unwrap()
}

#[test]
fn launched_runs_are_the_same_as_one_by_one() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    compare(here, ONE_BY_ONE, "one");
    // As a login on another machine: in another directory, and with a greeting.
    launcher(
        here,
        "login",
        "echo login >> launches; echo hello; cd / && exec \"$@\"",
    );
    let launchers = [
        "./login",
        "env \"A B=c d\" sh -c 'echo env >> launches; exec \"$@\"' sh",
    ];
    // As many at a time as there are launchers, with as many threads each as are asked for.
    let output = launched(here, &format!("{RUNS} {ONE_BY_ONE} --out two"), &launchers);
    assert_succeeds(&output);
    assert_same_results(here, "one", "two");
    let launches = read(here.join("launches"));
    let mut first: Vec<&str> = launches.lines().take(2).collect();
    first.sort_unstable();
    assert_eq!(first, ["env", "login"]);
    assert_eq!(launches.lines().count(), 6);
}

#[test]
fn a_launcher_that_cannot_be_is_told_before_the_work() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    for (launcher, message) in [
        ("", "there is no command in it"),
        ("srun 'n1", "it ends within a quotation"),
        (
            "no-such-launcher -n1",
            "there is no program no-such-launcher here",
        ),
    ] {
        let output = launched(here, &format!("{RUNS} --out c"), &[launcher]);
        assert_fails(&output, 2, message);
        assert_fails(&output, 2, "--launch <COMMAND>");
    }
    for flag in ["--run-index 0", "--list-runs", "--collect"] {
        let output = launched(here, &format!("{RUNS} --out c {flag}"), &["env"]);
        assert_fails(&output, 2, "cannot be used with");
    }
    assert!(!here.join("c").exists());
}

#[test]
fn a_launcher_that_starts_nothing_ends_the_comparison() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let refusal = "echo >> launches; echo 'no partition x' >&2; exit 3";
    launcher(here, "refuse", refusal);
    // What comes on standard input does not come through.
    launcher(here, "deaf", "exec \"$@\" < /dev/null");
    for (launcher, messages) in [
        (
            "./refuse -p x",
            &[
                "`./refuse -p x` ended with exit status: 3",
                "(no partition x)",
                "xsam --version",
            ][..],
        ),
        (
            "true",
            &["`true` ended with exit status: 0 and the program did not begin: it has to"],
        ),
        (
            "./deaf",
            &[
                "(`xsam job` is for `xsam compare --jobs` alone: nothing came on its standard input)",
            ],
        ),
    ] {
        let output = launched(here, &format!("{RUNS} --out c --overwrite"), &[launcher]);
        for message in messages {
            assert_fails(&output, 1, message);
        }
    }
    assert_eq!(read(here.join("launches")).lines().count(), 1);
}

#[test]
fn a_run_goes_on_when_its_node_is_lost() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let long = RUNS.replace("epochs=6", "epochs=100") + " --methods sgd --threads 1 --quiet";
    succeeds(here, &format!("{long} --out one"));
    // The first node goes down in the midst of the first run.
    let script = "if mkdir lost 2> /dev/null; then
            exec 3<&0
            \"$@\" <&3 & worker=$!
            until [ -e two/sgd-seed0/checkpoint/epoch-00002 ]; do sleep 0.01; done
            kill -KILL $worker; wait
            echo 'node failure' >&2; exit 7
        fi
        exec \"$@\"";
    launcher(here, "lose", script);
    let output = launched(here, &format!("{long} --out two"), &["./lose"]);
    assert_succeeds(&output);
    let host = xsam_files::Owner::this_process().host;
    let told =
        format!("sgd, seed 0: its process on {host} died: `./lose` ended with exit status: 7: ");
    assert_contains(&text(&output.stderr), &[&told, "node failure; it went on"]);
    for name in ["sgd-seed0", "sgd-seed1"] {
        let [one, two] = ["one", "two"].map(|out| metrics(&here.join(out).join(name)));
        assert_eq!(one, two);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn launched_runs_end_with_the_comparison() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    launcher(here, "login", "\"$@\"; exit $?");
    let line = format!("{RUNS} {ONE_BY_ONE} --methods sgd --set train.epochs=100000 --out c");
    for (name, code) in [("TERM", Some(130)), ("KILL", None)] {
        let line = match here.join("c").exists() {
            true => "compare --resume c --threads 1".to_owned(),
            false => line.clone(),
        };
        let mut command = with_launchers(here, &line, &["./login"]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let mut workers = Vec::new();
        await_that(|| {
            let launchers = children(child.id());
            workers = launchers.iter().flat_map(|id| children(*id)).collect();
            let is_locked = xsam_files::LockFile::check_free(&here.join("c/sgd-seed0/.xsam.lock"));
            !workers.is_empty() && is_locked.is_err() && here.join("c/sgd-seed0/run.json").exists()
        });
        signal(name, child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), code, "{}", text(&output.stderr));
        await_that(|| !workers.iter().any(is_running));
        if name == "TERM" {
            assert_status(&here.join("c/sgd-seed0/run.json"), "interrupted");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_launcher_in_a_queue_is_asked_to_end() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    launcher(here, "queue", "touch waiting; sleep 600");
    let mut command = with_launchers(here, &format!("{RUNS} --out c"), &["./queue"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    await_that(|| here.join("waiting").exists());
    signal("TERM", child.id());
    assert_fails(
        &child.wait_with_output().unwrap(),
        130,
        "xsam compare --resume c",
    );
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
