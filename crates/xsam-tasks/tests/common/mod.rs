//! What tests of whole runs share.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tempfile::TempDir;
use xsam_lab::compare::ComparisonSummary;
use xsam_lab::export::Export;
use xsam_lab::files::{Existing, Terms};
use xsam_lab::flatness::{FlatnessEvent, FlatnessReport, FlatnessSpec};
use xsam_lab::landscape::{Landscape, LandscapeEvent, LandscapeSpec};
use xsam_lab::spec::Compare;
use xsam_lab::{Error, Event, Run, RunSummary, Status, StopSignal};
use xsam_tasks::{Classification, OurSections};

pub use xsam_tasks::{OurSpec as Spec, OurTasks};

pub type Comparison = xsam_lab::compare::Comparison<OurTasks>;
pub type Subject = xsam_lab::Subject<OurSections>;
pub type Trained = xsam_lab::Trained<Classification>;

pub fn parse(text: &str, settings: &[&str]) -> Result<(Spec, Option<Compare>), String> {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    Spec::parse(text, &settings).map_err(|error| error.to_string())
}

/// The spec of these settings; of two of one field the later one holds.
pub fn spec(settings: &[&str], more: &[&str]) -> Spec {
    parse("", &[settings, more].concat()).unwrap().0
}

/// Those of a line such as `a.b=1 and c.d=2`.
pub fn settings(line: &str) -> Vec<&str> {
    let settings = line.trim().split(" and ");
    settings.filter(|setting| !setting.is_empty()).collect()
}

pub fn resolved(settings: &[&str]) -> Result<Spec, String> {
    let (spec, _) = parse("", settings)?;
    spec.resolved().map_err(|error| error.to_string())
}

/// The lines of a table of `left => right`.
pub fn table(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.trim().lines().map(|line| {
        let (left, right) = line.split_once("=> ").unwrap();
        (left.trim(), right)
    })
}

/// Every line of the table is of settings that are refused beside others, and how the error begins: `a.b=1 and c.d=2 =>
/// error`.
#[track_caller]
pub fn assert_refused(beside: &[&str], lines: &str) {
    let refused = |settings: &[&str]| {
        let (spec, compare) = match parse("", settings) {
            Ok(parsed) => parsed,
            Err(error) => return error,
        };
        let compared = compare.map(|compare| compare.entries(&spec).map(drop));
        let outcome = compared.unwrap_or_else(|| spec.resolved().map(drop));
        outcome.map_or_else(|error| error.to_string(), |()| "nothing".to_owned())
    };
    for (asked, expected) in table(lines) {
        let error = refused(&[beside, &settings(asked)].concat());
        assert!(error.starts_with(expected), "{asked} => {error}");
    }
}

