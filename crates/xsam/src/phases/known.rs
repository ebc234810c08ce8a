//! The loss around the weights, of which only some answers are known.

use std::collections::HashSet;

use burn::module::{Module, ParamGroup, ParamId};
use burn::tensor::GradientCheckpointingStrategy;

use super::Offset;
use crate::error::{Place, StepError};
use crate::objective::{Evaluation, Objective};
use crate::parameters;
use crate::vector::ParamVector;

/// What the caller has answered.
pub(super) enum Answer {
    Gradient(Evaluation),
    Losses(Vec<f64>),
}

/// What a method has asked for and is not known.
pub(super) enum Wanted<M> {
    Gradient(M, Place),
    Losses(Vec<Offset>),
}

/// The objective of which only some answers are known.
pub(super) struct Known<'a, M> {
    model: &'a M,
    strategy: GradientCheckpointingStrategy,
    answers: std::slice::Iter<'a, Answer>,
    /// From the weights to the point; the point itself is made only where it is wanted.
    moves: Offset,
    pub(super) wanted: Option<Wanted<M>>,
}

impl<'a, M: Module> Known<'a, M> {
    /// Around the weights of `model`, with these answers.
    pub(super) fn new(
        model: &'a M,
        strategy: GradientCheckpointingStrategy,
        answers: &'a [Answer],
    ) -> Self {
        Self {
            model,
            strategy,
            answers: answers.iter(),
            moves: Vec::new(),
            wanted: None,
        }
    }

    fn point(&self) -> M {
        let start = parameters::independent(self.model, self.strategy);
        // One move after another, as with a closure: their sum would be rounded otherwise.
        self.moves.iter().fold(start, |point, (length, direction)| {
            parameters::displaced(point, &[(*length, direction)])
        })
    }
}

impl<M: Module> Objective for Known<'_, M> {
    fn advance(&mut self, length: f64, direction: &ParamVector) {
        self.moves.push((length, direction.clone()));
    }

    fn evaluate(&mut self) -> Result<Evaluation, StepError> {
        if let Some(Answer::Gradient(evaluation)) = self.answers.next() {
            return Ok(evaluation.clone());
        }
        let place = match self.moves.len() {
            0 => Place::Weights,
            n => Place::AscentPoint(n),
        };
        self.wanted = Some(Wanted::Gradient(self.point(), place));
        Err(StepError::Pending)
    }

    fn reset(&mut self) {
        self.moves.clear();
    }

    fn losses(&mut self, offsets: &[Vec<(f64, &ParamVector)>]) -> Result<Vec<f64>, StepError> {
        if offsets.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(Answer::Losses(losses)) = self.answers.next() {
            return Ok(losses.clone());
        }
        let owned = |offset: &Vec<(f64, &ParamVector)>| {
            let owned = offset
                .iter()
                .map(|(factor, vector)| (*factor, (*vector).clone()));
            owned.collect()
        };
        self.wanted = Some(Wanted::Losses(offsets.iter().map(owned).collect()));
        Err(StepError::Pending)
    }

    fn weights(&self, like: &ParamVector) -> ParamVector {
        match self.moves.is_empty() {
            true => parameters::weight_vector(self.model, like),
            false => parameters::weight_vector(&self.point(), like),
        }
    }

    fn biases(&self) -> HashSet<ParamId> {
        parameters::biases(self.model)
    }

    fn members(&self, group: &ParamGroup) -> HashSet<ParamId> {
        parameters::trainable_members(self.model, group)
    }
}
