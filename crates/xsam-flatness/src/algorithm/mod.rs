//! What is computed of an operator: eigenvalues, trace, norm, density. None of it knows what the operator is.

mod density;
mod lanczos;
mod memory;
mod process;
mod trace;

pub use density::{Density, Quadrature, density};
pub use lanczos::{Eigenpair, Eigenpairs, Lanczos};
pub use memory::available_memory;
pub use process::Reorthogonalization;
pub(crate) use process::{eigenpairs, orthogonal_to};
pub use trace::{Moments, SampleMean, exact_moments, hutch_plus_plus};
