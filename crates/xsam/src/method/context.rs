//! What a method works on, and what it knows of the step.

use crate::error::StepError;
use crate::number::Number;
use crate::objective::{Evaluation, Objective};
use crate::readings::Readings;
use crate::report::StepReport;
use crate::vector::ParamVector;

/// What is known of a step before its first pass.
#[non_exhaustive]
pub struct Before<'a> {
    /// The learning rate of the step.
    pub lr: f64,
    /// What the schedule of rho multiplies rho with.
    pub rho_factor: f64,
    /// As that of the [`Context`].
    pub seed: u64,
    pub(crate) weights: &'a dyn Fn() -> ParamVector,
}

impl Before<'_> {
    /// The weights of the parameters that are trained. Shares the tensors.
    pub fn weights(&self) -> ParamVector {
        (self.weights)()
    }
}

/// The step that a method is asked for an update in: the loss, what is known of the step besides, and its report.
#[non_exhaustive]
pub struct Context<'a> {
    /// The loss of the batch around the weights.
    pub objective: &'a mut dyn Objective,
    /// Where what is measured goes. It is for the caller and tells the method nothing.
    pub report: StepReport<Number>,
    /// When the step reads its numbers: norms and dot products are asked of it.
    pub readings: Readings,
    /// What the schedule of rho multiplies rho, and lengths that belong to it, with.
    pub rho_factor: f64,
    /// By how much an ascent may raise the loss, to first order: it is no longer than that. `rho_factor` says afterwards what is
    /// left of its length.
    pub loss_budget: Option<f64>,
    /// By how much the ascent has raised the loss, if there was one.
    pub rise: Option<Number>,
    /// How many steps of the method were made before this one.
    pub number: u64,
    /// How many steps the whole training has, if that is known.
    pub length: Option<u64>,
    /// What is random in the step is to follow from this number, which is the same on all ranks and in a resumed run, and
    /// another one in every step.
    pub seed: u64,
    /// Which part of the batch this is, from 0, where each part has an ascent of its own (m-sharpness).
    ///
    /// The method is asked for an update for each of them, one after another, and their mean is what counts.
    pub part: usize,
    /// Into how many parts the batch is split; 1 as a rule.
    pub parts: usize,
}

impl<'a> Context<'a> {
    /// The first step on a whole batch, at the full rho.
    pub fn new(objective: &'a mut dyn Objective) -> Self {
        Self {
            objective,
            report: StepReport::default(),
            readings: Readings::default(),
            rho_factor: 1.0,
            loss_budget: None,
            rise: None,
            number: 0,
            length: None,
            seed: 0,
            part: 0,
            parts: 1,
        }
    }

    /// Loss and gradient at `length * direction` from the weights, which the report has as those of the ascent point. The
    /// direction is freed before the pass.
    pub(crate) fn ahead(
        &mut self,
        length: impl Into<Number>,
        direction: ParamVector,
    ) -> Result<Evaluation, StepError> {
        self.objective.advance(length.into(), &direction);
        drop(direction);
        let ahead = self.objective.evaluate()?;
        self.objective.reset();
        self.report.ascent_loss = Some(ahead.loss.clone());
        self.report.ascent_grad_norm = Some(ahead.norm.clone());
        Ok(ahead)
    }

    /// How many steps the whole training has, for a hyper-parameter that depends on it.
    ///
    /// # Errors
    /// If that is not known.
    pub fn length_for(&self, field: &'static str) -> Result<u64, StepError> {
        self.length.ok_or(StepError::NoLength { field })
    }
}
