//! What is done before the first run: the specs and the data are looked at, and the directory is taken.

use std::fs::File;
use std::path::Path;

use xsam_files::Owner;

use super::Comparison;
use super::budget::Budget;
use super::checks::Checks;
use super::jobs::Runs;
use super::queue;
use super::sweep::{SweepSummary, SweptField};
use super::tuning::Tried;
use crate::error::Error;
use crate::files::{self, Existing, Terms};
use crate::format::check_release;
use crate::layout;
use crate::output::Output;
use crate::place::Place;
use crate::shared::Shared;
use crate::spec::{Compare, Spec, SpecError, TaskSpec, differences, is_chosen};
use crate::summary::Status;
use crate::tasks::Tasks;

impl<L: Tasks> Comparison<L> {
    /// Prepares the runs of `compare` on the experiment `spec`, in subdirectories of `directory`, which nobody else can
    /// write into meanwhile.
    ///
    /// # Errors
    /// If a spec cannot be, this build or this machine does not have its device, the data cannot be loaded, the
    /// directory exists and `terms` do not say what to do with it, or somebody is at work in it or on one of its runs.
    pub fn prepare(
        spec: &Spec<L::Spec>,
        compare: &Compare,
        directory: &Path,
        terms: impl Into<Terms>,
    ) -> Result<Self, Error> {
        let mut comparison = Self::new(spec, compare, directory, terms.into())?;
        let text = compare.to_toml(spec)?;
        let (existing, owner) = (comparison.terms.existing, &comparison.owner);
        let marker = marker(directory, existing, &text);
        let output = Output::of_comparison(directory, existing, marker, owner)?;
        if !existing.goes_on() {
            comparison.check_init()?;
        }
        comparison.look(spec, compare)?;
        output.clear()?;
        comparison.output = Some(output);
        comparison.begin(&text)?;
        Ok(comparison)
    }

    /// Prepares to make the run of a number, the `index`, while other processes make others; or, without one, to collect
    /// what they have made. The directory is made by the first one that comes. What is in it is gone on with, whatever
    /// `terms` say of that.
    ///
    /// # Errors
    /// If a spec cannot be, this build or this machine does not have its device, the data cannot be loaded, the directory
    /// is of something else, a process makes the whole comparison, there is no run of that number, or nothing to collect.
    pub fn join(
        spec: &Spec<L::Spec>,
        compare: &Compare,
        directory: &Path,
        terms: impl Into<Terms>,
        index: Option<usize>,
    ) -> Result<Self, Error> {
        queue::refuse_halving(compare)?;
        let terms = terms.into().going_on();
        let mut comparison = Self::new(spec, compare, directory, terms)?;
        let text = compare.to_toml(spec)?;
        let there = directory.join(layout::COMPARISON);
        match index {
            Some(index) => drop(comparison.turn(index)?),
            None => drop(File::open(&there).map_err(Error::file("read", &there))?),
        }
        // Before the others are kept waiting.
        comparison.look(spec, compare)?;
        let marker = marker(directory, terms.existing, &text);
        let owner = &comparison.owner;
        let (output, alone) = Output::beside_others(directory, terms.existing, marker, owner)?;
        comparison.output = Some(output);
        if there.exists() {
            same_spec(directory, &text)?;
        } else {
            comparison.check_init()?;
            comparison.begin(&text)?;
        }
        drop(alone);
        Ok(comparison)
    }

    /// What is known before anybody has looked at the data.
    fn new(
        spec: &Spec<L::Spec>,
        compare: &Compare,
        directory: &Path,
        terms: Terms,
    ) -> Result<Self, Error> {
        let runs = Runs::new(spec, compare, directory)?;
        Place::of(spec)?;
        if terms.existing.goes_on() {
            check_release(directory)?;
        }
        Ok(Self {
            runs,
            about: spec.clone().resolved()?.about(),
            scores: Vec::new(),
            is_tuned: !compare.tune.is_empty(),
            sweep: sweep::<L::Spec>(compare)?,
            terms,
            shared: Shared::default(),
            data: None,
            owner: Owner::this_process(),
            output: None,
        })
    }

    /// Looks at the data.
    fn look(&mut self, spec: &Spec<L::Spec>, compare: &Compare) -> Result<(), Error> {
        let specs = self.runs.specs();
        let checks = Checks {
            specs: &specs,
            count_steps: compare.equal_compute,
            shared: &self.shared,
        };
        let (data, steps, scores) = L::visit(&spec.task, checks)?;
        self.runs.budget = steps.map(|steps| Budget::of(&specs, steps));
        (self.data, self.scores) = (data, scores);
        Ok(())
    }

    /// Looks for the files that runs begin with: now, and not after the runs before them. Those that have begun have no
    /// need of them.
    fn check_init(&self) -> Result<(), Error> {
        let specs = self.runs.specs();
        let files = specs.iter().filter_map(|spec| spec.train.init.as_ref());
        for file in files {
            File::open(file).map_err(Error::file("read", file))?;
        }
        Ok(())
    }

    /// Writes down what is to be made.
    fn begin(&self, text: &str) -> Result<(), Error> {
        let directory = &self.runs.directory;
        files::write(&directory.join(layout::SPEC), text)?;
        let nothing = (self.is_tuned).then(|| self.tuning(&Tried::new(), &|_| false));
        self.summary(Status::Running, nothing, &[])?
            .write(directory)
    }
}

/// What is swept; nothing if nothing is.
fn sweep<S: TaskSpec>(compare: &Compare) -> Result<Option<SweepSummary>, SpecError> {
    let swept = compare.swept()?;
    let fields = swept.fields().map(|(name, values)| SweptField {
        is_condition: !is_chosen::<S>(&name),
        values: values.to_vec(),
        name,
    });
    let fields: Vec<SweptField> = fields.collect();
    Ok((!fields.is_empty()).then(|| SweepSummary::of(fields)))
}

/// A file that every directory of a comparison has. One that was killed at its very start has its spec, which is `text`,
/// and nothing else yet.
fn marker(directory: &Path, existing: Existing, text: &str) -> &'static str {
    let is_begun = existing.goes_on()
        && !directory.join(layout::COMPARISON).exists()
        && files::read(&directory.join(layout::SPEC)).is_ok_and(|was| was == text);
    match is_begun {
        true => layout::SPEC,
        false => layout::COMPARISON,
    }
}

/// Refuses the directory of a comparison that is not the one which is written so.
pub(crate) fn same_spec(directory: &Path, text: &str) -> Result<(), Error> {
    let file = directory.join(layout::SPEC);
    let table = |text: &str| {
        text.parse()
            .map_err(|error: toml::de::Error| Error::damaged(&file, error))
    };
    let (was, is) = (table(&files::read(&file)?)?, table(text)?);
    Error::unless_same_spec(directory, differences(&was, &is).into_iter().next())
}
