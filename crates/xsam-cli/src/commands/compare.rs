//! `xsam compare`

use std::path::{Path, PathBuf};

use serde_json::json;
use xsam_train::{Comparison, Error, Preset, Status, report};

use super::{Outcome, Source, existing, read, stop_on_interrupt};
use crate::args::{CompareArguments, RunArguments};
use crate::progress::Progress;
use crate::{print, table};

/// The preset that is run if nothing else is said: the main job.
const DEFAULT: &str = "digits-noise";

pub(crate) fn run(arguments: CompareArguments) -> Result<Outcome, Error> {
    let CompareArguments {
        run: arguments,
        methods,
        seeds,
    } = arguments;
    let mut more = Vec::new();
    if !methods.is_empty() {
        more.push(format!("compare.methods={methods:?}"));
    }
    if !seeds.is_empty() {
        more.push(format!("compare.seeds={seeds:?}"));
    }
    let text = match &arguments.resume {
        Some(directory) => read(&directory.join("spec.toml"))?,
        None => Preset::find(DEFAULT)?.toml().to_owned(),
    };
    let source = Source::new(&arguments, &text, more)?;
    let spec = &source.spec;
    let compare = source.compare.clone().unwrap_or_default();
    let directory = directory(&arguments);

    let comparison = Comparison::prepare(spec, &compare, &directory, existing(&arguments))
        .map_err(|error| source.blame(error))?;
    let stop = stop_on_interrupt();
    let mut progress = Progress::new(&arguments.output, comparison.runs());
    let mut summary = comparison.run(&stop, &mut |event| progress.show(&event))?;
    drop(progress);
    let file = report(&directory)?;
    let name = file.file_name().unwrap_or_default();
    summary.files.push(name.to_string_lossy().into_owned());

    if arguments.output.json {
        let path = directory.display().to_string();
        print::json(&json!({ "event": "comparison", "directory": path, "summary": summary }));
    } else {
        print::line(table::heading(spec, &summary));
        print::line(table::methods(spec, &summary));
        print::line(format!(
            "In {}: {}",
            directory.display(),
            summary.files.join(", ")
        ));
    }
    for failure in &summary.failures {
        eprintln!("xsam: {failure}");
    }
    Ok(match summary.status {
        Status::Finished => Outcome::Done,
        Status::Failed => Outcome::Failed,
        Status::Running | Status::Interrupted => {
            eprintln!(
                "xsam: to go on: xsam compare --resume {}",
                directory.display()
            );
            Outcome::Interrupted
        }
    })
}

fn directory(arguments: &RunArguments) -> PathBuf {
    if let Some(directory) = arguments.resume.as_ref().or(arguments.out.as_ref()) {
        return directory.clone();
    }
    let stem = arguments.spec.as_deref().and_then(Path::file_stem);
    let name = match (stem, &arguments.preset) {
        (Some(stem), _) => stem.to_string_lossy().into_owned(),
        (None, Some(preset)) => preset.clone(),
        (None, None) => DEFAULT.to_owned(),
    };
    Path::new("runs").join(name)
}
