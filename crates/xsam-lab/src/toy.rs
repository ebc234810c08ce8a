//! A task's sections for tests.
#![allow(clippy::unwrap_used)]

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::spec::{self, Compare, TaskSpec, TrainSpec};
use crate::task_error::TaskError;
use crate::tasks::{Tasks, Visitor};

pub(crate) type Spec = spec::Spec<Toy>;

/// The spec and the comparison that settings make.
pub(crate) fn parsed<S: ToString>(settings: &[S]) -> (Spec, Compare) {
    let settings: Vec<String> = settings.iter().map(S::to_string).collect();
    let (spec, compare) = Spec::parse("", &settings).unwrap();
    (spec, compare.unwrap_or_default())
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Toy {
    pub(crate) data: Data,
    pub(crate) model: Model,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Data {
    pub(crate) dir: Option<String>,
    /// Epochs from one piece of further work to the next.
    pub(crate) further_every: Option<usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) width: Option<usize>,
}

impl TaskSpec for Toy {
    const PLACES: &'static [&'static str] = &["data.dir"];

    fn further_every(&self, _train: &TrainSpec) -> Option<usize> {
        self.data.further_every
    }
}

/// No task: for what is refused before there is one.
pub(crate) struct NoTask;

impl Tasks for NoTask {
    type Spec = Toy;

    fn visit<V: Visitor<Toy>>(_spec: &Toy, _visitor: V) -> Result<V::Output, Error> {
        Err(TaskError::new("there is no task").into())
    }
}
