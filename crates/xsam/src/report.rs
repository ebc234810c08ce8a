//! What a step measured.

use crate::error::StepError;
use crate::number::Number;
use crate::objective::Passes;
use crate::search::report::SearchReport;

/// The measurements of one step, for plots and logs. They cost nothing beyond the step itself.
///
/// In a step that is being made they are [`Number`](crate::method::Number)s, which may not have been read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StepReport<N = f64> {
    /// Loss at the weights.
    pub loss: N,
    /// Norm of the gradient at the weights, over all parameters together.
    pub grad_norm: N,
    /// Total length of the ascent; 0 if there was none.
    pub rho: N,
    /// Loss at the ascent point.
    pub ascent_loss: Option<N>,
    /// Norm of the gradient at the ascent point.
    pub ascent_grad_norm: Option<N>,
    /// Angle between the displacement and the gradient at the ascent point, in radians.
    pub psi: Option<N>,
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
    pub update_norm: N,
    /// Whether the gradient was clipped.
    pub clipped: bool,
    /// What the loss was scaled by before its backward pass, if it was.
    pub loss_scale: Option<f64>,
    /// How often the step has waited for the device to read numbers from it. On a processor every number is read at once; on
    /// any other device one read-back is enough, unless the method says otherwise.
    pub read_backs: u64,
    /// How often the model was run.
    pub passes: Passes,
}

impl StepReport<Number> {
    /// With its numbers read.
    pub(crate) fn read(self) -> Result<StepReport, StepError> {
        let read = |number: Option<Number>| number.map(|number| number.value()).transpose();
        Ok(StepReport {
            loss: self.loss.value()?,
            grad_norm: self.grad_norm.value()?,
            rho: self.rho.value()?,
            ascent_loss: read(self.ascent_loss)?,
            ascent_grad_norm: read(self.ascent_grad_norm)?,
            psi: read(self.psi)?,
            alpha: self.alpha,
            search: self.search,
            steps_without_epoch: self.steps_without_epoch,
            update_norm: self.update_norm.value()?,
            clipped: self.clipped,
            loss_scale: self.loss_scale,
            read_backs: self.read_backs,
            passes: self.passes,
        })
    }

    /// Adds `share` times the measurements of a part of a batch to those of the parts before it. Alpha, psi and search
    /// are those of the first part that has them.
    pub(crate) fn plus(mut self, part: Self, share: f64) -> Self {
        let add = |sum: Option<Number>, part: Option<Number>| match part {
            None => sum,
            Some(part) => Some(sum.unwrap_or_default() + share * part),
        };
        self.loss = self.loss + share * part.loss;
        self.grad_norm = self.grad_norm + share * part.grad_norm;
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
