//! The methods, one file each, next to their papers.
//!
//! A method says how to ascend and what gradient to hand to the base optimizer. What they share
//! (ascent, vector arithmetic, plane, search, clipping, base step, records) stands elsewhere, so
//! that a method is a config, a few lines of mathematics, and its state.
//!
//! Here is what a method is made of, for methods of this crate and of others: a [`MethodConfig`] and a [`Method`], which
//! works on an [`Objective`] by an [`Ascent`], a [`Plane`] and the arithmetic of [`ParamVector`]s. And here is
//! [`MethodSpec`], which tells the methods of this crate by their names.

mod asam;
mod bsam;
mod config;
pub(crate) mod context;
mod esam;
mod friendly_sam;
mod functional_sam;
mod gam;
mod gsam;
mod look_xsam;
mod lookbehind_sam;
mod looksam;
mod momentum_sam;
mod msam;
pub mod parameters;
mod plain_config;
mod sam;
mod sampa;
mod schedule;
mod sgd;
mod spec;
mod stable_sam;
pub(crate) mod state;
mod usam;
mod work;
mod wsam;
mod xsam;
mod zsharp;

use std::fmt::Debug;

use config::Listed;

pub use config::MethodConfig;
pub use context::{Before, Context};
pub use friendly_sam::Friendly;
pub use schedule::{AdaptivePolicy, LossBudget, MeasuredRho};
pub use state::MethodState;
pub use work::Work;

pub use crate::ascent::{Ascent, AscentPoint, Climb, Keep};
pub use crate::number::Number;
pub use crate::objective::{Evaluation, Objective, Passes};
pub use crate::plane::Plane;
pub use crate::readings::Readings;
pub use crate::update::{Then, Update};
pub use crate::vector::ParamVector;

use crate::error::{RecordError, StepError};

// The list of methods.
spec::methods! {
    Sgd(sgd::SgdOnlyConfig),
    Sam(sam::SamConfig),
    Asam(asam::AsamConfig),
    Xsam(xsam::XsamConfig),
    LookXsam(look_xsam::LookXsamConfig),
    Gsam(gsam::GsamConfig),
    Wsam(wsam::WsamConfig),
    Looksam(looksam::LookSamConfig),
    FriendlySam(friendly_sam::FriendlySamConfig),
    Msam(msam::MsamConfig),
    LookbehindSam(lookbehind_sam::LookbehindSamConfig),
    StableSam(stable_sam::StableSamConfig),
    Usam(usam::UsamConfig),
    MomentumSam(momentum_sam::MomentumSamConfig),
    Zsharp(zsharp::ZSharpConfig),
    Gam(gam::GamConfig),
    FunctionalSam(functional_sam::FunctionalSamConfig),
    Sampa(sampa::SampaConfig),
    Esam(esam::EsamConfig),
    Bsam(bsam::BsamConfig),
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
    /// What was measured on the way goes into the step's report.
    ///
    /// # Errors
    /// Whatever the objective fails with.
    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError>;

    /// Whether the first pass of every step is at the weights. One that somebody else makes can be no other.
    fn begins_at_the_weights(&self) -> bool {
        true
    }

    /// Whether its steps have to be told logits and loss apart:
    /// [`step_by_logits`](crate::SharpnessAware::step_by_logits) makes them.
    fn needs_logits(&self) -> bool {
        false
    }

    /// Whether its pass at the first ascent point is to be on the batch of the step before.
    /// [`step_with_point`](crate::SharpnessAware::step_with_point) can make it so.
    fn ascends_on_the_batch_before(&self) -> bool {
        false
    }

    /// Whether its steps have to be told the loss of each sample:
    /// [`step_by_samples`](crate::SharpnessAware::step_by_samples) makes them.
    fn needs_samples(&self) -> bool {
        false
    }

    /// By how much of which vector the first pass of a step is off the weights, of a method that makes it elsewhere: loss and
    /// gradient in `start` are those of that point.
    fn offset(&self, _before: &Before<'_>) -> Option<(Number, ParamVector)> {
        None
    }

    /// Tells that the next step is the first of an epoch.
    fn start_epoch(&mut self) {}

    /// Whether it keeps something of the gradients that it is given from one step to the next.
    ///
    /// Such a method cannot ascend along each rank's own gradient: see
    /// [`with_collective`](crate::SharpnessAware::with_collective).
    fn keeps_gradients(&self) -> bool {
        false
    }

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