/// What a JSON file holds.
pub fn read<T: DeserializeOwned>(file: impl AsRef<Path>) -> T {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

pub fn summary(run: &Path) -> RunSummary {
    read(run.join("run.json"))
}

/// A folder of runs whose specs have settings in common.
pub struct Runs {
    folder: TempDir,
    common: Vec<String>,
}

impl Runs {
    pub fn new(common: &[&str]) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            common: common.iter().map(|s| (*s).to_owned()).collect(),
        }
    }

    /// Adds a setting to those of all.
    pub fn set(&mut self, setting: String) {
        self.common.push(setting);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// With these settings besides; of two of one field the later one holds.
    pub fn spec(&self, settings: &[&str]) -> Spec {
        let common: Vec<&str> = self.common.iter().map(String::as_str).collect();
        spec(&common, settings)
    }

    /// A comparison that is written so.
    pub fn parse(&self, text: &str) -> (Spec, Compare) {
        let common: Vec<&str> = self.common.iter().map(String::as_str).collect();
        let (spec, compare) = parse(text, &common).unwrap();
        (spec, compare.unwrap())
    }

    /// A run from its beginning to its end.
    pub fn run(&self, name: &str, settings: &[&str]) -> RunSummary {
        let spec = self.spec(settings);
        train(&spec, &self.path(name), Existing::Refuse).unwrap()
    }

    pub fn resume(&self, name: &str, settings: &[&str]) -> Result<RunSummary, Error> {
        train(&self.spec(settings), &self.path(name), Existing::Resume)
    }

    /// A run, begun or resumed, until `stop_at` steps are done.
    pub fn interrupted(&self, name: &str, settings: &[&str], stop_at: usize) -> RunSummary {
        let (spec, directory) = (self.spec(settings), self.path(name));
        let existing = match directory.exists() {
            true => Existing::Resume,
            false => Existing::Refuse,
        };
        let (stop, mut steps) = (StopSignal::default(), 0);
        let run = prepare(spec, &directory, existing).unwrap();
        run.train(&stop, &mut |event| {
            if let Event::Step { .. } = event {
                steps += 1;
                if steps == stop_at {
                    stop.stop();
                }
            }
        })
        .unwrap()
    }

    pub fn rows(&self, name: &str) -> Vec<String> {
        rows(&self.path(name))
    }

    /// What the file of a run says.
    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// The page on a run or a comparison.
    pub fn page(&self, name: &str) -> String {
        fs::read_to_string(report(&self.path(name)).unwrap()).unwrap()
    }
}

pub fn prepare(spec: Spec, directory: &Path, terms: impl Into<Terms>) -> Result<Run, Error> {
    Run::prepare::<OurTasks>(spec, directory, terms)
}

pub fn train(spec: &Spec, directory: &Path, terms: impl Into<Terms>) -> Result<RunSummary, Error> {
    let run = prepare(spec.clone(), directory, terms)?;
    run.train(&StopSignal::default(), &mut |_| {})
}

/// The warnings of a run before its first step, and those after it.
pub fn warned(run: Run) -> (RunSummary, Vec<String>, Vec<String>) {
    let (mut before, mut after, mut steps) = (Vec::new(), Vec::new(), 0);
    let summary = run.train(&StopSignal::default(), &mut |event| match event {
        Event::Step { .. } => steps += 1,
        Event::Warning(warning) if steps == 0 => before.push(warning.to_owned()),
        Event::Warning(warning) => after.push(warning.to_owned()),
        _ => {}
    });
    (summary.unwrap(), before, after)
}

/// A comparison by the end of it.
pub fn compared(spec: &Spec, compare: &Compare, directory: &Path) -> ComparisonSummary {
    let comparison = Comparison::prepare(spec, compare, directory, Existing::Refuse).unwrap();
    let summary = comparison.run(&StopSignal::default(), &mut |_| {}).unwrap();
    assert_eq!(summary.status, Status::Finished);
    summary
}

/// The rows of `metrics.csv` without the times and the memory they took.
pub fn rows(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("metrics.csv")).unwrap();
    text.lines()
        .map(|line| line.rsplitn(4, ',').nth(3).unwrap().to_owned())
        .collect()
}

pub fn export(directory: &Path, file: &Path, overwrite: bool) -> Result<Export, Error> {
    xsam_lab::export::export::<OurTasks>(directory, file, overwrite)
}

pub fn flatness(
    subject: &Subject,
    spec: &FlatnessSpec,
    listener: &mut dyn FnMut(FlatnessEvent<'_>),
) -> Result<FlatnessReport, Error> {
    xsam_lab::flatness::flatness::<OurTasks>(subject, spec, listener)
}

pub fn landscape(
    subject: &Subject,
    spec: &LandscapeSpec,
    stop: &StopSignal,
    listener: &mut dyn FnMut(LandscapeEvent<'_>),
) -> Result<Landscape, Error> {
    xsam_lab::landscape::landscape::<OurTasks>(subject, spec, stop, listener)
}

/// The page on a run or a comparison.
pub fn report(directory: &Path) -> Result<PathBuf, Error> {
    xsam_report::report(directory, "xsam")
}
