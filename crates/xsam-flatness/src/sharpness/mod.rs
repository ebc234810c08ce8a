//! Sharpness: by how much the loss rises within a distance of the weights.

mod ball;
mod directions;

use crate::check;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::Serialize;
use xsam::Scaling;
use xsam::method::{Ascent, Context, Evaluation, Keep, Objective};

pub use ball::{highest, random_directions};
pub use directions::{Distance, Faithfulness, faithfulness};

use crate::algorithm::SampleMean;
use crate::error::FlatnessError;
use crate::surface::LossSurface;

/// What is measured of the sharpness.
#[derive(Clone, Debug)]
pub struct Sharpness {
    /// The distance from the weights.
    pub rho: f64,
    /// The distance for the adaptive sharpness, in units of the weights' own size.
    pub adaptive_rho: f64,
    /// Ascent steps of the longer ascent.
    pub ascent_steps: usize,
    /// Steps of the strong ascent.
    pub strong_steps: usize,
    /// Number of random directions.
    pub directions: usize,
    /// Seed of the random directions.
    pub seed: u64,
}

impl Default for Sharpness {
    /// At the paper's rho of 0.15 (adaptive: 1), with 3 and 20 steps and 20 directions.
    fn default() -> Self {
        Self {
            rho: 0.15,
            adaptive_rho: 1.0,
            ascent_steps: 3,
            strong_steps: 20,
            directions: 20,
            seed: 0,
        }
    }
}

/// How sharp a minimum is. All but the first two are by how much the loss is higher than at the weights.
#[derive(Clone, Debug, Serialize)]
pub struct SharpnessReport {
    /// The loss at the weights.
    pub loss: f64,
    /// The norm of its gradient there.
    pub grad_norm: f64,
    /// Radius of the ball in which the loss was maximized.
    pub rho: f64,
    /// Along the gradient: the sharpness that SAM descends from (Foret et al. 2020, arXiv 2010.01412).
    pub ascent: f64,
    /// After several ascent steps of the same length in all.
    pub ascent_steps: f64,
    /// At the best point of XSAM's arc after one ascent step (arXiv 2603.10048).
    pub searched: f64,
    /// At the highest point that a strong ascent in the ball has come to: a lower bound of the worst case, and no less
    /// than any of the above.
    pub worst: f64,
    /// Over random directions of length rho.
    pub average: SampleMean,
    /// The distance for the next one.
    pub adaptive_rho: f64,
    /// Along the gradient, scaled by the weights so that their scale does not count (ASAM: Kwon et al. 2021,
    /// arXiv 2102.11600).
    pub adaptive: f64,
}

impl Sharpness {
    /// Measures it around the weights of `objective`. Cost: about `ascent_steps + strong_steps + 4` forward-backward
    /// passes and `directions + 45` forward passes.
    ///
    /// # Errors
    /// If a distance is not a positive number or something that is counted is 0, or loss or gradient are not finite.
    pub fn measure(&self, objective: &mut dyn Objective) -> Result<SharpnessReport, FlatnessError> {
        let (rho, steps) = (self.rho, self.ascent_steps);
        check::positive("adaptive_rho", self.adaptive_rho)?;
        check::at_least_one("directions", self.directions)?;
        let faithful = faithfulness(objective, &[rho], rho, steps, self.strong_steps)?;
        let at = &faithful.distances[0];
        objective.reset();
        let start = objective.evaluate()?;
        let (loss, grad_norm) = (start.loss.value()?, start.norm.value()?);
        let several = climbed(objective, start.clone(), rho, steps, Scaling::None)?;
        let adaptive = climbed(objective, start, self.adaptive_rho, 1, Scaling::Elementwise)?;
        let average = random_directions(objective, rho, self.directions, self.seed)?;
        Ok(SharpnessReport {
            loss,
            grad_norm,
            rho,
            ascent: at.gradient - loss,
            ascent_steps: several - loss,
            searched: at.searched - loss,
            worst: at.highest.max(several) - loss,
            average,
            adaptive_rho: self.adaptive_rho,
            adaptive: adaptive - loss,
        })
    }
}

/// The loss after an ascent of total length `rho` from the weights, where loss and gradient are `start`.
fn climbed(
    objective: &mut dyn Objective,
    start: Evaluation,
    rho: f64,
    steps: usize,
    scaling: Scaling,
) -> Result<f64, FlatnessError> {
    let loss = start.loss.clone();
    let ascent = Ascent {
        steps,
        scaling,
        ..Ascent::new(rho)
    };
    let mut step = Context::new(objective);
    ascent.climb(start, &mut step, Keep::Gradient)?;
    // Nowhere to climb, at a gradient of zero.
    Ok(step.report.ascent_loss.unwrap_or(loss).value()?)
}

/// m-sharpness (Foret et al. 2020, section 4.1): the mean, over batches, of by how much an ascent of length `rho` on a
/// batch raises the loss of that batch, of `surface`'s batches, whose sizes are the m. All are selected
/// again afterwards.
///
/// Cost: `steps + 1` forward-backward passes over each batch.
///
/// # Errors
/// If `rho` is not a positive number, or loss or gradient are not finite.
pub fn m_sharpness<M, F>(
    surface: &mut LossSurface<M, F>,
    rho: f64,
    steps: usize,
) -> Result<SampleMean, FlatnessError>
where
    M: Module,
    F: FnMut(&M, usize) -> Tensor<1>,
{
    check::positive("rho", rho)?;
    check::at_least_one("steps", steps)?;
    let increases: Result<Vec<f64>, FlatnessError> = (0..surface.batches())
        .map(|i| {
            surface.select(Some(i));
            surface.reset();
            let start = surface.evaluate()?;
            let loss = start.loss.value()?;
            Ok(climbed(surface, start, rho, steps, Scaling::None)? - loss)
        })
        .collect();
    surface.select(None);
    surface.reset();
    Ok(SampleMean::of(&increases?))
}
