//! Specs, and where they are from.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use xsam_lab::format::check_release;
use xsam_lab::spec::{Compare, DeviceName, Preset, Spec, SpecError, TaskSpec};
use xsam_lab::{Error, Tasks, layout};

use crate::context::Context;
use crate::names::named;

/// Which spec.
#[derive(Args, Debug)]
pub(crate) struct SpecArguments {
    /// Spec file of the experiment; every field has a default.
    #[arg(value_name = "SPEC.toml", conflicts_with = "preset")]
    pub(crate) spec: Option<PathBuf>,

    /// A spec that comes with the program.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,

    /// Changes a field of the spec (repeatable). A text needs no quotation marks, whatever it looks like.
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    settings: Vec<String>,

    /// Where to compute; all but cpu need a build with the feature of that name.
    #[arg(id = "train.device", long = "device", value_name = "DEVICE", value_parser = named::<DeviceName>())]
    device: Option<DeviceName>,
}

/// A spec, not resolved yet, and where it is from.
pub(crate) struct Source<S> {
    pub(crate) spec: Spec<S>,
    pub(crate) compare: Option<Compare>,
    origin: Option<String>,
}

impl SpecArguments {
    /// The spec that these arguments say.
    pub(crate) fn source<L: Tasks>(
        &self,
        program: &Context<L>,
        otherwise: Otherwise<'_>,
    ) -> Result<Source<L::Spec>, Error> {
        let of = |file, preset| Source::of(program, file, preset, &self.settings);
        let mut source = match (self.spec.as_deref(), self.preset.as_deref(), otherwise) {
            (Some(file), ..) => of(Some(file), None)?,
            (None, Some(preset), _) => of(None, Some(preset))?,
            (None, None, Otherwise::Resumed(directory)) => {
                check_release(directory)?;
                of(Some(&directory.join(layout::SPEC)), None)?
            }
            // Whose name nobody has said.
            (None, None, Otherwise::FirstPreset) => Source {
                origin: None,
                ..of(None, program.presets.first().map(Preset::name))?
            },
            (None, None, Otherwise::Defaults) => of(None, None)?,
        };
        if let Some(device) = self.device {
            source.spec.train.device = device;
        }
        Ok(source)
    }
}

/// The spec where none is named.
#[derive(Clone, Copy)]
pub(crate) enum Otherwise<'a> {
    /// One of defaults.
    Defaults,
    /// That of the results in a directory.
    Resumed(&'a Path),
    /// The first one that comes with the program, or one of defaults if none does.
    FirstPreset,
}

impl<S: TaskSpec> Source<S> {
    /// The spec in a file or a preset, or one of defaults if there is neither, with `settings`.
    pub(crate) fn of<L: Tasks<Spec = S>>(
        program: &Context<L>,
        file: Option<&Path>,
        preset: Option<&str>,
        settings: &[String],
    ) -> Result<Self, Error> {
        let (parsed, origin) = match (file, preset) {
            (Some(path), _) => {
                let origin = Some(path.display().to_string());
                (Spec::parse(&read(path)?, settings), origin)
            }
            (None, Some(name)) => {
                let preset = Preset::find(name, program.presets)?;
                (preset.parse(settings), Some(format!("preset {name}")))
            }
            (None, None) => (Spec::parse("", settings), None),
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

/// The command with the names of the presets in the help of `--preset`, if it has one and there are any.
pub(crate) fn presets_in(command: Command, presets: &[Preset]) -> Command {
    const PRESET: &str = "preset";
    if !command.get_arguments().any(|arg| arg.get_id() == PRESET) {
        return command;
    }
    let names: Vec<&str> = presets.iter().map(Preset::name).collect();
    command.mut_arg(PRESET, |arg| match names[..] {
        [] => arg.hide(true),
        _ => arg.help(format!(
            "A spec that comes with the program, or one of its methods, as NAME-METHOD. There are: {}",
            names.join(", ")
        )),
    })
}
