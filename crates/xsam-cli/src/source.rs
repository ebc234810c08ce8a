//! Specs, and where they are from.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use xsam_lab::format::check_release;
use xsam_lab::spec::{Compare, DeviceName, Preset, Spec, SpecError, TaskSpec};
use xsam_lab::{Error, Tasks, layout};

use crate::names::named;

/// Tells which spec a command is about.
#[derive(Args, Debug)]
pub(crate) struct SpecArguments {
    /// Spec file of the experiment; every field has a default.
    #[arg(value_name = "SPEC.toml", conflicts_with = "preset")]
    pub(crate) spec: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) options: SpecOptions,
}

/// Which spec, if not one in a file, and with which changes.
#[derive(Args, Debug)]
pub(crate) struct SpecOptions {
    /// A spec that comes with the program.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,

    /// Changes a field of the spec (repeatable). A text needs no quotation marks, whatever it looks like.
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    pub(crate) settings: Vec<String>,

    /// Where to compute; all but cpu need a build with the feature of that name.
    #[arg(id = "train.device", long = "device", value_name = "DEVICE", value_parser = named::<DeviceName>())]
    pub(crate) device: Option<DeviceName>,
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
        otherwise: Otherwise<'_>,
    ) -> Result<Source<L::Spec>, Error> {
        let of = |file, preset| Source::of::<L>(file, preset, &self.options.settings);
        let preset = self.options.preset.as_deref();
        let mut source = match (self.spec.as_deref(), preset, otherwise) {
            (None, None, Otherwise::Resumed(directory)) => {
                check_release(directory)?;
                of(Some(&directory.join(layout::SPEC)), None)?
            }
            // Whose name nobody has said.
            (None, None, Otherwise::FirstPreset) => Source {
                origin: None,
                ..of(None, L::PRESETS.first().map(Preset::name))?
            },
            (file, preset, _) => of(file, preset)?,
        };
        if let Some(device) = self.options.device {
            source.spec.train.device = device;
        }
        Ok(source)
    }
}

/// The spec where none is named.
#[derive(Clone, Copy)]
pub(crate) enum Otherwise<'a> {
    /// A spec of defaults alone.
    Defaults,
    /// That of the results in a directory.
    Resumed(&'a Path),
    /// The first one that comes with the program, or one of defaults if none does.
    FirstPreset,
}

impl<S: TaskSpec> Source<S> {
    /// The spec in a file or a preset, or one of defaults if there is neither, with `settings`.
    pub(crate) fn of<L: Tasks<Spec = S>>(
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
                let preset = Preset::find(name, L::PRESETS)?;
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

/// The text of a spec. Unlike a file in a directory of results it may be a pipe.
fn read(path: &Path) -> Result<String, SpecError> {
    fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the spec {}: {error}", path.display());
        SpecError::new("", message)
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
