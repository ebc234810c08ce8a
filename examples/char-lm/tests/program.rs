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
