//! What a step measured.

use crate::objective::Passes;
use crate::search::report::SearchReport;

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
    /// How many steps have been made since an epoch was last told, this one included, once they are 1,000 or more and
    /// alpha is searched for once an epoch.
    ///
    /// A loop in which it appears has long epochs, or lacks
    /// [`start_epoch`](crate::SharpnessAware::start_epoch): then alpha is what the first step found, for good.
    pub steps_without_epoch: Option<u64>,
    /// Norm of what the base optimizer received.
    pub update_norm: f64,
    /// Whether the gradient was clipped.
    pub clipped: bool,
    /// What the loss was scaled by before its backward pass, if it was.
    pub loss_scale: Option<f64>,
    /// How often the model was run.
    pub passes: Passes,
}

impl StepReport {
    /// Adds `share` times the measurements of a part of a batch to those of the parts before it. Alpha, psi and search
    /// are those of the first part that has them.
    pub(crate) fn plus(mut self, part: Self, share: f64) -> Self {
        let add = |sum: Option<f64>, part: Option<f64>| match part {
            None => sum,
            Some(part) => Some(sum.unwrap_or_default() + share * part),
        };
        self.loss += share * part.loss;
        self.grad_norm += share * part.grad_norm;
        self.rho = self.rho.max(part.rho);
        self.ascent_loss = add(self.ascent_loss, part.ascent_loss);
        self.ascent_grad_norm = add(self.ascent_grad_norm, part.ascent_grad_norm);
        if self.alpha.is_none() {
            (self.psi, self.alpha) = (part.psi, part.alpha);
        }
        self.search = self.search.or(part.search);
        self.steps_without_epoch = self.steps_without_epoch.or(part.steps_without_epoch);
        self.passes.gradients += part.passes.gradients;
        self.passes.losses += part.passes.losses;
        self.passes.spared += part.passes.spared;
        self
    }
}
