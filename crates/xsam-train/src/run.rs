//! One run: a model trained by a method from a seed.

use std::path::Path;

use xsam_data::Dataset;

use crate::back_end::check_device;
use crate::course::Course;
use crate::device::Place;
use crate::error::Error;
use crate::event::{Listener, StopSignal};
use crate::files::Existing;
use crate::spec::Spec;
use crate::summary::RunSummary;
use crate::task::{Classification, Translation};

/// A run and its directory: `spec.toml`, `metrics.csv`, `run.json`, `checkpoint/`, an event file for TensorBoard; of
/// XSAM also `search.csv`, of a translation `tokenizer.json`, `translations.txt` and `bleu.json`.
#[derive(Debug)]
pub struct Run(Kind);

/// What a run learns.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one")]
enum Kind {
    Classification(Course<Classification>),
    Translation(Course<Translation>),
}

impl Run {
    /// Prepares the run of `spec` in `directory`.
    ///
    /// # Errors
    /// If the spec cannot be, this build or this machine does not have its device, the directory exists
    /// and `existing` does not say what to do with it, or data or model cannot be made.
    pub fn prepare(spec: Spec, directory: &Path, existing: Existing) -> Result<Self, Error> {
        spec.clone().resolved()?;
        // Before the data, which may take a while.
        check_device(spec.train.device, spec.train.precision)?;
        let data = spec.data.load()?;
        Self::with_data(spec, data, directory, existing)
    }

    /// Prepares the run of a spec on data that have been loaded.
    pub(crate) fn with_data(
        asked: Spec,
        data: Dataset,
        directory: &Path,
        existing: Existing,
    ) -> Result<Self, Error> {
        let spec = asked.clone().resolved()?;
        let place = Place::new(spec.train.device, spec.train.precision)?;
        Ok(Self(match data {
            Dataset::Images(splits) => {
                let task = Classification::new(&spec, splits, place.clone())?;
                Kind::Classification(Course::new(asked, task, place, directory, existing)?)
            }
            Dataset::Text(text) => {
                let task = Translation::new(&spec, text, place.clone())?;
                Kind::Translation(Course::new(asked, task, place, directory, existing)?)
            }
        }))
    }

    /// Trains until all epochs are done, `stop` asks for an end, or an error.
    ///
    /// After each epoch the files are up to date. A run that was asked to stop has a checkpoint of where it
    /// was; one that was killed has those that its spec asks for. Resumed, it equals one that was not stopped: an
    /// evaluation that was not complete is made again.
    ///
    /// # Errors
    /// If a step fails, or a file cannot be written. What was reached is in the directory.
    pub fn train(
        self,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<RunSummary, Error> {
        match self.0 {
            Kind::Classification(course) => course.train(stop, listener),
            Kind::Translation(course) => course.train(stop, listener),
        }
    }
}
