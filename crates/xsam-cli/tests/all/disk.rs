//! Disks that are full and folders that cannot be written.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::{assert_contains, assert_fails, assert_status, fails, read, succeeds, text};

const SHORT: &str = "train --out run --set data.subset=200 --set train.epochs=2";

/// The program where no file can be longer than this: writing past it fails as it does on a full disk.
fn with_room(directory: &Path, bytes: usize, line: &str) -> Output {
    // The limit counts blocks of 512 bytes. Ignored, the signal that goes with it leaves an error to the program.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", bytes / 512);
    Command::new("sh")
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_xsam")])
        .args(line.split_whitespace())
        .current_dir(directory)
        .output()
        .unwrap()
}

#[test]
fn a_full_disk_is_an_error_and_the_checkpoint_before_it_stays() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    succeeds(here, SHORT);
    let more = "train --resume run --set train.epochs=4";
    let output = with_room(here, 20_000, more);
    assert_fails(&output, 1, "run/checkpoint/epoch-00003.tmp");
    assert_status(&here.join("run/run.json"), "failed");

    // With room again it goes on as if nothing had been.
    let output = succeeds(here, "train --resume run");
    assert_contains(&text(&output.stderr), &["going on after epoch 2"]);
    let metrics = read(here.join("run/metrics.csv"));
    assert_eq!(metrics.lines().count(), 1 + 4);
    assert!(!here.join("run/checkpoint/epoch-00003.tmp").exists());
}

/// With room for its table alone, `run.json` being longer.
#[test]
fn a_run_that_could_not_begin_is_not_in_the_way_of_the_next() {
    let here = tempfile::tempdir().unwrap();
    let output = with_room(here.path(), 1024, SHORT);
    assert_fails(&output, 1, "run/run.json");
    succeeds(&here, SHORT);
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
    fails(&locked, SHORT, 1, "cannot create the directory run");
}
