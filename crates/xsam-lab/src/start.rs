//! Where a run begins: its directory, what is there, and whether its data are those that it goes on from.

use std::path::{Path, PathBuf};

use crate::changed_data::differences;
use crate::checkpoint::{self, Position};
use crate::error::Error;
use crate::files::Existing;
use crate::fingerprint::Fingerprint;
use crate::layout;
use crate::output::Output;
use crate::spec::{Spec, TaskSpec};
use crate::summary::goes_on;
use crate::task::Task;

/// Where a run begins.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) output: Output,
    /// It was begun before.
    pub(crate) has_begun: bool,
    /// The checkpoint that it goes on from, and the position there.
    pub(crate) found: Option<(PathBuf, Position)>,
    /// What it learns from, if that is looked at.
    pub(crate) data: Option<Fingerprint>,
    /// Those that it goes on from were others.
    is_on_other_data: bool,
    /// What is to be told of that.
    pub(crate) warning: Option<String>,
}

impl Start {
    /// The beginning of the run of a resolved spec. No data have been looked at yet.
    pub(crate) fn find<S: TaskSpec>(output: Output, spec: &Spec<S>) -> Result<Self, Error> {
        let directory = output.directory();
        let existing = output.existing();
        let has_begun = existing.goes_on() && directory.join(layout::SPEC).exists();
        let mut found = None;
        if has_begun {
            goes_on(directory, spec)?;
            found = checkpoint::find(directory, existing == Existing::Recover)?;
        }
        Ok(Self {
            output,
            has_begun,
            found,
            data: None,
            is_on_other_data: false,
            warning: None,
        })
    }

    /// The same with these data. Those that the run goes on from are to be the same, unless they may have `changed`.
    pub(crate) fn with_data<T: Task>(
        mut self,
        spec: &Spec<T::Spec>,
        data: Option<Fingerprint>,
        changed: bool,
    ) -> Result<Self, Error> {
        if let Some((_, position)) = &self.found {
            let run = self.output.directory();
            let both = (position.data.as_ref(), data.as_ref());
            let differences = differences::<T>(run, both, changed)?;
            self.is_on_other_data = differences.is_some();
            // Of a run that is over, nothing is learned from them any more.
            if position.rows.len() >= spec.train.epochs {
                self.data.clone_from(&position.data);
                return Ok(self);
            }
            self.warning = differences.map(|differences| told(position, &differences));
        }
        self.data = data;
        Ok(self)
    }

    /// The run, if what it has kept counts, and not what its data would make: they are others than those before.
    pub(crate) fn kept(&self) -> Option<&Path> {
        self.is_on_other_data.then(|| self.output.directory())
    }
}

/// That the data are others from a position on.
fn told(position: &Position, differences: &str) -> String {
    let epoch = position.rows.len() + 1;
    let within = match position.step {
        0 => String::new(),
        step => format!(", step {}", step + 1),
    };
    format!("from epoch {epoch}{within} on the data are not those of before: {differences}")
}
