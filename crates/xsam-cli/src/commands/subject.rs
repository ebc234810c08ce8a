//! What a command measures: a model, and over which loss.

use std::path::Path;

use xsam_train::{Error, Named, Sample, SpecError, Subject, parse_name};

use super::Source;
use crate::args::SubjectArguments;

/// Flags by the fields that they set.
pub(crate) const FLAGS: [(&str, &str); 4] = [
    ("samples", "--samples"),
    ("batch", "--batch"),
    ("train.device", "--device"),
    ("train.precision", "--precision"),
];

/// The thing that the value of `flag` names, if there is one.
fn named<T: Named>(text: Option<&str>, flag: &str) -> Result<Option<T>, SpecError> {
    let key = flag.to_owned();
    let refused = |message| SpecError { key, message };
    text.map(parse_name).transpose().map_err(refused)
}

impl SubjectArguments {
    /// The model that is named first.
    pub(crate) fn subject(&self) -> Result<Subject, Error> {
        self.model(&self.run)
    }

    /// Another one, with the same spec if it is a file of weights.
    pub(crate) fn model(&self, path: &Path) -> Result<Subject, Error> {
        let given = self.spec.is_some() || self.preset.is_some() || !self.settings.is_empty();
        let spec = match given {
            false => None,
            true => {
                let (file, preset) = (self.spec.as_deref(), self.preset.as_deref());
                Some(Source::of(file, preset, "", &self.settings)?.spec)
            }
        };
        Ok(Subject {
            path: path.to_owned(),
            spec,
            device: named(self.device.as_deref(), "--device")?,
            changed_data: self.changed_data,
        })
    }

    pub(crate) fn sample(&self) -> Result<Sample, Error> {
        Ok(Sample {
            samples: self.samples,
            batch: self.batch,
            training: self.training,
            precision: named(self.precision.as_deref(), "--precision")?,
            seed: self.seed,
        })
    }
}
