//! The tasks of a program, and what is done with any of them.

use crate::error::Error;
use crate::spec::{Preset, TaskSpec};
use crate::task::Task;

/// One task or several that share their sections of a spec: what a program is for.
pub trait Tasks: 'static {
    /// The task's own sections of a spec.
    type Spec: TaskSpec;

    /// The specs that come with the program, if any do. The first one is what a comparison without a spec is of.
    const PRESETS: &'static [Preset] = &[];

    /// Hands the task that a spec is of to `visitor`.
    ///
    /// # Errors
    /// Those of the visitor, or if it is of none.
    fn visit<V: Visitor<Self::Spec>>(spec: &Self::Spec, visitor: V) -> Result<V::Output, Error>;
}

impl<T: Task + 'static> Tasks for T {
    type Spec = T::Spec;

    const PRESETS: &'static [Preset] = T::PRESETS;

    fn visit<V: Visitor<Self::Spec>>(_spec: &Self::Spec, visitor: V) -> Result<V::Output, Error> {
        visitor.visit::<T>()
    }
}

/// Something that is done with any task.
pub trait Visitor<S> {
    /// What comes of it.
    type Output;

    /// Does it with this one.
    ///
    /// # Errors
    /// Whatever it fails with.
    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<Self::Output, Error>;
}
