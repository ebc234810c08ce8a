//! What is multiplied: symmetric operators over the space of parameters.

mod block;
mod gauss_newton;
mod hessian;

pub use gauss_newton::GaussNewton;
pub use hessian::{DifferenceStep, Hessian};

use xsam::method::ParamVector;

use crate::error::FlatnessError;

/// A symmetric matrix that is known by its products with vectors.
pub trait SymmetricOperator {
    /// A vector of the space: its parameters, lengths, number format and device are those of all, its values do
    /// not matter.
    fn space(&self) -> &ParamVector;

    /// The product with `vector`, a vector of the space.
    ///
    /// # Errors
    /// If it cannot be computed, or is not finite.
    fn apply(&mut self, vector: &ParamVector) -> Result<ParamVector, FlatnessError>;

    /// Rows of the matrix.
    fn dimension(&self) -> usize {
        self.space().elements()
    }
}
