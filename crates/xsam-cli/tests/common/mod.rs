//! The program, run in a directory.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

pub fn xsam(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xsam"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

/// A run of a second or so.
pub const SHORT: [&str; 6] = [
    "--set",
    "data.subset=100",
    "--set",
    "train.epochs=2",
    "--set",
    "train.batch_size=50",
];

/// `metrics.csv` of a run without times and memory.
pub fn metrics(run: &Path) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let line = |line: &str| line.rsplitn(4, ',').nth(3).unwrap().to_owned();
    text.lines().map(line).collect()
}

/// The weights of a run, which its checkpoints hold with ids that differ from run to run.
pub fn weights(here: &Path, run: &str) -> Vec<u8> {
    let export = ["export", run, "--overwrite", "--out", "w.safetensors"];
    let exported = xsam(here, &export);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    fs::read(here.join("w.safetensors")).unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Each line of standard output as JSON.
pub fn lines(output: &Output) -> Vec<Value> {
    let text = text(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
pub fn assert_fails(output: &Output, code: i32, message: &str) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(message), "{error}");
    assert!(!error.contains("panicked"), "{error}");
}

/// Sends a signal to a process, or to a whole group of them.
pub fn signal(name: &str, process: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, "--", process])
        .status();
    assert!(sent.unwrap().success());
}

/// The processes that a process has started, as Linux tells.
pub fn children(process: u32) -> Vec<u32> {
    let parent = |status: &str| {
        let line = status.lines().find(|line| line.starts_with("PPid:"))?;
        line.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        (parent(&status) == Some(process)).then_some(id)
    });
    processes.collect()
}

/// Whether a process is there, as Linux tells. One that has ended stays in the list until somebody has asked for its
/// exit code.
pub fn is_running(process: &u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

/// Waits, for a minute at most.
#[track_caller]
pub fn await_that(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(5));
    }
}
