//! The model that a run begins with.

use std::path::Path;

use xsam_weights::cast;

use crate::error::Error;
use crate::imported::imported;
use crate::place::Place;
use crate::spec::Spec;
use crate::task::Task;
use crate::task_error::TaskError;

/// The model of a task as its seed makes it.
pub(super) fn fresh<T: Task>(
    task: &T,
    spec: &Spec<T::Spec>,
    place: &Place,
) -> Result<T::Model, TaskError> {
    place.device.seed(spec.train.seed);
    // Layers draw their values when they are first used, which this does.
    Ok(cast(task.model()?, place.dtype))
}

/// The model that a run begins with, and what a person should know of it; that in `begun`, if it begins anew.
pub(super) fn initial<T: Task>(
    task: &T,
    spec: &Spec<T::Spec>,
    place: &Place,
    begun: Option<&Path>,
) -> Result<(T::Model, Vec<String>), Error> {
    let model = fresh(task, spec, place)?;
    let Some(file) = &spec.train.init else {
        return Ok((model, Vec::new()));
    };
    imported(model, file).map_err(|source| match begun {
        None => Error::from(source),
        Some(run) => Error::NoInit {
            path: run.to_owned(),
            file: file.clone(),
            source: Box::new(source),
        },
    })
}
