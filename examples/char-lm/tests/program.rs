//! The whole program of the example, for a few epochs.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

fn run(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_char-lm"));
    let output = command.args(arguments).current_dir(directory).output();
    let output = output.unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{arguments:?}: {out}{error}");
    out
}

#[test]
fn every_command() {
    let here = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(here.path(), arguments);
    let short = "train.epochs=1";
    let whole = ["compare", "--set", short, "--seeds", "0", "--out", "c"];
    assert!(run(&whole).contains("bits per character"));
    let two = ["compare", "--resume", "c", "--seeds", "0,1", "--jobs", "2"];
    assert!(run(&two).contains("seeds 0, 1"));
    assert!(here.path().join("c/report.html").exists());

    assert!(run(&["eval", "c/xsam-seed0"]).contains("bits per character"));
    let samples = ["--samples", "64", "--batch", "64"];
    let flatness = [&["flatness", "c/xsam-seed0", "--top", "1"], &samples[..]];
    assert!(run(&flatness.concat()).contains("eigenvalue 1"));
    let landscape = [
        &["landscape", "c/xsam-seed0", "--points", "3"],
        &samples[..],
    ];
    run(&landscape.concat());
    run(&["plan", "--set", short, "--steps", "3"]);
    run(&["report", "c"]);
}

/// What a run has measured, without times and memory.
fn metrics(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let line = |line: &str| line.rsplitn(4, ',').nth(3).unwrap().to_owned();
    text.lines().map(line).collect()
}

#[test]
fn a_sweep_that_was_killed_goes_on() {
    let here = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(here.path(), arguments);
    let sweep = [
        "compare",
        "--set",
        "train.epochs=3",
        "--set",
        "train.checkpoint_every=1",
        "--methods",
        "sgd,xsam",
        "--sweep",
        "rho=0.05,0.1",
        "--seeds",
        "0",
        "--quiet",
    ];
    let told = run(&[&sweep[..], &["--threads", "1", "--out", "whole"]].concat());
    // A score that is no share: a hundredth of it, and the lower the better.
    assert!(
        told.contains("its row with the lowest validation bits per character"),
        "{told}"
    );
    assert!(
        told.contains("Within 1 % of its best over rho: xsam "),
        "{told}"
    );
    for (how, out) in [
        (&["--jobs", "2", "--threads", "2"][..], "jobs"),
        (&["--launch", "env", "--threads", "1"], "launched"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_char-lm"));
        let command = command
            .args(sweep)
            .args(how)
            .args(["--out", out])
            .current_dir(here.path());
        let mut child = command.spawn().unwrap();
        let begun = here
            .path()
            .join(out)
            .join("xsam-rho0.05-seed0/checkpoint/epoch-00001");
        let begin = std::time::Instant::now();
        while !begun.exists() {
            assert!(begin.elapsed().as_secs() < 60);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // A process of a run ends with the one that has started it, but not at once.
        std::thread::sleep(std::time::Duration::from_secs(1));
        run(&[&["compare", "--resume", out, "--quiet"], how].concat());
        for name in ["sgd-seed0", "xsam-rho0.05-seed0", "xsam-rho0.1-seed0"] {
            let [one, two] = ["whole", out].map(|out| metrics(&here.path().join(out).join(name)));
            assert_eq!(one, two, "{name}");
        }
    }
}
