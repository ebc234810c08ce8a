//! The plane of the displacement and the gradient at the ascent point, and the arc in it.

use std::f64::consts::PI;

use crate::error::StepError;
use crate::number::Number;
use crate::readings::Readings;
use crate::vector::{ParamVector, Reductions};

/// Below this sine of psi the plane's two directions count as one line in exact arithmetic.
const LINE: f64 = 1e-8;

/// Near an angle of pi the plane is spanned by what is left after two almost opposite vectors
/// cancel. That rest must exceed this many roundings to mean anything.
const ROUNDINGS: f64 = 100.0;

/// The plane through the weights that XSAM searches (arXiv 2603.10048).
///
/// `v0` is the unit displacement from the weights to the ascent point, `v1` the unit gradient there,
/// `psi` the angle between them, in radians, from 0 to pi. The arc
/// `v(alpha) = sin((1 - alpha) psi) / sin(psi) v0 + sin(alpha psi) / sin(psi) v1`
/// goes through `v0` at 0 and `v1` at 1, and all its points have length 1.
#[derive(Debug)]
pub struct Plane {
    displacement: ParamVector,
    displacement_norm: Number,
    gradient: ParamVector,
    gradient_norm: Number,
    psi: Number,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Arc,
    /// `v0 = v1`: every point of the arc is that vector.
    Parallel,
    /// `v0 = -v1`: no plane is defined, `v1` stands for all of it.
    Antiparallel,
}

impl Plane {
    /// The plane of `displacement` and `gradient`, given with their norms, which must not be zero.
    ///
    /// Cost: one pass over both vectors and, if numbers are read at once, one read-back; no full-size copy.
    ///
    /// # Errors
    /// [`StepError::Device`] if the device fails.
    pub fn new(
        displacement: (ParamVector, Number),
        gradient: (ParamVector, Number),
        readings: &Readings,
    ) -> Result<Self, StepError> {
        let (displacement, displacement_norm) = displacement;
        let (gradient, gradient_norm) = gradient;
        // The arc cosine of the dot product loses half of the digits near 0 and pi, and is NaN where
        // rounding lifts the product above 1. Chord lengths do neither.
        let (v0, v1) = (1.0 / &displacement_norm, 1.0 / &gradient_norm);
        let asked = Reductions::default();
        let asked = asked.squared_chords((&v0, &displacement), (&v1, &gradient));
        let [difference, sum] = readings.take(asked)?;
        let psi = 2.0 * difference.sqrt().atan2(&sum.sqrt());
        let noise = ROUNDINGS * displacement.epsilon().max(gradient.epsilon());
        let shape = if !psi.exceeds(LINE) {
            Shape::Parallel
        } else if !(PI - &psi).exceeds(noise.max(LINE)) {
            Shape::Antiparallel
        } else {
            Shape::Arc
        };
        Ok(Self {
            displacement,
            displacement_norm,
            gradient,
            gradient_norm,
            psi,
            shape,
        })
    }

    /// The angle between `v0` and `v1`, in radians, from 0 to pi.
    pub fn psi(&self) -> &Number {
        &self.psi
    }

    /// Whether the arc has more than one point.
    pub fn has_arc(&self) -> bool {
        self.shape == Shape::Arc
    }

    /// `length * v(alpha)` as factors of the displacement and the gradient.
    pub fn terms(&self, alpha: f64, length: f64) -> [(Number, &ParamVector); 2] {
        let (c0, c1) = self.coefficients(alpha);
        [
            (length * c0 / &self.displacement_norm, &self.displacement),
            (length * c1 / &self.gradient_norm, &self.gradient),
        ]
    }

    /// `|gradient| v(alpha)`: what XSAM hands to the base optimizer. In place where it can be.
    ///
    /// At `alpha = 1` this is the gradient itself, to the last bit.
    pub fn direction(self, alpha: f64) -> ParamVector {
        let (c0, c1) = self.coefficients(alpha);
        if (c0.known(), c1.known()) == (Some(0.0), Some(1.0)) {
            return self.gradient;
        }
        let factor = c0 * self.gradient_norm / self.displacement_norm;
        self.gradient.combine(c1, &self.displacement, factor)
    }

    /// The coefficients of `v(alpha)` for `v0` and `v1`.
    fn coefficients(&self, alpha: f64) -> (Number, Number) {
        match self.shape {
            _ if alpha == 1.0 => (0.0.into(), 1.0.into()),
            Shape::Parallel => (1.0.into(), 0.0.into()),
            Shape::Antiparallel => (0.0.into(), 1.0.into()),
            Shape::Arc => {
                let sine = self.psi.sin();
                let v0 = ((1.0 - alpha) * &self.psi).sin() / &sine;
                let v1 = (alpha * &self.psi).sin() / sine;
                (v0, v1)
            }
        }
    }
}
