//! Eigenvalues of the largest magnitude, by power iteration.

use xsam::method::ParamVector;

use super::lanczos::{Eigenpair, Eigenpairs};
use super::memory;
use super::process::orthogonal_to;
use crate::check;
use crate::error::FlatnessError;
use crate::operator::SymmetricOperator;
use crate::random::{Elements, random_vector};

/// Power iteration, one eigenvalue after the other, each beside those before it.
///
/// It needs but a vector an eigenvalue, and many more products than [`Lanczos`](super::Lanczos): where two eigenvalues
/// are of a like magnitude it hardly converges, and two of opposite sign it cannot tell apart.
#[derive(Clone, Debug)]
pub struct PowerIteration {
    /// How many eigenvalues.
    pub count: usize,
    /// The most products for one of them.
    pub max_iterations: usize,
    /// It has converged when its residual is at most this share of its magnitude.
    pub tolerance: f64,
    /// Decides the starts.
    pub seed: u64,
}

impl Default for PowerIteration {
    /// The largest one to a thousandth, in at most 100 products.
    fn default() -> Self {
        Self {
            count: 1,
            max_iterations: 100,
            tolerance: 1e-3,
            seed: 0,
        }
    }
}

impl PowerIteration {
    /// Finds them.
    ///
    /// # Errors
    /// If a setting is zero or not a number, vectors would not fit into memory, or a product cannot be computed.
    pub fn run(&self, operator: &mut dyn SymmetricOperator) -> Result<Eigenpairs, FlatnessError> {
        for (field, value) in [
            ("count", self.count),
            ("max_iterations", self.max_iterations),
        ] {
            check::at_least_one(field, value)?;
        }
        check::positive("tolerance", self.tolerance)?;
        let count = self.count.min(operator.dimension());
        memory::check(operator.space(), count + 4)?;
        let mut pairs: Vec<Eigenpair> = Vec::with_capacity(count);
        let mut products = 0;
        for index in 0..count {
            let pair = self.next(operator, &pairs, index as u64, &mut products)?;
            pairs.push(pair);
        }
        pairs.sort_by(|a, b| b.value.total_cmp(&a.value));
        Ok(Eigenpairs {
            converged: pairs.iter().all(|pair| pair.converged),
            pairs,
            iterations: products,
            products,
        })
    }

    fn next(
        &self,
        operator: &mut dyn SymmetricOperator,
        found: &[Eigenpair],
        index: u64,
        products: &mut usize,
    ) -> Result<Eigenpair, FlatnessError> {
        let start = random_vector(operator.space(), Elements::Normal, self.seed, index);
        let basis: Vec<ParamVector> = found.iter().map(|pair| pair.vector.clone()).collect();
        let mut vector = orthogonal_to(start, &basis)?;
        let norm = vector.norm()?;
        vector = vector.scale(1.0 / norm);
        let mut iteration = 0;
        loop {
            iteration += 1;
            *products += 1;
            let product = operator.apply(&vector)?;
            let value = vector.dot(&product)?;
            let product = orthogonal_to(product, &basis)?;
            let residual = product.clone().combine(1.0, &vector, -value).norm()?;
            if !residual.is_finite() {
                return Err(FlatnessError::ProductNotFinite);
            }
            let converged = residual <= self.tolerance * value.abs();
            let norm = product.norm()?;
            // An operator that is zero here: any vector is an eigenvector.
            if converged || norm == 0.0 || iteration >= self.max_iterations {
                return Ok(Eigenpair {
                    value,
                    residual,
                    converged: converged || norm == 0.0,
                    vector,
                });
            }
            vector = product.scale(1.0 / norm);
        }
    }
}
