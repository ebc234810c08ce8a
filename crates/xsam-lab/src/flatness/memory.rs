//! The memory that eigenvalues take, said before it is taken.

use serde::Serialize;
use xsam_flatness::{Elements, Hessian, Lanczos, SymmetricOperator, random_vector};

use crate::error::Error;
use crate::memory::peak_mb;

/// Iterations of the Lanczos algorithm for each eigenvalue that is wanted, where nothing is known yet: what it took for
/// networks of a few layers and of many.
pub(super) const ITERATIONS_EACH: usize = 6;

/// Memory of the process while eigenvalues are computed, in megabytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MemoryUse {
    /// What it was expected to have at the peak, said before the first product.
    pub expected_mb: f64,
    /// What it could have at most.
    pub most_mb: f64,
    /// What it had at the peak.
    pub peak_mb: f64,
}

impl MemoryUse {
    /// What is expected after a first product: passes have taken by then what they take, and what is noted of the batches
    /// is there. What comes on top are the algorithm's vectors. The peak is that of before.
    pub(super) fn expected(
        lanczos: &Lanczos,
        hessian: &mut Hessian<'_>,
    ) -> Result<Option<Self>, Error> {
        let first = random_vector(hessian.space(), Elements::Normal, lanczos.seed, 0);
        hessian.apply(&first)?;
        let Some(peak_mb) = peak_mb() else {
            return Ok(None);
        };
        let megabytes = |iterations: usize| {
            let capped = Lanczos {
                max_iterations: iterations.min(lanczos.max_iterations),
                ..lanczos.clone()
            };
            peak_mb + capped.bytes(hessian) as f64 / 1e6
        };
        Ok(Some(Self {
            expected_mb: megabytes(ITERATIONS_EACH * lanczos.wanted()),
            most_mb: megabytes(lanczos.max_iterations),
            peak_mb,
        }))
    }

    /// The same with the peak that there was by now.
    pub(super) fn observed(self) -> Option<Self> {
        let peak_mb = peak_mb()?;
        Some(Self { peak_mb, ..self })
    }
}
