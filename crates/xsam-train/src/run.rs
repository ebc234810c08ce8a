//! One run: a model trained by a method from a seed.

use std::path::Path;

use xsam_data::{Dataset, Fingerprint, Owner};

use crate::back_end::check_device;
use crate::course::Course;
use crate::device::Place;
use crate::error::Error;
use crate::event::{Listener, StopSignal};
use crate::files::Terms;
use crate::output::Output;
use crate::spec::Spec;
use crate::start::Start;
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
    /// Prepares the run of `spec` in `directory`, which nobody else can write into until it is over.
    ///
    /// # Errors
    /// If the spec cannot be, this build or this machine does not have its device, somebody is at work in the directory,
    /// it exists and `terms` do not say what to do with it, the data are not those that it goes on from, or data or model
    /// cannot be made.
    pub fn prepare(spec: Spec, directory: &Path, terms: impl Into<Terms>) -> Result<Self, Error> {
        let terms = terms.into();
        spec.clone().resolved()?;
        // Before the data, which may take a while.
        check_device(spec.train.device, spec.train.precision)?;
        let owner = Owner::this_process();
        let output = Output::of_run(directory, terms.existing, &owner, false)?;
        Self::on_data(spec, output, terms, None)
    }

    /// The run of a spec in a directory of the comparison that `owner` makes, on its data and their fingerprint if they are loaded.
    pub(crate) fn of_comparison(
        spec: Spec,
        directory: &Path,
        terms: Terms,
        owner: &Owner,
        data: Option<(Dataset, Fingerprint)>,
    ) -> Result<Self, Error> {
        let output = Output::of_run(directory, terms.existing, owner, true)?;
        Self::on_data(spec, output, terms, data)
    }

    fn on_data(
        asked: Spec,
        output: Output,
        terms: Terms,
        data: Option<(Dataset, Fingerprint)>,
    ) -> Result<Self, Error> {
        let spec = asked.clone().resolved()?;
        let start = Start::find(output, &asked)?;
        let (data, fingerprint) = match data {
            Some(loaded) => loaded,
            None => {
                let data = spec.data.load()?;
                let fingerprint = data.fingerprint();
                (data, fingerprint)
            }
        };
        let start = start.with_data(&spec, fingerprint, terms.changed_data)?;
        let place = Place::new(spec.train.device, spec.train.precision)?;
        Ok(Self(match data {
            Dataset::Images(splits) => {
                let task = Classification::new(&spec, splits, place.clone())?;
                Kind::Classification(Course::new(asked, task, place, start)?)
            }
            Dataset::Text(text) => {
                let tokenizer = start.tokenizer()?;
                let task = Translation::with_tokenizer(&spec, text, place.clone(), tokenizer)?;
                Kind::Translation(Course::new(asked, task, place, start)?)
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
