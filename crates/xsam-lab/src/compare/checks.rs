//! What a task is asked before its runs are made.

use super::Job;
use crate::error::Error;
use crate::files::Terms;
use crate::fingerprint::Fingerprint;
use crate::place::Place;
use crate::score::Score;
use crate::setup::Setup;
use crate::shared::Shared;
use crate::spec::{Spec, SpecError, TaskSpec};
use crate::summary::Recorded;
use crate::task::{Task, check};
use crate::tasks::Visitor;

/// What is looked at before the first run: the data, and what they say of the specs.
pub(super) struct Checks<'a, S> {
    pub(super) specs: &'a [Spec<S>],
    pub(super) count_steps: bool,
    pub(super) shared: &'a Shared,
}

impl<S: TaskSpec> Visitor<S> for Checks<'_, S> {
    /// What the data are, the steps in an epoch, if they were counted, and what models are scored by.
    type Output = (Option<Fingerprint>, Option<usize>, Vec<Score>);

    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<Self::Output, Error> {
        let (mut data, mut looked_at) = (None, None);
        for spec in self.specs {
            let place = Place::of(spec)?;
            let setup = Setup::new(spec, &place, self.shared);
            if Some(&spec.task) != looked_at {
                let found = T::fingerprint(&setup)?;
                if looked_at.is_some() && found != data {
                    let message = "its values make other data: those of all runs of a comparison are the same, or parts of the same";
                    return Err(SpecError::new("compare.sweep", message).into());
                }
                (data, looked_at) = (found, Some(&spec.task));
            }
            check::<T>(spec)?;
            T::check(&setup)?;
        }
        let steps = match self.specs.first() {
            Some(spec) if self.count_steps => {
                let place = Place::of(spec)?;
                Some(T::new(&Setup::new(spec, &place, self.shared))?.steps())
            }
            _ => None,
        };
        Ok((data, steps, T::scores()))
    }
}

/// The finished run of a job, if there is one.
pub(super) struct Finished<'a, S> {
    pub(super) job: &'a Job<S>,
    pub(super) data: Option<&'a Fingerprint>,
    pub(super) terms: Terms,
}

impl<S: TaskSpec> Visitor<S> for Finished<'_, S> {
    type Output = Option<Recorded>;

    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<Option<Recorded>, Error> {
        let (directory, spec) = (&self.job.directory, self.job.spec());
        Recorded::finished::<T>(directory, spec, self.data, self.terms)
    }
}
