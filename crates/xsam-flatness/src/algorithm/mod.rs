//! What is computed of an operator: eigenvalues, trace, norm, density. None of it knows what the operator is.

mod density;
mod lanczos;
mod memory;
mod power;
mod process;
mod trace;

pub use density::{Density, Quadrature, density};
pub use lanczos::{Eigenpair, Eigenpairs, Lanczos, Wanted};
pub use memory::available_memory;
pub use power::PowerIteration;
pub use process::Reorthogonalization;
pub(crate) use process::orthogonal_to;
pub use trace::{Estimate, Moments, exact_moments, hutch_plus_plus, hutchinson};
