//! What a command measures: a model, and over which loss.

use std::path::{Path, PathBuf};

use clap::Args;
use xsam_lab::spec::Precision;
use xsam_lab::{Error, Sample, Subject, Tasks};

use crate::names::named;
use crate::source::{Source, SpecOptions};

/// Tells which trained model is measured.
#[derive(Args, Debug)]
#[command(
    mut_arg("settings", |arg| arg.help("Changes a field of that spec (repeatable)")),
    mut_arg("train.device", |arg| arg.help("Where to compute; where the run did if not given"))
)]
pub(crate) struct SubjectArguments {
    /// Directory of a run, for its latest checkpoint; a folder in its checkpoint/; or a file of weights for PyTorch
    /// (.safetensors, or a state dict by torch.save), with the spec of its model and data.
    #[arg(value_name = "RUN|CHECKPOINT|FILE")]
    pub(crate) run: PathBuf,

    /// Spec of the model and the data of a file of weights.
    #[arg(long, value_name = "SPEC.toml", conflicts_with = "preset")]
    spec: Option<PathBuf>,

    #[command(flatten)]
    options: SpecOptions,

    /// Measures although the data are not those that the run was trained on. What has changed is then in the results.
    #[arg(long)]
    changed_data: bool,
}

/// Over which loss something is measured of it.
#[derive(Args, Debug)]
pub(crate) struct SampleArguments {
    /// Number of training samples that the loss is a mean over.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    samples: usize,

    /// Samples in a batch; the result does not depend on it, but for --training with batch norm.
    #[arg(long, value_name = "N", default_value_t = 128)]
    batch: usize,

    /// The model as in training: statistics of the batch, dropout.
    #[arg(long)]
    training: bool,

    /// Number format; the run's if not given.
    #[arg(id = "train.precision", long = "precision", value_name = "FORMAT", value_parser = named::<Precision>())]
    precision: Option<Precision>,

    /// Decides which samples, and all that is random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl SubjectArguments {
    /// The model in `path`, with the same spec for each that is a file of weights.
    pub(crate) fn model<L: Tasks>(&self, path: &Path) -> Result<Subject<L::Spec>, Error> {
        let SpecOptions {
            preset,
            settings,
            device,
        } = &self.options;
        let given = self.spec.is_some() || preset.is_some() || !settings.is_empty();
        let source = || Source::of::<L>(self.spec.as_deref(), preset.as_deref(), settings);
        Ok(Subject {
            path: path.to_owned(),
            spec: given.then(source).transpose()?.map(|source| source.spec),
            device: *device,
            changed_data: self.changed_data,
        })
    }
}

impl SampleArguments {
    pub(crate) fn sample(&self) -> Sample {
        Sample {
            samples: self.samples,
            batch: self.batch,
            training: self.training,
            precision: self.precision,
            seed: self.seed,
        }
    }
}
