#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! ```text
//! model, loss, batches -> LossSurface -> Hessian, GaussNewton -> Lanczos, hutch_plus_plus, density ..
//! ```
//!
//! * [`LossSurface`] is the loss around the weights, a mean over batches, in evaluation or training mode. The model is
//!   left as it is found.
//! * [`SymmetricOperator`]s say what is multiplied: [`Hessian`], [`GaussNewton`], or one of your own.
//! * Algorithms say what is computed: [`Lanczos`] eigenvalues, [`hutch_plus_plus`] and [`exact_moments`] the trace,
//!   [`density()`] the distribution of all eigenvalues. Results carry what it takes to believe them: residuals, standard
//!   errors, whether they converged.
//! * [`Sharpness`] says by how much the loss rises within a distance, [`m_sharpness()`] batch by batch, and
//!   [`faithfulness`] how near the directions of SGD, SAM and XSAM come to the highest point.
//! * A landscape is the loss along a line or in a plane: [`scan`] takes it, in directions of your own or in
//!   [`filter_normalized`] random ones, those [`between`] two models, the [`principal_directions`] of a trajectory, or
//!   the axes of [`XsamPlane`].
//!
//! Second derivatives are differences of gradients, since Burn differentiates once. Between the two gradients of a
//! difference rectifiers and max pools would switch, which has no part in a second derivative: those of
//! [`xsam_kernels`] are held where they are at the weights ([`xsam_kernels::kinks`]). A model with rectifiers of its own
//! needs double precision and a short step instead; [`Hessian::discretization`] tells.

mod algorithm;
mod check;
mod error;
mod landscape;
mod operator;
mod random;
mod shares;
mod sharpness;
mod surface;

pub use algorithm::{
    Density, Eigenpair, Eigenpairs, Lanczos, Moments, Quadrature, Reorthogonalization, SampleMean,
    available_memory, density, exact_moments, hutch_plus_plus,
};
pub use error::FlatnessError;
pub use landscape::{
    PrincipalDirections, XsamPlane, between, evenly, filter_normalized, principal_directions, scan,
};
pub use operator::{DifferenceStep, GaussNewton, Hessian, SymmetricOperator};
pub use random::{Elements, random_vector};
pub use sharpness::{
    Distance, Faithfulness, Sharpness, SharpnessReport, faithfulness, highest, m_sharpness,
    random_directions,
};
pub use surface::{LossSurface, Mode, Surface};
