#![no_main]
//! What `xsam report`, `--resume`, `compare --list-runs`, `landscape` and `plan --against` read of the directories of runs and
//! comparisons, one file at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use xsam_fuzz::{COMPARED, Limits, RESULTS, choice, compared, copied, experiment, folder, within};
use xsam_lab::fuzzing;
use xsam_lab::spec::Compare;
use xsam_tasks::{Classification, OurSpec};

struct Sound {
    /// A directory for each file, in which that one alone is changed.
    directories: Vec<PathBuf>,
    spec: OurSpec,
    resolved: OurSpec,
    compare: Compare,
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let of = |name: &&str| {
            let directory = folder().join(name.replace('/', "-"));
            copied(compared(), &directory);
            directory
        };
        let (spec, compare) = experiment();
        Sound {
            directories: RESULTS.iter().map(of).collect(),
            resolved: spec.clone().resolved().expect("it is sound"),
            spec,
            compare,
        }
    })
}

/// All that reads a file of the directory of a comparison, or of that of a run of it.
fn read(directory: &Path, name: &str, sound: &Sound, printed: bool) {
    let run = directory.join(COMPARED[1]);
    let file = directory.join(name);
    match name {
        "plan.json" => return drop(fuzzing::plan(&file, sound.spec.clone())),
        "compare.json" | "spec.toml" => {
            let _ = fuzzing::comparison(directory, &sound.spec, &sound.compare);
        }
        "xsam-seed0/run.json" | "xsam-seed0/spec.toml" => {
            let _ = fuzzing::run::<Classification>(&run, &sound.resolved);
        }
        "xsam-seed0/landscape/a.json" => drop(fuzzing::landscape(&file)),
        _ => {}
    }
    let directory = if name.contains('/') { &run } else { directory };
    let _ = xsam_report::fuzzing::text(directory, printed);
}

fuzz_target!(|data: &[u8]| {
    let sound = sound();
    within(&Limits::READING, data, |data| {
        let (choice, bytes) = choice(data);
        let number = choice % RESULTS.len();
        let directory = &sound.directories[number];
        fs::write(directory.join(RESULTS[number]), bytes).expect("there is room");
        // To print the page takes more time than all that is before it.
        read(directory, RESULTS[number], sound, choice >= 246);
    });
});
