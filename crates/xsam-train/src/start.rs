//! Where a run begins: its directory, what is there, and whether its data are those that it goes on from.

use std::path::PathBuf;

use xsam_data::Fingerprint;
use xsam_data::text::Tokenizer;

use crate::changed_data::differences;
use crate::checkpoint::{self, Position};
use crate::error::Error;
use crate::files::Existing;
use crate::output::Output;
use crate::spec::Spec;
use crate::summary::{SPEC_FILE, goes_on};
use crate::task::TOKENIZER;

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
    /// The beginning of the run of a spec as it was asked for. No data have been looked at yet.
    pub(crate) fn find(output: Output, spec: &Spec) -> Result<Self, Error> {
        let directory = output.directory();
        let existing = output.existing();
        let has_begun = existing.goes_on() && directory.join(SPEC_FILE).exists();
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
    pub(crate) fn with_data(
        mut self,
        spec: &Spec,
        data: Fingerprint,
        changed: bool,
    ) -> Result<Self, Error> {
        if let Some((_, position)) = &self.found {
            let run = self.output.directory();
            let was = position.data.as_ref();
            let differs = |was| differences(run, was, &data, changed);
            let differences = was.map(differs).transpose()?.flatten();
            self.is_on_other_data = differences.is_some();
            // Of a run that is over, nothing is learned from them any more.
            if position.rows.len() >= spec.train.epochs {
                self.data.clone_from(&position.data);
                return Ok(self);
            }
            self.warning = differences.map(|differences| told(position, &differences));
        }
        self.data = Some(data);
        Ok(self)
    }

    /// The tokenizer that the weights are for, if the one that the training text makes is another.
    pub(crate) fn tokenizer(&self) -> Result<Option<Tokenizer>, Error> {
        let file = self.output.directory().join(TOKENIZER);
        let kept = self.is_on_other_data.then(|| Tokenizer::load(&file));
        Ok(kept.transpose()?)
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
