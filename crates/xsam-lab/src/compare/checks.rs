//! What a task is asked before its runs are made.

use super::Job;
use crate::error::Error;
use crate::files::Terms;
use crate::fingerprint::Fingerprint;
use crate::place::Place;
use crate::score::Score;
use crate::setup::Setup;
use crate::shared::Shared;
use crate::spec::{Spec, TaskSpec};
use crate::summary::Recorded;
use crate::task::Task;
use crate::tasks::Visitor;

/// What is looked at before the first run: the data, and what they say of the specs.
pub(super) struct Checks<'a, S> {
    pub(super) specs: &'a [Spec<S>],
    pub(super) count_steps: bool,
    pub(super) shared: &'a Shared,
}

/// What was found.
pub(super) struct Checked {
    pub(super) data: Option<Fingerprint>,
    /// Steps in an epoch, if they were counted.
    pub(super) steps: Option<usize>,
    pub(super) scores: Vec<Score>,
}

impl<S: TaskSpec> Visitor<S> for Checks<'_, S> {
    type Output = Checked;

    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<Checked, Error> {
        let mut data = None;
        for spec in self.specs {
            let place = Place::new(spec.train.device, spec.train.precision)?;
            let setup = Setup::new(spec, &place, self.shared);
            if data.is_none() {
                data = T::fingerprint(&setup)?;
            }
            T::check(&setup)?;
        }
        let steps = match self.specs.first() {
            Some(spec) if self.count_steps => {
                let place = Place::new(spec.train.device, spec.train.precision)?;
                let task = T::new(&Setup::new(spec, &place, self.shared))?;
                Some(task.steps())
            }
            _ => None,
        };
        Ok(Checked {
            data,
            steps,
            scores: T::scores(),
        })
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
        let Self { job, data, terms } = self;
        Recorded::finished::<T>(&job.directory, &job.spec, data, terms)
    }
}
