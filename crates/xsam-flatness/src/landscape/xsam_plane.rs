//! The plane that XSAM searches, with all that is in it.

use xsam::method::{Ascent, Context, Keep, Objective, ParamVector, Plane};
use xsam::{SearchReport, XsamConfig};

use crate::algorithm::orthogonal_to;
use crate::check;
use crate::error::FlatnessError;

/// The plane of the displacement `v0` to the ascent point and the gradient `v1` there, through the weights, and what
/// XSAM does in it (arXiv 2603.10048, figure 1).
///
/// Its axes are `v0`, and what of `v1` is orthogonal to it. At angle `phi` from the first one is the direction
/// `cos(phi) axes[0] + sin(phi) axes[1]`, which is XSAM's `v(alpha)` for `phi = alpha psi`.
#[derive(Clone, Debug)]
pub struct XsamPlane {
    /// Orthonormal axes of the plane.
    pub axes: [ParamVector; 2],
    /// Length of the ascent.
    pub rho: f64,
    /// Distance of the arc that is searched from the weights.
    pub rho_max: f64,
    /// Angle between `v0` and `v1`, in radians.
    pub psi: f64,
    /// The loss at the weights.
    pub loss: f64,
    /// The loss at the ascent point.
    pub ascent_loss: f64,
    /// Where on the arc the search has found the highest loss.
    pub alpha: f64,
    /// Losses along the arc.
    pub search: SearchReport,
}

impl XsamPlane {
    /// The plane at the weights of `objective`, after `ascent_steps` ascent steps of total length `rho`; the arc is at
    /// distance `rho_max`. Cost: `ascent_steps + 1` forward-backward passes and 21 forward passes.
    ///
    /// # Errors
    /// If a length is not a positive number, there are no steps, loss or gradient are not finite, or there is no such
    /// plane: where a gradient is zero, or both directions are on one line.
    pub fn new(
        objective: &mut dyn Objective,
        rho: f64,
        rho_max: f64,
        ascent_steps: usize,
    ) -> Result<Self, FlatnessError> {
        check::positive("rho", rho)?;
        check::positive("rho_max", rho_max)?;
        check::at_least_one("ascent_steps", ascent_steps)?;
        objective.reset();
        let start = objective.evaluate()?;
        let loss = start.loss.value()?;
        let ascent = Ascent {
            steps: ascent_steps,
            ..Ascent::new(rho)
        };
        let mut step = Context::new(objective);
        let end = ascent.climb(start, &mut step, Keep::Displacement)?;
        let Some((v0, length)) = end.displacement.filter(|_| end.norm.exceeds(0.0)) else {
            return Err(FlatnessError::NoPlane {
                reason: "a gradient is zero",
            });
        };
        let ascent_loss = match &step.report.ascent_loss {
            Some(loss) => loss.value()?,
            None => loss,
        };
        let readings = step.readings;
        let v1 = end.gradient.clone();
        let displacement = (v0.clone(), length.clone());
        let plane = Plane::new(displacement, (end.gradient, end.norm), &readings)?;
        if !plane.has_arc() {
            return Err(FlatnessError::NoPlane {
                reason: "the gradient at the ascent point is on one line with the displacement",
            });
        }
        let alphas = XsamConfig::new().positions();
        let offsets: Vec<_> = alphas
            .iter()
            .map(|&alpha| plane.terms(alpha, rho_max).to_vec())
            .collect();
        let losses = objective.losses(&offsets)?;
        let search = SearchReport::new(alphas, losses);
        let alpha = search.best().ok_or_else(|| FlatnessError::NotFinite {
            place: format!("anywhere on the arc at distance {rho_max}"),
            loss: search.losses[0],
        })?;
        let psi = plane.psi().value()?;
        let first = v0.scale(1.0 / length);
        let second = orthogonal_to(v1, std::slice::from_ref(&first))?;
        let norm = second.norm()?;
        Ok(Self {
            axes: [first, second.scale(1.0 / norm)],
            rho,
            rho_max,
            psi,
            loss,
            ascent_loss,
            alpha,
            search,
        })
    }

    /// The coordinates of the point at this distance from the weights and angle from the first axis.
    pub fn coordinates(length: f64, angle: f64) -> [f64; 2] {
        [length * angle.cos(), length * angle.sin()]
    }

    /// The coordinates of `length * v(alpha)`.
    pub fn on_arc(&self, length: f64, alpha: f64) -> [f64; 2] {
        Self::coordinates(length, alpha * self.psi)
    }
}
