//! The commands, one file each, and what they share.

pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod data;
pub(crate) mod export;
pub(crate) mod flatness;
pub(crate) mod job;
pub(crate) mod landscape;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod subject;
pub(crate) mod train;
pub(crate) mod verify;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::MultiProgress;
use serde_json::json;
use xsam_train::{Compare, Error, Existing, Preset, Spec, SpecError, StopSignal, Terms};

use crate::args::RunArguments;
use crate::print;
use crate::signals::{self, By};

/// How a command ended, if not with an error.
pub(crate) enum Outcome {
    /// It did all that it was asked to.
    Done,
    /// What it was asked to do was done, and found a failure.
    Failed,
    /// It was asked to stop, and has written what there was.
    Interrupted,
}

/// A spec, not resolved yet, and where it is from.
pub(crate) struct Source {
    pub(crate) spec: Spec,
    pub(crate) compare: Option<Compare>,
    origin: Option<String>,
}

impl Source {
    /// The spec that the arguments name, or `text` if they name none, with `more` settings before
    /// those of the arguments.
    pub(crate) fn new(
        arguments: &RunArguments,
        text: &str,
        more: Vec<String>,
    ) -> Result<Self, Error> {
        let mut settings = more;
        settings.extend(arguments.settings.iter().cloned());
        if let Some(file) = &arguments.init {
            let path = file.to_str().ok_or_else(|| SpecError {
                key: "--init".to_owned(),
                message: format!("{} is not UTF-8, as a spec must be", file.display()),
            })?;
            // In quotation marks, whatever it begins or ends with.
            settings.push(format!("model.init={}", json!(path)));
        }
        if let Some(device) = &arguments.device {
            settings.push(format!("train.device={device}"));
        }
        let (file, preset) = (arguments.spec.as_deref(), arguments.preset.as_deref());
        Self::of(file, preset, text, &settings)
    }

    /// The spec in a file or a preset, or `text` if there is neither, with `settings`.
    fn of(
        file: Option<&Path>,
        preset: Option<&str>,
        text: &str,
        settings: &[String],
    ) -> Result<Self, Error> {
        let (parsed, origin) = match (file, preset) {
            (Some(path), _) => {
                let origin = Some(path.display().to_string());
                (Spec::parse(&read(path)?, settings), origin)
            }
            (None, Some(name)) => {
                let preset = Preset::find(name)?;
                (preset.parse(settings), Some(format!("preset {name}")))
            }
            (None, None) => (Spec::parse(text, settings), None),
        };
        match parsed {
            Ok((spec, compare)) => Ok(Self {
                spec,
                compare,
                origin,
            }),
            Err(error) => Err(Error::Spec { origin, error }),
        }
    }

    /// Says of an error in the spec where the spec is from.
    pub(crate) fn blame(&self, error: Error) -> Error {
        match error {
            Error::Spec {
                origin: None,
                error,
            } => Error::Spec {
                origin: self.origin.clone(),
                error,
            },
            other => other,
        }
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the spec {}: {error}", path.display());
        Error::from(SpecError {
            key: String::new(),
            message,
        })
    })
}

/// Names, of an error in a field, the flag that set the field.
pub(crate) fn by_flag(error: Error, flags: &[(&str, &str)]) -> Error {
    match error {
        Error::Spec { origin, mut error } => {
            if let Some((_, flag)) = flags.iter().find(|(field, _)| *field == error.key) {
                error.key = (*flag).to_owned();
            }
            Error::Spec { origin, error }
        }
        other => other,
    }
}

/// What to do with results that exist.
pub(crate) fn terms(arguments: &RunArguments) -> Terms {
    Terms {
        existing: match &arguments.resume {
            Some(_) if arguments.recover => Existing::Recover,
            Some(_) => Existing::Resume,
            None if arguments.overwrite => Existing::Overwrite,
            None => Existing::Refuse,
        },
        changed_data: arguments.changed_data,
    }
}

/// A signal that Ctrl-C, SIGTERM and a terminal that is closed set. The second Ctrl-C or SIGTERM ends the program at once.
/// What is said then stays above `bars`.
pub(crate) fn stop_on_interrupt(bars: Option<&MultiProgress>) -> StopSignal {
    let stop = StopSignal::default();
    let (handler, bars) = (stop.clone(), bars.cloned());
    // Not whether it is to stop: a comparison asks the processes of its runs, to which Ctrl-C on a terminal comes as well.
    let asked = AtomicBool::new(false);
    let set = signals::on_request(move |by| {
        if asked.swap(true, Ordering::SeqCst) {
            if by == By::Terminal {
                return;
            }
            if let Some(bars) = &bars {
                let _ = bars.clear();
            }
            std::process::exit(130);
        }
        handler.stop();
        // The terminal shows `^C`, behind which nothing else belongs; bars leave room for it.
        let line = if bars.is_some() { "" } else { "\n" };
        print::above(
            bars.as_ref(),
            format_args!("{line}xsam: stopping; once more to stop at once"),
        );
    });
    if let Err(error) = set {
        // Training works without; only stopping is less gentle.
        print::error(format_args!("Ctrl-C will end the program at once: {error}"));
    }
    stop
}
