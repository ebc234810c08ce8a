//! The methods, one file each, next to their papers.
//!
//! A method says how to ascend and what gradient to hand to the base optimizer. What they share
//! (ascent, vector arithmetic, plane, search, clipping, base step, records) stands elsewhere, so
//! that a method is a config, a few lines of mathematics, and its state. To add one, write its file
//! with a [`MethodConfig`] and a [`Method`], and name it here.

/// The setters that every config with an `ascent` has.
macro_rules! ascent_setters {
    ($config:ident) => {
        impl $config {
            /// Sets the total ascent length.
            #[must_use]
            pub fn with_rho(mut self, rho: f64) -> Self {
                self.ascent.rho = rho;
                self
            }

            /// Sets the number of ascent steps, each `rho / steps` long.
            #[must_use]
            pub fn with_ascent_steps(mut self, steps: usize) -> Self {
                self.ascent.steps = steps;
                self
            }

            /// Perturbs only the parameters that `mask` matches. The base optimizer still steps all
            /// of them. A mask that matches none that is trained is an error at the first step.
            #[must_use]
            pub fn with_mask(mut self, mask: burn::module::ParamGroup) -> Self {
                self.ascent.mask = Some(mask);
                self
            }
        }
    };
}

/// The setter of a config with an `ascent` that may be adaptive.
macro_rules! scaling_setter {
    ($config:ident) => {
        impl $config {
            /// Makes the ascent adaptive.
            #[must_use]
            pub fn with_scaling(mut self, scaling: crate::ascent::Scaling) -> Self {
                self.ascent.scaling = scaling;
                self
            }
        }
    };
}

/// The default of a config is what `new` gives.
macro_rules! default_is_new {
    ($config:ident) => {
        impl Default for $config {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

mod asam;
mod friendly_sam;
mod gsam;
mod look_xsam;
mod lookbehind_sam;
mod looksam;
mod msam;
mod sam;
mod sgd;
mod wsam;
mod xsam;

use std::collections::BTreeMap;
use std::fmt::Debug;

use burn_pack::Scalar;

pub use asam::AsamConfig;
pub use friendly_sam::{Friendly, FriendlySamConfig};
pub use gsam::GsamConfig;
pub use look_xsam::LookXsamConfig;
pub use lookbehind_sam::LookbehindSamConfig;
pub use looksam::LookSamConfig;
pub use msam::MsamConfig;
pub use sam::SamConfig;
pub use sgd::SgdOnlyConfig;
pub use wsam::WsamConfig;
pub use xsam::XsamConfig;

use crate::error::{ConfigError, RecordError, StepError};
use crate::objective::{Evaluation, Objective};
use crate::report::StepReport;
use crate::update::Update;
use crate::vector::ParamVector;

/// Hyper-parameters of a method.
pub trait MethodConfig {
    /// Checks the hyper-parameters and makes the method.
    ///
    /// # Errors
    /// Names the field that is out of range, its value and its range.
    fn build(&self) -> Result<Box<dyn Method>, ConfigError>;
}

/// A sharpness-aware method: which gradient the base optimizer gets.
///
/// A method works on a copy that replaces it only when the whole step has succeeded, so a failed
/// step leaves no trace in its state.
pub trait Method: CloneMethod + Debug + Send {
    /// The method's name, as in a spec and in records.
    fn name(&self) -> &'static str;

    /// The gradient for the base optimizer. `start` is loss and gradient at the weights.
    ///
    /// What was measured on the way goes into `report`.
    ///
    /// # Errors
    /// Whatever the objective fails with.
    fn update(
        &mut self,
        start: Evaluation,
        objective: &mut dyn Objective,
        context: &Context,
        report: &mut StepReport,
    ) -> Result<Update, StepError>;

    /// Tells that the next step is the first of an epoch.
    fn start_epoch(&mut self) {}

    /// What must survive a restart.
    fn state(&self) -> MethodState {
        MethodState::default()
    }

    /// Takes up a state that [`state`](Self::state) gave.
    ///
    /// # Errors
    /// [`RecordError::Missing`] if something is missing; the method is unchanged then.
    fn load_state(&mut self, _state: &MethodState) -> Result<(), RecordError> {
        Ok(())
    }
}

/// Cloning behind a pointer; every [`Method`] that is [`Clone`] has it.
pub trait CloneMethod {
    /// A copy of the method with its state.
    fn boxed(&self) -> Box<dyn Method>;
}

impl<T: Method + Clone + 'static> CloneMethod for T {
    fn boxed(&self) -> Box<dyn Method> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Method> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// What a method knows of the step besides the loss.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Context {
    /// What the schedule of rho multiplies rho, and lengths that belong to it, with.
    pub rho_factor: f64,
    /// How many steps were made before this one.
    pub step: u64,
    /// Which part of the batch this is, from 0, where each part has an ascent of its own (m-sharpness).
    ///
    /// The method is asked for an update for each of them, one after another, and their mean is what counts.
    pub part: usize,
    /// Into how many parts the batch is split; 1 as a rule.
    pub parts: usize,
}

impl Context {
    /// The mean over the parts, from the sum of the shares of those before this one and this one's vector, if
    /// it has one.
    pub(crate) fn mean(
        &self,
        so_far: Option<ParamVector>,
        found: Option<ParamVector>,
    ) -> Option<ParamVector> {
        let share = 1.0 / self.parts as f64;
        match (so_far.filter(|_| self.part > 0), found) {
            (None, None) => None,
            (Some(sum), None) => Some(sum),
            (None, Some(found)) => Some(found.scale(share)),
            (Some(sum), Some(found)) => Some(sum.combine(1.0, &found, share)),
        }
    }
}

/// State of a method as named scalars and vectors.
#[derive(Clone, Debug, Default)]
pub struct MethodState {
    pub(crate) scalars: BTreeMap<String, Scalar>,
    pub(crate) vectors: BTreeMap<String, ParamVector>,
}

impl MethodState {
    /// Adds a scalar.
    #[must_use]
    pub fn with_scalar(mut self, name: &str, value: impl Into<Scalar>) -> Self {
        self.scalars.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a vector over parameters.
    #[must_use]
    pub fn with_vector(mut self, name: &str, value: ParamVector) -> Self {
        self.vectors.insert(name.to_owned(), value);
        self
    }

    /// Adds a vector, if there is one.
    #[must_use]
    pub fn with_vector_if(self, name: &str, value: Option<&ParamVector>) -> Self {
        match value {
            Some(value) => self.with_vector(name, value.clone()),
            None => self,
        }
    }

    /// A scalar.
    ///
    /// # Errors
    /// If there is none of that name, or it has another type.
    pub fn scalar<T: TryFrom<Scalar>>(&self, name: &str) -> Result<T, RecordError> {
        self.scalars
            .get(name)
            .and_then(|scalar| T::try_from(*scalar).ok())
            .ok_or_else(|| RecordError::Missing(name.to_owned()))
    }

    /// A vector; `None` if there is none of that name. Of a record it is on the default device:
    /// [`ParamVector::beside`] brings it to where it is needed.
    pub fn vector(&self, name: &str) -> Option<&ParamVector> {
        self.vectors.get(name)
    }
}
