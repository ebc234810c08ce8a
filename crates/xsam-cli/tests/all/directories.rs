//! Two processes and one directory.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::common::{SHORT, assert_fails, await_that, command, fails, metrics, succeeds, xsam};
use xsam_files::{LockFile, Owner};

/// Runs that last until they are killed, with a checkpoint after every fifth of a second or so.
const LONG: &str =
    "--set train.epochs=100000 --set train.batch_size=20 --set data.subset=300 --threads 1 --quiet";

/// A process that is killed when the test is over, whatever becomes of it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn has_checkpoint(run: &Path) -> bool {
    let names = fs::read_dir(run.join("checkpoint")).into_iter().flatten();
    let mut names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.any(|name| !name.ends_with(".tmp"))
}

/// Starts a long one, and waits until it is at work in `run`, which has a checkpoint.
fn start(here: &Path, line: &str, run: &str) -> Running {
    let mut command = command(here, &format!("{line} {LONG}"));
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let running = Running(child);
    let run = here.join(run);
    await_that(|| {
        let is_locked = LockFile::check_free(&run.join(".xsam.lock")).is_err();
        is_locked && has_checkpoint(&run)
    });
    running
}

#[test]
fn a_run_under_way_is_left_to_the_one_who_makes_it() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let first = start(here, "train --out a", "a");
    let who = "a is in use by `xsam train --out a --set train.epochs=100000";
    let process = format!("process {} on ", first.0.id());
    for line in [
        "train --resume a",
        "train --resume a --recover",
        "train --out a",
        "train --out a --overwrite",
    ] {
        let refused = xsam(here, line);
        assert_fails(&refused, 1, who);
        assert_fails(&refused, 1, &process);
    }
    // Whoever only looks, or adds what was measured, may do so.
    succeeds(here, "report a");
    succeeds(here, "export a --out w.safetensors");
    succeeds(here, "flatness a --samples 20 --quiet");
    succeeds(here, "landscape a --line --points 3 --samples 20 --quiet");
    drop(first);

    // The one who has it is dead, and nobody waits for him.
    succeeds(here, &format!("train --out a --overwrite --quiet {SHORT}"));
    assert_eq!(metrics(&here.join("a")).len(), 1 + 2);
    assert!(!here.join("a/.xsam.lock").exists() && !here.join("a/flatness.json").exists());
}

#[test]
fn a_run_of_a_comparison_is_left_to_the_comparison() {
    for how in ["", "--jobs 2"] {
        let here = tempfile::tempdir().unwrap();
        let here = here.path();
        let compare = format!("compare --out c --set method.rho=0.6 --methods sgd,sam {how}");
        let first = start(here, &compare, "c/sgd-seed0");
        let process = format!("process {} on ", first.0.id());
        // One that is being made, and one whose turn comes yet.
        for run in ["c/sgd-seed0", "c/sam-seed2"] {
            let told = format!(
                "{run} is a run of the comparison in c, which is in use by `xsam compare --out c"
            );
            let made = here.join(run).exists();
            let mut lines = vec![format!("train --out {run} --overwrite")];
            lines.extend(made.then(|| format!("train --resume {run}")));
            for line in lines {
                let refused = xsam(here, &line);
                assert_fails(&refused, 1, &told);
                assert_fails(&refused, 1, &process);
            }
            assert_eq!(here.join(run).exists(), made);
        }
        let in_use = "c is in use by `xsam compare --out c";
        fails(here, "compare --resume c", 1, in_use);
        succeeds(here, "report c");
        succeeds(here, "report c/sgd-seed0");
        succeeds(here, "flatness c/sgd-seed0 --samples 20 --quiet");
    }
}

#[test]
fn a_comparison_leaves_a_run_to_the_one_who_makes_it() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let compare = "compare --out c --methods sgd --seeds 0";
    drop(start(here, compare, "c/sgd-seed0"));
    let first = start(here, "train --resume c/sgd-seed0", "c/sgd-seed0");
    let again = format!("{compare} --overwrite");
    let told = "c/sgd-seed0 is in use by `xsam train --resume c/sgd-seed0";
    for line in ["compare --resume c", &again] {
        fails(here, line, 1, told);
    }
    assert!(here.join("c/sgd-seed0/checkpoint").exists());
    drop(first);
    succeeds(here, &format!("{again} {SHORT} --quiet"));
}

#[test]
fn the_same_results_are_not_made_twice_at_once() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let train = format!("train --out a --set model.name=mlp --quiet {SHORT}");
    succeeds(here, &train);
    fs::create_dir(here.join("a/landscape")).unwrap();
    let line = "landscape a --line --points 3 --samples 20 --quiet";
    for (lock, made, what) in [
        (
            "a/.flatness.lock",
            "flatness a --samples 20 --quiet",
            "a/flatness",
        ),
        (
            "a/landscape/.random-line.lock",
            line,
            "a/landscape/random-line",
        ),
        (".w.pt.lock", "export a --out w.pt --overwrite", "w.pt"),
    ] {
        let other = Owner {
            command: "xsam by somebody".to_owned(),
            ..Owner::this_process()
        };
        let held = LockFile::take(&here.join(lock), &other).unwrap();
        let told = format!("{what} is in use by `xsam by somebody`");
        fails(here, made, 1, &told);
        // Other results are another matter; what they are of is not replaced meanwhile.
        succeeds(here, "report a");
        succeeds(here, &format!("{line} --along eigenvectors"));
        let again = xsam(here, &format!("{train} --overwrite"));
        assert_eq!(again.status.success(), lock == ".w.pt.lock");
        drop(held);
        succeeds(here, made);
        fs::create_dir_all(here.join("a/landscape")).unwrap();
    }
}
