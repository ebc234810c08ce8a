//! The program, run in a directory.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program with the words of a command line.
pub fn command(here: impl AsRef<Path>, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xsam"));
    command.args(line.split_whitespace()).current_dir(here);
    command
}

pub fn xsam(here: impl AsRef<Path>, line: &str) -> Output {
    command(here, line).output().unwrap()
}

/// The same of what has to succeed.
#[track_caller]
pub fn succeeds(here: impl AsRef<Path>, line: &str) -> Output {
    let output = xsam(here, line);
    assert_succeeds(&output);
    output
}

/// The same of what has to fail with this exit code and message.
#[track_caller]
pub fn fails(here: impl AsRef<Path>, line: &str, code: i32, message: &str) {
    assert_fails(&xsam(here, line), code, message);
}

/// Starts the program, and does not wait for it.
pub fn start(here: impl AsRef<Path>, line: &str) -> Child {
    let mut command = command(here, line);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The words that make these settings.
pub fn set(settings: &str) -> String {
    let settings = settings.split_whitespace();
    settings
        .map(|setting| format!(" --set {setting}"))
        .collect()
}

/// A run of a second or so.
pub const SHORT: &str = "--set data.subset=100 --set train.epochs=2 --set train.batch_size=50";

/// Ten pairs of sentences in each part, in the folder `text`, and a small model that translates them.
pub fn translation(here: impl AsRef<Path>) -> String {
    let folder = here.as_ref().join("text");
    fs::create_dir_all(&folder).unwrap();
    for part in ["train", "valid", "test"] {
        for (language, words) in [
            ("de", ["ein hund", "eine katze"]),
            ("en", ["a dog", "a cat"]),
        ] {
            let lines = words.map(|words| format!("{words} {part}\n")).concat();
            fs::write(folder.join(format!("{part}.{language}")), lines.repeat(5)).unwrap();
        }
    }
    set(
        "data.name=parallel-text data.dir=text data.source=de data.target=en model.name=transformer model.width=16 \
         model.layers=1 train.epochs=2 optimizer.name=adam optimizer.lr=0.001",
    )
}

/// `metrics.csv` of a run without times and memory.
pub fn metrics(run: &Path) -> Vec<String> {
    let text = read(run.join("metrics.csv"));
    let line = |line: &str| line.rsplitn(4, ',').nth(3).unwrap().to_owned();
    text.lines().map(line).collect()
}

/// The weights of a run, which its checkpoints hold with ids that differ from run to run.
pub fn weights(here: &Path, run: &str) -> Vec<u8> {
    let export = format!("export {run} --overwrite --out w.safetensors");
    succeeds(here, &export);
    fs::read(here.join("w.safetensors")).unwrap()
}

/// The runs of these names in one directory are those in the other.
#[track_caller]
pub fn assert_same_runs(here: &Path, outs: [&str; 2], names: &[&str]) {
    for name in names {
        let [one, other] = outs.map(|out| {
            let run = format!("{out}/{name}");
            (metrics(&here.join(&run)), weights(here, &run))
        });
        assert_eq!(one.0, other.0, "{name}");
        assert!(one.1 == other.1, "{name}: other weights");
    }
}

pub fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

/// A file of JSON.
pub fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&read(path)).unwrap()
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
pub fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[track_caller]
pub fn assert_succeeds(output: &Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[track_caller]
pub fn assert_fails(output: &Output, code: i32, message: &str) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}: {error}");
    assert!(error.contains(message), "{message}: {error}");
    assert!(!error.contains("panicked"), "{error}");
}

#[track_caller]
pub fn assert_status(file: &Path, status: &str) {
    assert_eq!(json(file)["status"], status, "{}", file.display());
}

/// Sends a signal to a process, or to a whole group of them.
pub fn signal(name: &str, process: impl ToString) {
    let sent = Command::new("kill")
        .args(["-s", name, "--", &process.to_string()])
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
