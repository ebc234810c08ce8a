//! Eigenvalues at the ends of the spectrum, by the Lanczos algorithm.

use crate::check;
use serde::Serialize;
use xsam::ConfigError;
use xsam::method::ParamVector;

use super::memory;
use super::process::{Process, Reorthogonalization, Ritz};
use crate::error::FlatnessError;
use crate::operator::SymmetricOperator;
use crate::random::{Elements, random_vector};

/// The Lanczos algorithm from a random start (Lanczos 1950; Parlett, "The Symmetric Eigenvalue Problem", 1980).
///
/// Cost: a product with the operator an iteration and one for each pair that is returned, and with full
/// re-orthogonalization four passes over all vectors so far. Memory: a vector an iteration if they are kept.
#[derive(Clone, Debug)]
pub struct Lanczos {
    /// How many of the largest eigenvalues.
    pub largest: usize,
    /// How many of the smallest.
    pub smallest: usize,
    /// The most iterations; no more than the operator has rows are made in any case.
    pub max_iterations: usize,
    /// An eigenvalue has converged when its residual `|A y - theta y|` is at most this share of the largest magnitude.
    pub tolerance: f64,
    /// How orthogonality is kept.
    pub reorthogonalization: Reorthogonalization,
    /// Seed of the random vector it starts with.
    pub seed: u64,
}

impl Default for Lanczos {
    /// The five largest and the smallest, to a thousandth of the largest, in at most 100 iterations.
    fn default() -> Self {
        Self {
            largest: 5,
            smallest: 1,
            max_iterations: 100,
            tolerance: 1e-3,
            reorthogonalization: Reorthogonalization::Full,
            seed: 0,
        }
    }
}

/// An eigenvalue and its vector, as far as it is known.
#[derive(Clone, Debug, Serialize)]
pub struct Eigenpair {
    /// The eigenvalue, with its sign.
    pub value: f64,
    /// `|A y - value y|` for the unit vector `y`, by a product of its own: some eigenvalue of the operator is no farther
    /// away than this. Of the operator as it multiplies: by how much a Hessian of differences is another one than that
    /// of derivatives, [`Hessian::discretization`](crate::Hessian::discretization) tells and a residual cannot.
    pub residual: f64,
    /// Whether the residual is within the tolerance.
    pub converged: bool,
    /// The eigenvector, of length 1.
    #[serde(skip)]
    pub vector: ParamVector,
}

/// The eigenvalues that were found, and how surely.
#[derive(Clone, Debug, Serialize)]
pub struct Eigenpairs {
    /// The eigenvalues, the largest first. Fewer than wanted if the operator has fewer.
    pub pairs: Vec<Eigenpair>,
    /// Iterations made, a product with the matrix each.
    pub iterations: usize,
    /// Products with the operator, those for the residuals included.
    pub products: usize,
    /// Whether all wanted have converged.
    pub converged: bool,
}

impl Lanczos {
    /// How many eigenvalues are wanted.
    pub fn wanted(&self) -> usize {
        self.largest + self.smallest
    }

    /// The most vectors of the size of the weights that are kept at once, those of the result included.
    fn vectors(&self) -> usize {
        self.reorthogonalization.kept(self.max_iterations) + self.wanted() + 4
    }

    /// What [`run`](Self::run) needs at most in bytes, besides the operator's own needs.
    pub fn bytes(&self, operator: &dyn SymmetricOperator) -> u64 {
        memory::bytes(operator.space(), self.vectors())
    }

