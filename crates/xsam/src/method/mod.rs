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
            /// of them.
            #[must_use]
            pub fn with_mask(mut self, mask: burn::module::ParamGroup) -> Self {
                self.ascent.mask = Some(mask);
                self
            }
        }
    };
}

mod asam;
mod sam;
mod sgd;
mod xsam;

use std::collections::BTreeMap;
use std::fmt::Debug;

use burn_pack::Scalar;

pub use asam::AsamConfig;
pub use sam::SamConfig;
pub use sgd::SgdOnlyConfig;
pub use xsam::XsamConfig;

use crate::error::{ConfigError, RecordError, StepError};
use crate::objective::{Evaluation, Objective};
use crate::report::StepReport;
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

/// What a method knows of the step besides the loss.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// What the schedule of rho multiplies rho, and lengths that belong to it, with.
    pub rho_factor: f64,
}

/// What a method hands on.
#[derive(Clone, Debug)]
pub struct Update {
    /// The gradient for the base optimizer.
    pub gradient: ParamVector,
    /// Its norm, if it is known without another pass over it.
    pub norm: Option<f64>,
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

    /// A vector; `None` if there is none of that name.
    pub fn vector(&self, name: &str) -> Option<&ParamVector> {
        self.vectors.get(name)
    }
}
