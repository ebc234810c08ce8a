//! The same runs on another machine.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cost::{Change, Cost};
use super::{MethodPlan, Plan};
use crate::error::Error;
use crate::json;
use crate::spec::{Experiment, Spec, SpecError, TaskSpec};

/// Fields of a spec that may differ from machine to machine, besides what its task says.
const OF_THE_MACHINE: [&str; 2] = ["train.device", "train.kernels"];

/// A method on another machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Label of the method, unique in the comparison.
    pub label: String,
    /// What a run costs there.
    pub run: Cost,
    /// What it costs to make the runs here and not there.
    pub change: Change,
}

/// The plan in a file, or in what another program writes.
pub(super) fn read(path: &Path) -> Result<Plan, Error> {
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    json::parse(&text).map_err(|error| Error::damaged(path, error))
}

/// Checks that the other plan has one of the methods at least, and that those it has are of the same experiment.
pub(super) fn same_experiment<S: TaskSpec>(
    methods: &[(String, Experiment<S>)],
    there: &Plan,
) -> Result<(), SpecError> {
    let refused = |message: String| Err(SpecError::new("against", message));
    let mut found = false;
    for (label, experiment) in methods {
        let Some(there) = there.method(label) else {
            continue;
        };
        found = true;
        let was = Spec::try_from(there.spec.clone())?;
        let differences = was.resolved()?.differences(&experiment.spec)?;
        let mut free = OF_THE_MACHINE.to_vec();
        free.extend(S::PLACES.iter().chain(S::FREE));
        let differs = differences
            .into_iter()
            .find(|[key, ..]| !free.contains(&key.as_str()));
        if let Some([key, was, is]) = differs {
            return refused(format!(
                "a plan of another experiment: in it, {key} of {label} is {was}, not {is} (may differ: {})",
                free.join(", ")
            ));
        }
    }
    match found {
        true => Ok(()),
        false => refused("the plan has none of the methods".to_owned()),
    }
}

/// The methods of a plan that are in another one, too.
pub(super) fn beside(plan: &Plan, there: &Plan) -> Vec<Elsewhere> {
    let beside = |here: &MethodPlan| {
        let there = there.method(&here.label)?;
        Some(Elsewhere {
            label: here.label.clone(),
            run: there.run,
            change: Change::of(there.run, here.run, plan.runs_per_year),
        })
    };
    plan.methods.iter().filter_map(beside).collect()
}
