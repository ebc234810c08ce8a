//! The data of our tasks, loaded once for all runs of a comparison.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use xsam_data::text::ParallelText;
use xsam_data::{Dataset, DatasetPrint, Sizes, Splits};
use xsam_lab::{Fingerprint, Setup, TaskError};

use crate::spec::OurSections;

/// Data, and their fingerprint once somebody has asked for it: a hash of all of them.
#[derive(Debug)]
pub(crate) struct Loaded<T> {
    data: T,
    print: OnceLock<Option<Fingerprint>>,
}

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T> Loaded<T> {
    pub(crate) fn print(&self, of: impl FnOnce(&T) -> DatasetPrint) -> Option<Fingerprint> {
        let print = self.print.get_or_init(|| Fingerprint::of(&of(&self.data)));
        print.clone()
    }
}

/// The images of a spec.
pub(crate) fn images(setup: &Setup<'_, OurSections>) -> Result<Arc<Loaded<Splits>>, TaskError> {
    loaded(setup, Dataset::images)
}

/// The sentences of a spec.
pub(crate) fn text(setup: &Setup<'_, OurSections>) -> Result<Arc<Loaded<ParallelText>>, TaskError> {
    loaded(setup, Dataset::text)
}

fn loaded<T: Send + Sync + 'static>(
    setup: &Setup<'_, OurSections>,
    kind: impl FnOnce(Dataset) -> Option<T>,
) -> Result<Arc<Loaded<T>>, TaskError> {
    let data = &setup.spec.task.data;
    let key = format!("{data:?}");
    setup.shared.get_or(&key, || {
        let data = kind(data.load()?);
        Ok(Loaded {
            data: data.ok_or_else(|| TaskError::new("the data are not for the model"))?,
            print: OnceLock::new(),
        })
    })
}

/// In what data differ from what they were, and whether the model fits them.
pub(crate) fn changes(was: &Fingerprint, now: &Fingerprint) -> (Vec<String>, bool) {
    match (was.get::<DatasetPrint>(), now.get::<DatasetPrint>()) {
        (Some(was), Some(now)) => (was.differences(&now), was.is_for_the_model_of(&now)),
        _ => (vec!["they are of another kind".to_owned()], false),
    }
}

/// How large images are that have this fingerprint.
pub(crate) fn sizes(print: &Fingerprint) -> Option<Sizes> {
    print.get::<DatasetPrint>()?.sizes()
}
