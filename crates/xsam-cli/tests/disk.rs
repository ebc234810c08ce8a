//! Disks that are full and folders that cannot be written.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use common::{assert_fails, text, xsam};

const SHORT: [&str; 7] = [
    "train",
    "--out",
    "run",
    "--set",
    "data.subset=200",
    "--set",
    "train.epochs=2",
];

/// The program where no file can be longer than this: writing past it fails as it does on a full disk.
fn with_room(directory: &Path, bytes: usize, arguments: &[&str]) -> Output {
    // The limit counts blocks of 512 bytes. Ignored, the signal that goes with it leaves an error to the program.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", bytes / 512);
    Command::new("sh")
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_xsam")])
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

#[test]
fn a_full_disk_is_an_error_and_the_checkpoint_before_it_stays() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let output = xsam(here, &SHORT);
    assert!(output.status.success(), "{}", text(&output.stderr));

    let more = ["train", "--resume", "run", "--set", "train.epochs=4"];
    let output = with_room(here, 20_000, &more);
    assert_fails(&output, 1, "run/checkpoint/epoch-00003.tmp");
    let summary = fs::read_to_string(here.join("run/run.json")).unwrap();
    assert!(summary.contains(r#""status": "failed""#), "{summary}");

    // With room again it goes on as if nothing had been.
    let output = xsam(here, &["train", "--resume", "run"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("going on after epoch 2"));
    let metrics = fs::read_to_string(here.join("run/metrics.csv")).unwrap();
    assert_eq!(metrics.lines().count(), 1 + 4);
    assert!(!here.join("run/checkpoint/epoch-00003.tmp").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let here = tempfile::tempdir().unwrap();
    let locked = here.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("try"), "").is_ok() {
        eprintln!("left out: this user may write everywhere");
        return;
    }
    let output = xsam(&locked, &SHORT);
    assert_fails(&output, 1, "cannot create the directory run");
}
