//! What is drawn of a landscape besides its losses.

use serde::{Deserialize, Serialize};

/// An axis of a landscape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Name of the axis, as a plot writes it.
    pub name: String,
    /// The coordinates of the points along it.
    pub values: Vec<f64>,
}

/// A point that means something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Label of the mark, as a plot writes it.
    pub label: String,
    /// Its coordinates; of a line, the first one counts.
    pub at: [f64; 2],
}

impl Mark {
    pub(super) fn new(label: impl Into<String>, at: [f64; 2]) -> Self {
        Self {
            label: label.into(),
            at,
        }
    }
}

/// A line in a plane that means something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// Label of the path, as a plot writes it.
    pub label: String,
    /// Whether its points are something by themselves.
    pub dots: bool,
    /// Coordinates of its points, in order.
    pub points: Vec<[f64; 2]>,
}

/// What XSAM does in its plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct XsamPlaneReport {
    /// Length of the ascent.
    pub rho: f64,
    /// Distance of the arc.
    pub rho_max: f64,
    /// Steps of the ascent.
    pub ascent_steps: usize,
    /// Angle between the displacement and the gradient at the ascent point, in radians.
    pub psi: f64,
    /// The loss at the ascent point.
    pub ascent_loss: f64,
    /// Where the loss is highest on the arc.
    pub alpha: f64,
    /// The positions on the arc that were tried.
    pub alphas: Vec<f64>,
    /// Losses at `alphas`, in their order.
    pub losses: Vec<f64>,
}
