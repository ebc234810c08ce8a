//! The Lanczos process: a symmetric operator seen in a growing space, where it is tridiagonal.

use nalgebra::{DMatrix, SymmetricEigen};
use xsam::method::ParamVector;

use crate::error::FlatnessError;
use crate::operator::SymmetricOperator;
use crate::random::{Elements, random_vector};

/// How the vectors of the process are kept orthogonal, which rounding destroys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reorthogonalization {
    /// Each new vector against all before it. Keeps all of them.
    #[default]
    Full,
    /// Not at all: three vectors are kept, whatever the number of iterations. Eigenvalues that have converged come up
    /// again; such copies, and true eigenvalues that are closer together than the tolerance, count once.
    None,
}

impl Reorthogonalization {
    /// The most vectors that are kept after so many iterations.
    pub(crate) fn kept(self, iterations: usize) -> usize {
        match self {
            Self::Full => iterations,
            Self::None => 0,
        }
    }
}

/// Breakdown: what is left of a product is rounding if it is below so many roundings of the operator.
pub(crate) const ROUNDINGS: f64 = 32.0;

/// After `m` steps `A Q = Q T + beta q e_m^T`, where the columns of `Q` are orthonormal and `T` is tridiagonal.
pub(crate) struct Process {
    kind: Reorthogonalization,
    seed: u64,
    /// Diagonal of the tridiagonal matrix `T`.
    alphas: Vec<f64>,
    /// Beside the diagonal; the last one is `beta`.
    betas: Vec<f64>,
    /// `Q`, unless nothing is re-orthogonalized.
    basis: Vec<ParamVector>,
    /// The last column of `Q`, if nothing is re-orthogonalized.
    previous: Option<ParamVector>,
    /// The next column of `Q`; none if the space cannot grow: what is known of the operator is exact then but for rounding.
    pub(crate) next: Option<ParamVector>,
}

impl Process {
    pub(crate) fn new(
        start: ParamVector,
        kind: Reorthogonalization,
        seed: u64,
    ) -> Result<Self, FlatnessError> {
        let norm = start.norm()?;
        let next = (norm > 0.0).then(|| start.scale(1.0 / norm));
        Ok(Self {
            kind,
            seed,
            alphas: Vec::new(),
            betas: Vec::new(),
            basis: Vec::new(),
            previous: None,
            next,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.alphas.len()
    }

    /// A product with the operator. Nothing if the space cannot grow.
    pub(crate) fn step(
        &mut self,
        operator: &mut dyn SymmetricOperator,
    ) -> Result<(), FlatnessError> {
        let Some(q) = self.next.take() else {
            return Ok(());
        };
        let mut w = operator.apply(&q)?;
        let alpha = q.dot(&w)?;
        if !alpha.is_finite() {
            return Err(FlatnessError::ProductNotFinite);
        }
        w = w.combine(1.0, &q, -alpha);
        if let (Some(previous), Some(beta)) = (&self.previous, self.betas.last()) {
            w = w.combine(1.0, previous, -beta);
        }
        self.alphas.push(alpha);
        match self.kind {
            Reorthogonalization::None => self.previous = Some(q),
            Reorthogonalization::Full => {
                self.basis.push(q);
                w = orthogonal_to(w, &self.basis)?;
            }
        }
        let beta = w.norm()?;
        if !beta.is_finite() {
            return Err(FlatnessError::ProductNotFinite);
        }
        let full = self.len() >= operator.dimension();
        let negligible = ROUNDINGS * operator.space().epsilon() * self.scale();
        if !full && beta > negligible {
            self.betas.push(beta);
            self.next = Some(w.scale(1.0 / beta));
            return Ok(());
        }
        // The space is invariant. Where its vectors are known the process goes on beside it.
        self.betas.push(0.0);
        if !full && self.kind == Reorthogonalization::Full {
            let index = 1 + self.len() as u64;
            let random = random_vector(operator.space(), Elements::Normal, self.seed, index);
            let beside = orthogonal_to(random, &self.basis)?;
            let norm = beside.norm()?;
            self.next = (norm > 0.0).then(|| beside.scale(1.0 / norm));
        }
        Ok(())
    }

    /// The largest row of `T`: about the norm of the operator.
    fn scale(&self) -> f64 {
        let below = self.betas.iter().chain([&0.0]);
        let above = [&0.0].into_iter().chain(&self.betas);
        self.alphas
            .iter()
            .zip(below.zip(above))
            .map(|(alpha, (below, above))| alpha.abs() + below + above)
            .fold(0.0, f64::max)
    }

    /// The eigenvalues of `T`, ascending.
    pub(crate) fn ritz(&self) -> Ritz {
        let m = self.len();
        let mut matrix = DMatrix::zeros(m, m);
        for i in 0..m {
            matrix[(i, i)] = self.alphas[i];
            if i + 1 < m {
                matrix[(i, i + 1)] = self.betas[i];
                matrix[(i + 1, i)] = self.betas[i];
            }
        }
        let beta = self.betas.last().copied().unwrap_or(0.0);
        let (values, coordinates) = eigenpairs(matrix);
        Ritz {
            values,
            residuals: coordinates
                .iter()
                .map(|s| s.last().map_or(0.0, |last| beta * last.abs()))
                .collect(),
            coordinates,
        }
    }

    /// The vector of an eigenvalue of `T` in the whole space. For a process that keeps its vectors.
    pub(crate) fn vector(&self, ritz: &Ritz, i: usize) -> ParamVector {
        let terms = self.basis.iter().zip(&ritz.coordinates[i]);
        terms.fold(ParamVector::default(), |sum, (q, s)| {
            sum.combine(1.0, q, *s)
        })
    }
}

/// Eigenvalues of `T`, with what the last step says of each.
pub(crate) struct Ritz {
    pub(crate) values: Vec<f64>,
    /// `|A y - theta y|`, as it follows from the process.
    pub(crate) residuals: Vec<f64>,
    /// Of each, its eigenvector of `T`.
    pub(crate) coordinates: Vec<Vec<f64>>,
}

/// The eigenvalues of a symmetric matrix, ascending, and their vectors.
pub(crate) fn eigenpairs(matrix: DMatrix<f64>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let eigen = SymmetricEigen::new(matrix);
    let vectors = eigen.eigenvectors.column_iter();
    let vectors = vectors.map(|vector| vector.iter().copied().collect());
    let mut pairs: Vec<(f64, Vec<f64>)> = eigen.eigenvalues.iter().copied().zip(vectors).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.into_iter().unzip()
}

/// What is left of `w` beside the orthonormal `basis`. Twice, since the first time leaves the roundings of what it
/// takes away ("twice is enough": Parlett, "The Symmetric Eigenvalue Problem", section 6.9).
pub(crate) fn orthogonal_to(
    mut w: ParamVector,
    basis: &[ParamVector],
) -> Result<ParamVector, FlatnessError> {
    for _ in 0..2 {
        let shares = w.dots(basis)?;
        for (q, share) in basis.iter().zip(shares) {
            w = w.combine(1.0, q, -share);
        }
    }
    Ok(w)
}
