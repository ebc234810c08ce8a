//! The parameters that an operator acts on: all that receive a gradient, or a group of them.

use std::collections::HashSet;

use burn::module::ParamId;
use xsam::ConfigError;
use xsam::method::ParamVector;

/// A space of parameters.
pub(super) struct Block {
    /// A vector of it.
    pub(super) space: ParamVector,
    /// The parameters that it is restricted to, if it is.
    members: Option<HashSet<ParamId>>,
}

impl Block {
    /// Of the parameters of `gradient` those that are `members`.
    pub(super) fn new(
        gradient: ParamVector,
        members: Option<HashSet<ParamId>>,
    ) -> Result<Self, ConfigError> {
        let mut block = Self {
            space: ParamVector::default(),
            members,
        };
        block.space = block.restricted(gradient);
        if block.space.is_empty() {
            let range = "a group with at least one parameter that receives a gradient";
            return Err(ConfigError::new("group", "nothing", range));
        }
        Ok(block)
    }

    /// What a vector has in the space.
    pub(super) fn restricted(&self, mut vector: ParamVector) -> ParamVector {
        if let Some(members) = &self.members {
            vector.retain(|id| members.contains(&id));
        }
        vector
    }
}

/// The norm of weights, as a scale for steps; weights of zero have none.
pub(super) fn scale(weights: &ParamVector) -> Result<f64, xsam::StepError> {
    let norm = weights.norm()?;
    Ok(if norm > 0.0 { norm } else { 1.0 })
}
