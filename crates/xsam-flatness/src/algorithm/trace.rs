//! Trace and Frobenius norm.

use serde::Serialize;
use xsam::ConfigError;
use xsam::method::ParamVector;

use super::memory;
use super::process::{ROUNDINGS, orthogonal_to};
use crate::error::FlatnessError;
use crate::operator::SymmetricOperator;
use crate::random::{Elements, filled, random_vector};

/// A mean over random vectors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SampleMean {
    /// Mean of the probes: the estimate.
    pub value: f64,
    /// Its standard error: the deviation over the random vectors by the square root of their number. None for a single
    /// one, and 0 where nothing is random.
    pub standard_error: Option<f64>,
    /// Number of random vectors the mean is over.
    pub probes: usize,
}

impl SampleMean {
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        let square = |x: &f64| (x - mean).powi(2);
        let variance = values.iter().map(square).sum::<f64>() / (n - 1.0);
        Self {
            value: mean,
            standard_error: (values.len() > 1).then(|| (variance / n).sqrt()),
            probes: values.len(),
        }
    }
}

/// The trace in `products` products: a third of them finds directions in which the operator is large, where the trace
/// is exact, a third is for that, and a third is random in what is left (Hutch++: Meyer, Musco, Musco and Woodruff,
/// 2021, arXiv 2010.09649).
///
/// Much better than random vectors alone where few eigenvalues make up most of the spectrum, as they do for a network.
/// The standard error is that of the last third. Memory: a third of `products` vectors.
///
/// # Errors
/// If there are fewer than 3 products, vectors would not fit into memory, or a product cannot be computed.
pub fn hutch_plus_plus(
    operator: &mut dyn SymmetricOperator,
    products: usize,
    seed: u64,
) -> Result<SampleMean, FlatnessError> {
    ConfigError::unless(products >= 3, "products", products, "at least 3")?;
    let directions = (products / 3).min(operator.dimension());
    memory::check(operator.space(), directions + 4)?;
    let mut basis: Vec<ParamVector> = Vec::with_capacity(directions);
    for index in 0..directions {
        // Not of signs: in a small space too many of those are alike.
        let sketch = random_vector(operator.space(), Elements::Normal, seed, index as u64);
        let product = operator.apply(&sketch)?;
        let size = finite(product.norm()?)?;
        let beside = orthogonal_to(product, &basis)?;
        let norm = beside.norm()?;
        // What is left of a product that lies among the directions so far is rounding.
        if norm > ROUNDINGS * operator.space().epsilon() * size {
            basis.push(beside.scale(1.0 / norm));
        }
    }
    let mut inside = 0.0;
    for q in &basis {
        let product = operator.apply(q)?;
        inside += finite(q.dot(&product)?)?;
    }
    if basis.len() >= operator.dimension() {
        return Ok(SampleMean {
            value: inside,
            standard_error: Some(0.0),
            probes: 0,
        });
    }
    let mut outside = Vec::new();
    let probes = products - 2 * directions;
    for index in directions..directions + probes {
        let probe = random_vector(operator.space(), Elements::Signs, seed, index as u64);
        let probe = orthogonal_to(probe, &basis)?;
        let product = operator.apply(&probe)?;
        outside.push(finite(probe.dot(&product)?)?);
    }
    let rest = SampleMean::of(&outside);
    Ok(SampleMean {
        value: inside + rest.value,
        ..rest
    })
}

/// Sums over the eigenvalues of a symmetric matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// The trace: the sum of the eigenvalues.
    pub trace: f64,
    /// The trace of the square: the sum of the squared eigenvalues, which is the squared Frobenius norm.
    pub square: f64,
}

/// Trace and Frobenius norm, row by row: a product for each, and nothing random.
///
/// # Errors
/// If a product cannot be computed.
pub fn exact_moments(operator: &mut dyn SymmetricOperator) -> Result<Moments, FlatnessError> {
    let (mut trace, mut square) = (0.0, 0.0);
    for row in 0..operator.dimension() {
        let mut first = 0;
        let unit = filled(operator.space(), |count| {
            let mut values = vec![0.0; count];
            if let Some(value) = row.checked_sub(first).and_then(|i| values.get_mut(i)) {
                *value = 1.0;
            }
            first += count;
            values
        });
        let product = operator.apply(&unit)?;
        trace += finite(unit.dot(&product)?)?;
        square += finite(product.dot(&product)?)?;
    }
    Ok(Moments { trace, square })
}

fn finite(value: f64) -> Result<f64, FlatnessError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(FlatnessError::ProductNotFinite)
    }
}
