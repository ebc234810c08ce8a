//! What a command measures: a model, and over which loss.

use std::path::Path;

use xsam_train::{Error, Sample, SpecError, Subject, parse_name};

use super::Source;
use crate::args::SubjectArguments;

/// Flags by the fields that they set.
pub(crate) const FLAGS: [(&str, &str); 2] = [("samples", "--samples"), ("batch", "--batch")];

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
        })
    }

    pub(crate) fn sample(&self) -> Result<Sample, Error> {
        let precision = match &self.precision {
            None => None,
            Some(name) => Some(parse_name(name).map_err(|message| SpecError {
                key: "--precision".to_owned(),
                message,
            })?),
        };
        Ok(Sample {
            samples: self.samples,
            batch: self.batch,
            training: self.training,
            precision,
            seed: self.seed,
        })
    }
}
