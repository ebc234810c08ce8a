//! `xsam compare`

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::json;
use xsam_train::{Comparison, Error, Exact, JobListener, Preset, Spec, Status, Workers, report};

use super::{Outcome, Source, read, stop_on_interrupt, terms};
use crate::args::{CompareArguments, RunArguments};
use crate::job_progress::JobProgress;
use crate::progress::Progress;
use crate::{print, table};

/// The preset that is run if nothing else is said: the main job.
pub(super) const DEFAULT: &str = "digits-noise";

pub(crate) fn run(arguments: CompareArguments) -> Result<Outcome, Error> {
    let more = settings(&arguments);
    let CompareArguments {
        run: arguments,
        jobs,
        ..
    } = arguments;
    let text = match &arguments.resume {
        Some(directory) => read(&directory.join("spec.toml"))?,
        None => Preset::find(DEFAULT)?.toml().to_owned(),
    };
    let source = Source::new(&arguments, &text, more)?;
    let spec = &source.spec;
    let compare = source.compare.clone().unwrap_or_default();
    let directory = directory(&arguments);

    let comparison = Comparison::prepare(spec, &compare, &directory, terms(&arguments))
        .map_err(|error| source.blame(error))?;
    let mut summary = if jobs > 1 {
        let mut progress = JobProgress::new(&arguments.output, comparison.runs());
        let stop = stop_on_interrupt(progress.bars());
        let show: &mut JobListener<'_> = &mut |job, event| progress.show(job, event);
        comparison.run_parallel(&workers(jobs)?, &stop, show)?
    } else {
        let mut progress = Progress::new(&arguments.output, comparison.runs());
        let stop = stop_on_interrupt(progress.bars());
        comparison.run(&stop, &mut |event| progress.show(&event))?
    };
    let file = report(&directory)?;
    let name = file.file_name().unwrap_or_default();
    summary.files.push(name.to_string_lossy().into_owned());

    if arguments.output.json {
        let path = directory.display().to_string();
        print::json(
            &json!({ "event": "comparison", "directory": path, "summary": Exact(&summary) }),
        );
    } else {
        if let Some(tuning) = &summary.tuning {
            print::line(table::candidates(tuning));
        }
        print::line(table::heading(spec, &summary));
        print::line(table::methods(spec, &summary));
        print::line(format!(
            "In {}: {}",
            directory.display(),
            summary.files.join(", ")
        ));
    }
    for warning in &summary.warnings {
        print::warning(None, "", warning);
    }
    for failure in &summary.failures {
        print::error(failure);
    }
    Ok(match summary.status {
        Status::Finished => Outcome::Done,
        Status::Failed => Outcome::Failed,
        Status::Running | Status::Interrupted => {
            print::error(format_args!(
                "to go on: xsam compare --resume {}",
                directory.display()
            ));
            Outcome::Interrupted
        }
    })
}

/// What the flags set in the section `[compare]`.
fn settings(arguments: &CompareArguments) -> Vec<String> {
    let mut settings = Vec::new();
    let mut set = |field: &str, value: String, given: bool| {
        if given {
            settings.push(format!("compare.{field}={value}"));
        }
    };
    let CompareArguments {
        methods,
        seeds,
        rho,
        ascent_steps,
        equal_compute,
        tune,
        tune_seeds,
        ..
    } = arguments;
    set("methods", json!(methods).to_string(), !methods.is_empty());
    set("seeds", format!("{seeds:?}"), !seeds.is_empty());
    set("rho", format!("{rho:?}"), !rho.is_empty());
    set(
        "ascent_steps",
        format!("{ascent_steps:?}"),
        !ascent_steps.is_empty(),
    );
    set("equal_compute", "true".to_owned(), *equal_compute);
    set(
        "tune_seeds",
        format!("{tune_seeds:?}"),
        !tune_seeds.is_empty(),
    );
    for (field, values) in tune {
        let values: Vec<String> = values
            .iter()
            .map(|value| toml_value(field, value))
            .collect();
        set(
            &format!("tune.{field}"),
            format!("[{}]", values.join(", ")),
            true,
        );
    }
    settings
}

/// A value of a list in TOML: for a field of text a text, for another a number or a truth value if it is one.
fn toml_value(field: &str, text: &str) -> String {
    if Spec::takes_text(field) {
        return json!(text).to_string();
    }
    if text.parse::<i64>().is_ok() || text.parse::<bool>().is_ok() {
        return text.to_owned();
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => format!("{number:?}"),
        _ => json!(text).to_string(),
    }
}

/// Processes of this program, that share its threads among them.
fn workers(count: usize) -> Result<Workers, Error> {
    let threads = (rayon::current_num_threads() / count).max(1).to_string();
    Ok(Workers {
        count,
        program: Workers::this_program()?,
        arguments: ["job", "--threads", &threads].map(OsString::from).to_vec(),
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
