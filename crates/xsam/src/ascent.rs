//! The ascent that all methods share: from the weights to a point of higher loss nearby.
//!
//! Direction, length, number of steps and mask are kept apart, so that a method picks its own.

mod climb;

use std::collections::HashSet;

use burn::module::{ParamGroup, ParamId};
use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::{ConfigError, StepError};
use crate::number::Number;
use crate::objective::Objective;
use crate::readings::Readings;
use crate::vector::ParamVector;

pub use climb::{AscentPoint, Climb, Keep};

/// Added to a norm before it divides, as in the published code of SAM and XSAM.
pub(crate) const NORM_EPSILON: f64 = 1e-12;

/// How the gradient is scaled, element by element, before it becomes the ascent direction.
///
/// With scales `T` the ascent step is `T^2 g / (|T g| + 1e-12)` times its length; `T = 1` is plain
/// gradient ascent. Adaptive scales make the ascent invariant to a rescaling of the weights that
/// leaves the loss as it is (ASAM: Kwon et al. 2021, arXiv 2102.11600).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scaling {
    /// `T = 1`: the gradient itself.
    #[default]
    None,
    /// `T = |w|` for every parameter.
    Elementwise,
    /// The authors' form: `T = |w| + 0.01` for weights (scales of norms included), `T = 1` for
    /// biases (parameters named `bias`, or `beta` as in Burn's normalisation layers).
    ///
    /// The same rho reaches about a quarter as far as with [`Elementwise`](Self::Elementwise).
    Weights,
}

/// Added to `|w|` in [`Scaling::Weights`]: the constant of ASAM's published code.
const WEIGHT_OFFSET: f64 = 0.01;

/// The mask in a config. Masks are the same if they are written alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mask(pub(crate) Option<ParamGroup>);

impl PartialEq for Mask {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

/// How to ascend: total length `rho`, number of steps, scaling and mask.
#[derive(Clone, Debug)]
pub struct Ascent {
    /// Total length rho of the ascent; each step is `rho / steps` long.
    pub rho: f64,
    /// Steps that the length is divided into, `k`.
    pub steps: usize,
    /// Scaling of the gradient.
    pub scaling: Scaling,
    /// The parameters that are perturbed; all of them if `None`. One that matches no parameter that is trained is an
    /// error at the first step.
    pub mask: Option<ParamGroup>,
}

impl Ascent {
    /// The most steps. No paper has more than some tens, and within a step of the optimizer nothing else is heeded.
    pub const MOST_STEPS: usize = 1000;

    /// One plain step of length `rho` for all parameters.
    pub fn new(rho: f64) -> Self {
        Self {
            rho,
            steps: 1,
            scaling: Scaling::None,
            mask: None,
        }
    }

    /// Checks the ranges: `rho` finite and at least 0, `steps` from 1 to [`MOST_STEPS`](Self::MOST_STEPS).
    ///
    /// # Errors
    /// Names the field, its value and its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        check::non_negative("rho", self.rho)?;
        check::at_least_one("ascent_steps", self.steps)?;
        let ok = self.steps <= Self::MOST_STEPS;
        ConfigError::unless(ok, "ascent_steps", self.steps, "at most 1000")
    }

    /// The parameters within the mask, if there is one.
    fn members(&self, objective: &dyn Objective) -> Result<Option<HashSet<ParamId>>, StepError> {
        let members = self.mask.as_ref().map(|mask| objective.members(mask));
        match members.as_ref().is_some_and(HashSet::is_empty) {
            true => Err(StepError::EmptyMask),
            false => Ok(members),
        }
    }

    /// `T^2 vector`, and `|T vector|`, which divides it. `norm` is that of the vector, if it is known.
    fn scaled(
        &self,
        vector: ParamVector,
        norm: Option<Number>,
        objective: &dyn Objective,
        readings: &Readings,
    ) -> Result<(ParamVector, Number), StepError> {
        let weights = match (self.scaling, norm) {
            (Scaling::None, Some(norm)) => return Ok((vector, norm)),
            (Scaling::None, None) => {
                let norm = readings.norm(&vector)?;
                return Ok((vector, norm));
            }
            _ => objective.weights(&vector),
        };
        let (direction, square) = match self.scaling {
            Scaling::Weights => {
                let biases = objective.biases();
                let offset = |id| (!biases.contains(&id)).then_some(WEIGHT_OFFSET);
                vector.scaled_ascent(&weights, offset)
            }
            _ => vector.scaled_ascent(&weights, |_| Some(0.0)),
        };
        let [square] = readings.take(square)?;
        Ok((direction, square.sqrt()))
    }
}
