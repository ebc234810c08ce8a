//! How faithful each approximation of the local maximum is: the argument of the paper, in numbers.

use crate::check;
use serde::Serialize;
use xsam::XsamConfig;
use xsam::method::{Ascent, Context, Keep, Number, Objective, ParamVector, Plane, Readings};

use super::ball::highest;
use crate::error::FlatnessError;

/// The loss at a distance from the weights, in each direction that a method takes for that of the local maximum.
#[derive(Clone, Debug, Serialize)]
pub struct Distance {
    /// Distance from the weights, along each direction.
    pub distance: f64,
    /// Along `g_0`, the gradient at the weights: SGD's direction.
    pub gradient: f64,
    /// Along `g_1`, the gradient at the ascent point of one step: SAM's.
    pub ascent_gradient: f64,
    /// Along `g_k`, the gradient at the ascent point of several steps.
    pub several_steps: f64,
    /// Along `v(alpha)`, the best point of XSAM's arc at this distance.
    pub searched: f64,
    /// Its position on the arc.
    pub alpha: f64,
    /// The highest loss that a strong ascent within the distance has come to, from the best of these directions.
    pub highest: f64,
}

/// Losses by distance and direction.
#[derive(Clone, Debug, Serialize)]
pub struct Faithfulness {
    /// The loss at the weights.
    pub loss: f64,
    /// Length of the ascent to the points at which gradients are taken.
    pub rho: f64,
    /// Steps of the ascent to `g_k`.
    pub ascent_steps: usize,
    /// Angle between displacement and gradient at the ascent point of one step.
    pub psi: f64,
    /// What was found at each distance, in the order they were given in.
    pub distances: Vec<Distance>,
}

/// Measures how high the loss gets at `distances` from the weights (arXiv 2603.10048, section 3): in the directions of
/// SGD, SAM with one and with `ascent_steps` steps of length `rho` in all, and XSAM, and by a strong ascent of
/// `strong_steps` steps.
///
/// Cost: `ascent_steps + 2` forward-backward passes, and for each distance 24 forward and `strong_steps + 1`
/// forward-backward passes. Where the gradient at the weights is zero, so are all directions, and all losses are those
/// at the weights.
///
/// # Errors
/// If a length is not a positive number or there are no steps, or loss or gradient are not finite.
pub fn faithfulness(
    objective: &mut dyn Objective,
    distances: &[f64],
    rho: f64,
    ascent_steps: usize,
    strong_steps: usize,
) -> Result<Faithfulness, FlatnessError> {
    check::positive("rho", rho)?;
    check::at_least_one("ascent_steps", ascent_steps)?;
    check::at_least_one("strong_steps", strong_steps)?;
    for &distance in distances {
        check::positive("distance", distance)?;
    }
    objective.reset();
    let start = objective.evaluate()?;
    let (loss, gradient) = (start.loss.value()?, start.gradient.clone());
    let norm = start.norm.clone();
    let mut climb = |steps| {
        let ascent = Ascent {
            steps,
            ..Ascent::new(rho)
        };
        let mut step = Context::new(objective);
        ascent.climb(start.clone(), &mut step, Keep::Displacement)
    };
    let (one, several) = (climb(1)?, climb(ascent_steps)?);
    let plane = match one.displacement.filter(|_| one.norm.exceeds(0.0)) {
        Some(displacement) => {
            let gradient = (one.gradient.clone(), one.norm.clone());
            Some(Plane::new(displacement, gradient, &Readings::default())?)
        }
        None => None,
    };
    let alphas = XsamConfig::new().positions();
    let mut rows = Vec::with_capacity(distances.len());
    for &distance in distances {
        let Some(plane) = &plane else {
            // There is nothing to ascend along.
            rows.push(Distance {
                distance,
                gradient: loss,
                ascent_gradient: loss,
                several_steps: loss,
                searched: loss,
                alpha: 1.0,
                highest: loss,
            });
            continue;
        };
        let along = |vector, norm: &Number| match norm.exceeds(0.0) {
            true => vec![(distance / norm, vector)],
            false => Vec::new(),
        };
        let mut offsets: Vec<Vec<(Number, &ParamVector)>> = vec![
            along(&gradient, &norm),
            along(&one.gradient, &one.norm),
            along(&several.gradient, &several.norm),
        ];
        offsets.extend(alphas.iter().map(|&a| plane.terms(a, distance).to_vec()));
        let losses = objective.losses(&offsets)?;
        if let Some(bad) = losses.iter().find(|loss| !loss.is_finite()) {
            let place = format!("at distance {distance}");
            return Err(FlatnessError::NotFinite { place, loss: *bad });
        }
        let top = |from: usize| {
            let best = |a: usize, b: usize| if losses[b] > losses[a] { b } else { a };
            (from..losses.len()).reduce(best).unwrap_or(from)
        };
        let searched = top(3);
        let sum = |sum: ParamVector, (factor, vector): &(Number, &ParamVector)| {
            sum.combine(1.0, vector, factor)
        };
        let from = offsets[top(0)].iter().fold(ParamVector::default(), sum);
        let (most, _) = highest(objective, from, distance, strong_steps)?;
        rows.push(Distance {
            distance,
            gradient: losses[0],
            ascent_gradient: losses[1],
            several_steps: losses[2],
            searched: losses[searched],
            alpha: alphas[searched - 3],
            // Rounding alone may put it below where it began.
            highest: most.max(losses[top(0)]),
        });
    }
    Ok(Faithfulness {
        loss,
        rho,
        ascent_steps,
        psi: plane.map_or(Ok(0.0), |plane| plane.psi().value())?,
        distances: rows,
    })
}
