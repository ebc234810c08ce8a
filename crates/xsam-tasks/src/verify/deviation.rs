//! How far values are off, and how far they may be.

use std::fmt;

use burn::tensor::FloatDType;

use super::{CaseOutcome, Verdict};

/// Relative tolerance in single precision; what PyTorch's own strays sets a higher one.
const RELATIVE_F32: f64 = 1e-4;

/// A case's own single precision deviation may be exceeded so many times.
const DEVIATIONS: f64 = 10.0;

/// Tolerance of psi in single precision, in radians.
const PSI_F32: f64 = 1e-3;

/// Relative tolerance in double precision: Burn keeps momentum and weight decay in single precision,
/// so that weights after a few steps agree to 8 digits or so.
const RELATIVE_F64: f64 = 1e-6;

/// Tolerance of psi in double precision: the references take an arc cosine, which loses half of the
/// digits near 0.
const PSI_F64: f64 = 1e-7;

/// Positions of a grid are exact, up to their spelling in decimal.
const ALPHA: f64 = 1e-12;

/// One that a parabola gives has the rounding of the losses divided by the parabola's curvature: at least this in single
/// precision, or a multiple of what PyTorch's own strays.
const REFINED_ALPHA_F32: f64 = 1e-4;

/// The same in double precision, whose weights after a few steps agree to 8 digits or so.
const REFINED_ALPHA_F64: f64 = 1e-5;

/// Scores are printed with two digits after the point.
const BLEU: f64 = 1e-2;

/// Of eigenvalues, in relation to the largest one expected, in single precision.
const EIGENVALUE_F32: f64 = 5e-3;

/// Of a trace and a sum of squares, in relation to it, in single precision.
const TRACE_F32: f64 = 2e-2;

/// Of all of these in double precision: the differences of which they are made leave as much.
const CURVATURE_F64: f64 = 1e-6;

/// What is compared, and with it how far it may be off.
#[derive(Clone, Copy)]
pub(super) enum Quantity {
    /// In relation to what is expected, or to this if that is larger.
    Relative(f64),
    /// An eigenvalue, in relation to this one, the largest.
    Eigenvalue(f64),
    /// A sum over all eigenvalues or their squares, in relation to what is expected.
    Sum,
    /// An angle, in radians.
    Angle,
    /// A position on the arc.
    Position,
    /// A score from 0 to 100.
    Score,
}

/// Deviations of a case, and the worst of them in relation to its tolerance.
pub(super) struct Deviations {
    relative: f64,
    psi: f64,
    alpha: f64,
    eigenvalue: f64,
    trace: f64,
    compared: usize,
    worst: Option<Worst>,
}

struct Worst {
    deviation: f64,
    tolerance: f64,
    /// Of the two. Not a number is worse than anything.
    ratio: f64,
    what: String,
}

impl Deviations {
    pub(super) fn new(dtype: FloatDType, float32_deviation: f64) -> Self {
        let [relative, psi, eigenvalue, trace] = match dtype {
            FloatDType::F64 => [RELATIVE_F64, PSI_F64, CURVATURE_F64, CURVATURE_F64],
            _ => {
                let relative = RELATIVE_F32.max(DEVIATIONS * float32_deviation);
                [relative, PSI_F32, EIGENVALUE_F32, TRACE_F32]
            }
        };
        Self {
            relative,
            psi,
            alpha: ALPHA,
            eigenvalue,
            trace,
            compared: 0,
            worst: None,
        }
    }

    /// With the tolerance of a case whose positions are not those of a grid alone.
    pub(super) fn with_alpha(mut self, dtype: FloatDType, float32_deviation: Option<f64>) -> Self {
        if let Some(float32_deviation) = float32_deviation {
            self.alpha = match dtype {
                FloatDType::F64 => REFINED_ALPHA_F64,
                _ => REFINED_ALPHA_F32.max(DEVIATIONS * float32_deviation),
            };
        }
        self
    }

    /// Compares a value, of which `what` is the name, if one is expected. What is missing is infinitely far off.
    pub(super) fn compare(
        &mut self,
        quantity: Quantity,
        what: fmt::Arguments<'_>,
        actual: impl Into<Option<f64>>,
        expected: impl Into<Option<f64>>,
    ) {
        let Some(expected) = expected.into() else {
            return;
        };
        let (scale, tolerance) = match quantity {
            Quantity::Relative(least) => (expected.abs().max(least), self.relative),
            Quantity::Eigenvalue(largest) => (largest.abs(), self.eigenvalue),
            Quantity::Sum => (expected.abs(), self.trace),
            Quantity::Angle => (1.0, self.psi),
            Quantity::Position => (1.0, self.alpha),
            Quantity::Score => (1.0, BLEU),
        };
        let difference = actual.into().map(|actual| (actual - expected).abs());
        let deviation = difference.unwrap_or(f64::INFINITY) / scale.max(f64::MIN_POSITIVE);
        let ratio = match deviation / tolerance {
            ratio if ratio.is_nan() => f64::INFINITY,
            ratio => ratio,
        };
        self.compared += 1;
        if self.worst.as_ref().is_none_or(|worst| ratio > worst.ratio) {
            self.worst = Some(Worst {
                deviation,
                tolerance,
                ratio,
                what: what.to_string(),
            });
        }
    }

    pub(super) fn judge(self, outcome: &mut CaseOutcome) {
        outcome.compared = self.compared;
        let Some(worst) = self.worst else {
            "it expects nothing".clone_into(&mut outcome.detail);
            return;
        };
        if worst.ratio <= 1.0 {
            outcome.verdict = Verdict::Pass;
        }
        outcome.worst = Some(worst.deviation);
        outcome.tolerance = Some(worst.tolerance);
        outcome.detail = worst.what;
    }
}
