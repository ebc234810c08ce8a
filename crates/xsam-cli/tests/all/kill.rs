//! Runs that are killed at any moment, and go on as if nothing had been.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{self, assert_succeeds, metrics, read, weights};

/// How often a run is killed before it may end.
const KILLS: usize = 50;

const SPEC: &str = "
    [data]
    label_noise = 0.2
    [augmentation]
    crop_padding = 1
    [model]
    name = 'cnn'
    [method]
    name = 'xsam'
    search = { every-steps = 5 }
    [train]
    epochs = 30
    checkpoint_steps = 3
    checkpoint_every = 2
    evaluate_every = 3
    log_every = 2
";

fn start(here: &Path, line: &str) -> Child {
    common::start(here, &format!("{line} --quiet --threads 1"))
}

fn finish(child: Child) {
    assert_succeeds(&child.wait_with_output().unwrap());
}

/// The events in the event file: steps, names and values, without times and memory.
fn events(run: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(run).unwrap().map(|entry| entry.unwrap());
    let mut files = entries.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("events.out.tfevents.")
    });
    let bytes = fs::read(files.next().unwrap().path()).unwrap();
    assert!(files.next().is_none(), "there is one event file");
    let mut rest = &bytes[..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        // A byte for the field and eight for the time of the event.
        let mut event = rest[12 + 9..12 + length].to_vec();
        // These are different every time. Behind a name are a byte for the field and four of the number.
        for name in ["time/seconds_per_step", "memory/peak_mb"] {
            let name = name.as_bytes();
            if let Some(at) = event.windows(name.len()).position(|part| part == name) {
                event[at + name.len() + 1..][..4].fill(0);
            }
        }
        records.push(event);
        rest = &rest[16 + length..];
    }
    records
}

#[test]
fn runs_that_are_killed_fifty_times_equal_one_that_was_not() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    fs::write(here.join("spec.toml"), SPEC).unwrap();
    let start_time = Instant::now();
    finish(start(here, "train spec.toml --out whole"));
    let whole = start_time.elapsed();

    let mut child = start(here, "train spec.toml --out killed");
    // Multiples of the golden ratio: moments that are spread evenly, and none of them twice.
    let mut moment = 0.0f64;
    let mut kills = 0;
    while kills < KILLS {
        moment = (moment + 0.618_033_988_749_895) % 1.0;
        // Some are before the first checkpoint after the start, most are not.
        sleep(Duration::from_secs_f64(moment * 0.1 * whole.as_secs_f64()));
        if child.try_wait().unwrap().is_some() {
            finish(child);
            assert_equal(here, "killed", "whole");
            fs::remove_dir_all(here.join("killed")).unwrap();
            child = start(here, "train spec.toml --out killed");
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let again = match here.join("killed/run.json").exists() {
            true => "train --resume killed",
            false => "train spec.toml --out killed",
        };
        child = start(here, again);
    }
    finish(child);
    assert_equal(here, "killed", "whole");
}

/// Metrics, searched curves, event file and weights, to the bit.
fn assert_equal(here: &Path, run: &str, other: &str) {
    let (a, b) = (here.join(run), here.join(other));
    assert_eq!(metrics(&a), metrics(&b));
    let searched = |run: &Path| read(run.join("search.csv"));
    assert_eq!(searched(&a), searched(&b));
    assert_eq!(events(&a), events(&b));
    assert_eq!(weights(here, run), weights(here, other));
}
