//! What a step measured.

use crate::objective::Passes;
use crate::search::SearchReport;

/// The measurements of one step, for plots and logs. They cost nothing beyond the step itself.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// Loss at the weights.
    pub loss: f64,
    /// Norm of the gradient at the weights, over all parameters together.
    pub grad_norm: f64,
    /// Total length of the ascent; 0 if there was none.
    pub rho: f64,
    /// Loss at the ascent point.
    pub ascent_loss: Option<f64>,
    /// Norm of the gradient at the ascent point.
    pub ascent_grad_norm: Option<f64>,
    /// Angle between the displacement and the gradient at the ascent point, in radians.
    pub psi: Option<f64>,
    /// Position on the arc that was stepped away from.
    pub alpha: Option<f64>,
    /// The searched curve, if a search ran.
    pub search: Option<SearchReport>,
    /// Norm of what the base optimizer received.
    pub update_norm: f64,
    /// Whether the gradient was clipped.
    pub clipped: bool,
    /// How often the model was run.
    pub passes: Passes,
}
