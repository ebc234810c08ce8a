//! The loss in a ball around the weights: its highest point, as far as it is found, and its mean.

use xsam::method::{Objective, ParamVector};

use crate::algorithm::SampleMean;
use crate::error::FlatnessError;
use crate::random::{Elements, random_vector};

/// The first step of the strong ascent, as a share of the radius. The last ones are close to none.
const FIRST_STEP: f64 = 0.5;

/// The highest loss that a projected ascent from `start`, a displacement from the weights, comes to in the ball of
/// radius `rho`, and where. Cost: a forward-backward pass a step.
///
/// # Errors
/// If loss or gradient are not finite.
pub fn highest(
    objective: &mut dyn Objective,
    start: ParamVector,
    rho: f64,
    steps: usize,
) -> Result<(f64, ParamVector), FlatnessError> {
    let mut displacement = start;
    let mut best = (f64::NEG_INFINITY, ParamVector::default());
    for step in 0..=steps {
        objective.reset();
        objective.advance(1.0.into(), &displacement);
        let here = objective.evaluate();
        objective.reset();
        let here = here?;
        let loss = here.loss.value()?;
        if loss > best.0 {
            best = (loss, displacement.clone());
        }
        if step == steps || !here.norm.exceeds(0.0) {
            break;
        }
        let length = FIRST_STEP * rho * (1.0 - step as f64 / steps as f64);
        displacement = displacement.combine(1.0, &here.gradient, length / here.norm);
        let norm = displacement.norm()?;
        if norm > rho {
            displacement = displacement.scale(rho / norm);
        }
    }
    Ok(best)
}

/// By how much the loss rises on average over random directions of length `rho`. Cost: a forward pass a direction.
///
/// # Errors
/// If a loss is not finite, or the device fails.
pub fn random_directions(
    objective: &mut dyn Objective,
    rho: f64,
    directions: usize,
    seed: u64,
) -> Result<SampleMean, FlatnessError> {
    objective.reset();
    let start = objective.evaluate()?;
    let at_weights = start.loss.value()?;
    let mut increases = Vec::with_capacity(directions);
    for index in 0..directions {
        let direction = random_vector(&start.gradient, Elements::Normal, seed, index as u64);
        let norm = direction.norm()?;
        let losses = objective.losses(&[vec![((rho / norm).into(), &direction)]])?;
        let loss = losses.into_iter().sum::<f64>();
        if !loss.is_finite() {
            let place = format!("at distance {rho} in random direction {index}");
            return Err(FlatnessError::NotFinite { place, loss });
        }
        increases.push(loss - at_weights);
    }
    Ok(SampleMean::of(&increases))
}
