#![no_main]
//! The files of a checkpoint that a run goes on from, one of them at a time, with the checksums that they have or others.

use std::array::from_fn;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use xsam_fuzz::{CHECKPOINT, Limits, Tiny, checkpoint, choice, folder, optimizer, within};
use xsam_lab::fuzzing::{restore, rewrite_manifest};

/// A run for each file, in which that one alone is changed, and its checkpoint.
fn runs() -> &'static [[PathBuf; 2]; CHECKPOINT.len()] {
    static RUNS: OnceLock<[[PathBuf; 2]; CHECKPOINT.len()]> = OnceLock::new();
    RUNS.get_or_init(|| {
        from_fn(|number| {
            let run = folder().join(CHECKPOINT[number]);
            let checkpoint = checkpoint(&run);
            [run, checkpoint]
        })
    })
}

fuzz_target!(|data: &[u8]| {
    let runs = runs();
    within(&Limits::READING, data, |data| {
        let (choice, bytes) = choice(data);
        let number = choice % CHECKPOINT.len();
        let [run, checkpoint] = &runs[number];
        fs::write(checkpoint.join(CHECKPOINT[number]), bytes).expect("there is room");
        // Half of the time the checksum in front is not what stops it.
        if number > 0 && choice & 4 != 0 {
            rewrite_manifest(checkpoint).expect("there is room");
        }
        let mut optim = optimizer(0);
        if let Ok(Some(model)) = restore(run, Tiny::default(), &mut optim) {
            let _ = model.after_step(&mut optim);
        }
    });
});
