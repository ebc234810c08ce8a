//! What a method knows of the step.

use crate::vector::ParamVector;

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
