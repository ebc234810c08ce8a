//! A comparison of two methods on a few digits, as the program leaves it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use xsam_lab::compare::Comparison;
use xsam_lab::files::Existing;
use xsam_lab::spec::Compare;
use xsam_lab::{Error, StopSignal, files};
use xsam_tasks::{OurSpec, OurTasks};

use crate::{Tiny, folder, optimizer};

/// The runs of it.
pub const COMPARED: [&str; 2] = ["sgd-seed0", "xsam-seed0"];

/// The files of it, of a run of it and beside it that are read again.
pub const RESULTS: [&str; 10] = [
    "compare.json",
    "spec.toml",
    "plan.json",
    "xsam-seed0/run.json",
    "xsam-seed0/metrics.csv",
    "xsam-seed0/search.csv",
    "xsam-seed0/spec.toml",
    "xsam-seed0/flatness.json",
    "xsam-seed0/landscape/a.json",
    "xsam-seed0/landscape/a.svg",
];

/// The files of a checkpoint; the first is about the others.
pub const CHECKPOINT: [&str; 4] = [
    "manifest.json",
    "model.bpk",
    "optimizer.bpk",
    "position.json",
];

/// What is compared.
const SETTINGS: [&str; 6] = [
    "model.name=mlp",
    "model.width=2",
    "data.subset=50",
    "train.epochs=2",
    "compare.methods=['sgd', 'xsam']",
    "compare.seeds=[0]",
];

/// The experiment, and what is compared.
pub fn experiment() -> (OurSpec, Compare) {
    let (spec, compare) = OurSpec::parse("", &SETTINGS.map(str::to_owned)).expect("it is sound");
    (spec, compare.expect("it is a comparison"))
}

/// The directory of it, made when it is first asked for.
pub fn compared() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || -> Result<_, Error> {
        let directory = folder().join("compared");
        let (spec, compare) = experiment();
        let comparison =
            Comparison::<OurTasks>::prepare(&spec, &compare, &directory, Existing::Refuse)?;
        comparison.run(&StopSignal::default(), &mut |_| {})?;
        let run = directory.join(COMPARED[1]);
        let landscapes = run.join("landscape");
        fs::create_dir(&landscapes).map_err(Error::file("make", &landscapes))?;
        for (path, content) in [
            (
                directory.join("plan.json"),
                include_str!("../sound/plan.json"),
            ),
            (
                run.join("flatness.json"),
                include_str!("../sound/flatness.json"),
            ),
            (
                landscapes.join("a.json"),
                include_str!("../sound/polar.json"),
            ),
            (landscapes.join("a.svg"), "<svg/>"),
        ] {
            files::write(&path, content)?;
        }
        Ok(directory)
    };
    MADE.get_or_init(|| make().unwrap_or_else(|error| panic!("{error}")))
}

/// Copies a folder with all that is in it.
pub fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("there is room");
    for entry in fs::read_dir(from).expect("it can be read") {
        let from = entry.expect("it can be read").path();
        let to = to.join(from.file_name().expect("it has a name"));
        match from.is_dir() {
            true => copied(&from, &to),
            false => drop(fs::copy(&from, &to).expect("there is room")),
        }
    }
}

/// Makes a checkpoint in the directory of a run, and gives its folder.
pub fn checkpoint(run: &Path) -> PathBuf {
    let mut optim = optimizer(0);
    let model = Tiny::default().after_step(&mut optim).expect("it is sound");
    let saved = xsam_lab::fuzzing::save(run, &experiment().0, &model, &optim);
    saved.unwrap_or_else(|error| panic!("{error}"))
}