    /// Finds the wanted eigenvalues.
    ///
    /// # Errors
    /// If nothing is wanted, the tolerance is not a positive number, vectors would not fit into memory, or a product
    /// cannot be computed. That something has not converged is no error: the result says so.
    pub fn run(&self, operator: &mut dyn SymmetricOperator) -> Result<Eigenpairs, FlatnessError> {
        let any = self.wanted() > 0;
        ConfigError::unless(any, "largest + smallest", 0, "at least one eigenvalue")?;
        check::at_least_one("max_iterations", self.max_iterations)?;
        check::positive("tolerance", self.tolerance)?;
        let limit = self.max_iterations.min(operator.dimension());
        let capped = Self {
            max_iterations: limit,
            ..self.clone()
        };
        memory::check(operator.space(), capped.vectors())?;

        let mut process = self.start(operator)?;
        let (ritz, chosen) = loop {
            process.step(operator)?;
            let m = process.len();
            let last = m >= limit || process.next.is_none();
            // Between looks some iterations: a look is a small eigenproblem.
            if !last && m % 5 != 0 {
                continue;
            }
            let ritz = process.ritz();
            let chosen = self.choose(&ritz);
            let within = self.tolerance * greatest(&ritz.values);
            let all = chosen.len() >= self.wanted();
            if last || all && chosen.iter().all(|&i| ritz.residuals[i] <= within) {
                break (ritz, chosen);
            }
        };
        let iterations = process.len();
        let vectors = self.eigenvectors(operator, &process, &ritz, &chosen)?;

        let within = self.tolerance * greatest(&ritz.values);
        let mut pairs = Vec::with_capacity(vectors.len());
        for vector in vectors {
            let norm = vector.norm()?;
            let vector = vector.scale(1.0 / norm);
            let product = operator.apply(&vector)?;
            let value = vector.dot(&product)?;
            let residual = product.combine(1.0, &vector, -value).norm()?;
            pairs.push(Eigenpair {
                value,
                residual,
                converged: residual <= within,
                vector,
            });
        }
        let wanted = self.wanted().min(operator.dimension());
        let again = match self.reorthogonalization {
            Reorthogonalization::None => iterations,
            _ => 0,
        };
        Ok(Eigenpairs {
            iterations,
            products: iterations + again + pairs.len(),
            converged: pairs.len() >= wanted && pairs.iter().all(|pair| pair.converged),
            pairs,
        })
    }

    fn start(&self, operator: &dyn SymmetricOperator) -> Result<Process, FlatnessError> {
        let start = random_vector(operator.space(), Elements::Normal, self.seed, 0);
        Process::new(start, self.reorthogonalization, self.seed)
    }

    /// The positions of those wanted, without copies; the largest first.
    fn choose(&self, ritz: &Ritz) -> Vec<usize> {
        let mut distinct: Vec<usize> = (0..ritz.values.len()).collect();
        if self.reorthogonalization == Reorthogonalization::None {
            let apart = self.tolerance * greatest(&ritz.values);
            // Of copies, which are neighbours, the one that is known best.
            distinct.dedup_by(|next, last| {
                let is_copy = ritz.values[*next] - ritz.values[*last] <= apart;
                if is_copy && ritz.residuals[*next] < ritz.residuals[*last] {
                    *last = *next;
                }
                is_copy
            });
        }
        let n = distinct.len();
        let chosen = (0..n).filter(|&i| i < self.smallest || i >= n.saturating_sub(self.largest));
        chosen.rev().map(|i| distinct[i]).collect()
    }

    /// The vectors of the chosen eigenvalues. A process that has kept none is gone through once more.
    fn eigenvectors(
        &self,
        operator: &mut dyn SymmetricOperator,
        process: &Process,
        ritz: &Ritz,
        chosen: &[usize],
    ) -> Result<Vec<ParamVector>, FlatnessError> {
        if self.reorthogonalization != Reorthogonalization::None {
            return Ok(chosen.iter().map(|&i| process.vector(ritz, i)).collect());
        }
        let mut vectors = vec![ParamVector::default(); chosen.len()];
        let mut again = self.start(operator)?;
        for j in 0..process.len() {
            let Some(q) = again.next.clone() else {
                break;
            };
            for (vector, &i) in vectors.iter_mut().zip(chosen) {
                let sum = std::mem::take(vector);
                *vector = sum.combine(1.0, &q, ritz.coordinates[i][j]);
            }
            again.step(operator)?;
        }
        Ok(vectors)
    }
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| value.abs().max(most))
}
