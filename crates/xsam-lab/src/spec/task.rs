//! The sections of a spec that are a task's own.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{SpecError, TrainSpec};

/// Declares the sections of a spec: structs with the default of each field, that of its type if none is given. The crate
/// where it stands depends on `serde`.
#[macro_export]
macro_rules! sections {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$of:meta])* $field_vis:vis $field:ident: $type:ty $(= $default:expr)?),* $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        $vis struct $name {
            $($(#[$of])* $field_vis $field: $type),*
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::sections!(@default $($default)?)),* }
            }
        }
    )+};
    (@default) => {
        ::core::default::Default::default()
    };
    (@default $default:expr) => {
        $default
    };
}

/// The sections of a spec that are a task's own: a struct with a field for each, such as `data` and `model`. A section is a
/// struct whose fields all have defaults, with `#[serde(default, deny_unknown_fields)]`, as
/// [`sections!`](crate::sections) declares it.
///
/// ```
/// use xsam_lab::sections;
/// use xsam_lab::spec::TaskSpec;
///
/// sections! {
///     struct Sections { model: Model }
///     struct Model { width: usize = 64, dropout: f64 = 0.1 }
/// }
///
/// impl TaskSpec for Sections {
///     const LEARNED: &'static str = "rivers";
///     const MODEL: &'static str = "mlp";
///     const BATCH_SIZE: Option<usize> = Some(32);
/// }
/// ```
pub trait TaskSpec:
    Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What is learned, in a few words, unless [`learned`](Self::learned) says more.
    const LEARNED: &'static str = "own data";

    /// The name of the model, unless [`model_name`](Self::model_name) says another.
    const MODEL: &'static str = "own model";

    /// Those whose fields can be tuned. What is learned and how it is scored are not among them: a choice of these would
    /// be no choice between hyper-parameters.
    const TUNED: &'static [&'static str] = &["model"];

    /// Items in a batch unless `train.batch_size` says otherwise; nothing if batches are not of a number of items.
    const BATCH_SIZE: Option<usize> = None;

    /// The fields, as `section.field`, that say where the data are. These may change at any time: what they are is looked
    /// at when they are loaded.
    const PLACES: &'static [&'static str] = &[];

    /// The other fields that leave the steps of a run as they are: they may change when it goes on, and from machine to
    /// machine.
    const FREE: &'static [&'static str] = &[];

    /// What the [further work](crate::Task::sampled_further) of some evaluations is, within a sentence.
    const FURTHER: &'static str = "what some evaluations do besides";

    /// Fields that had another name, as (old, new), each as `section.field`. An old one is met with the new one.
    const RENAMED: &'static [(&'static str, &'static str)] = &[];

    /// Checks the values, and fills in those that depend on other fields or on other sections, so that the spec has all
    /// values that a run uses. By default it fills in `train.batch_size` alone.
    ///
    /// # Errors
    /// Names the first key whose value cannot be, and what could.
    fn resolve(&mut self, train: &mut TrainSpec) -> Result<(), SpecError> {
        batch_size(train, Self::BATCH_SIZE)
    }

    /// What is learned, in a few words.
    fn learned(&self) -> String {
        Self::LEARNED.to_owned()
    }

    /// The name of the model.
    fn model_name(&self) -> String {
        Self::MODEL.to_owned()
    }

    /// What the folder of a run is called in front of its method and seed.
    fn label(&self) -> String {
        let words = format!("{}-{}", self.learned(), self.model_name());
        words.replace(|c: char| !c.is_alphanumeric(), "-")
    }

    /// How large a batch is, in words.
    fn batch_in_words(&self, train: &TrainSpec) -> Option<String> {
        train.batch_size.map(|size| format!("batch {size}"))
    }

    /// Epochs from one of those evaluations to the next that have [further work](crate::Task::sampled_further) in them, if
    /// any have.
    fn further_every(&self, _train: &TrainSpec) -> Option<usize> {
        None
    }
}

/// The batch size of a task, or of `own` items; refused where a task has none.
fn batch_size(train: &mut TrainSpec, own: Option<usize>) -> Result<(), SpecError> {
    match (train.batch_size, own) {
        (None, own) => train.batch_size = own,
        (Some(_), Some(_)) => {}
        (Some(_), None) => {
            let message = "this task does not say how large a batch is: leave it out";
            return Err(SpecError::new("train.batch_size", message));
        }
    }
    Ok(())
}
