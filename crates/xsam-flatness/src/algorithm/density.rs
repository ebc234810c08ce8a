//! The density of the spectrum, by stochastic Lanczos quadrature.

use crate::check;
use std::f64::consts::TAU;

use serde::Serialize;

use super::memory;
use super::process::{Process, Reorthogonalization};
use super::trace::SampleMean;
use crate::error::FlatnessError;
use crate::operator::SymmetricOperator;
use crate::random::{Elements, random_vector};

/// How the density is sampled.
#[derive(Clone, Debug)]
pub struct Quadrature {
    /// Number of random vectors, each a Lanczos process of its own.
    pub probes: usize,
    /// Lanczos iterations for each: the nodes of its quadrature.
    pub nodes: usize,
    /// How orthogonality is kept. Without it copies of eigenvalues share the weight of one, and the density is the
    /// same.
    pub reorthogonalization: Reorthogonalization,
    /// Decides the random vectors.
    pub seed: u64,
}

impl Default for Quadrature {
    /// 8 probes of 64 nodes.
    fn default() -> Self {
        Self {
            probes: 8,
            nodes: 64,
            reorthogonalization: Reorthogonalization::Full,
            seed: 0,
        }
    }
}

/// The distribution of the eigenvalues: a measure of mass 1.
#[derive(Clone, Debug, Serialize)]
pub struct Density {
    /// Of each probe its nodes, ascending, and their weights, which add up to 1.
    pub probes: Vec<Vec<(f64, f64)>>,
    /// Rows of the operator.
    pub dimension: usize,
}

/// The spectral density of `operator`: of each random vector the eigenvalues of its tridiagonal matrix, weighted by the
/// squares of their vectors' first elements (Golub and Welsch 1969; Ubaru, Chen and Saad 2017; Ghorbani, Krishnan and
/// Xiao 2019, arXiv 1901.10159).
///
/// Cost: `probes * nodes` products. Memory: a vector a node, with re-orthogonalization.
///
/// # Errors
/// If a setting is 0, vectors would not fit into memory, or a product cannot be computed.
pub fn density(
    operator: &mut dyn SymmetricOperator,
    quadrature: &Quadrature,
) -> Result<Density, FlatnessError> {
    check::at_least_one("probes", quadrature.probes)?;
    check::at_least_one("nodes", quadrature.nodes)?;
    let nodes = quadrature.nodes.min(operator.dimension());
    let kept = quadrature.reorthogonalization.kept(nodes);
    memory::check(operator.space(), kept + 4)?;
    let mut probes = Vec::with_capacity(quadrature.probes);
    for index in 0..quadrature.probes {
        // Far from the streams of the vectors with which a process goes on beside an invariant space.
        let stream = (index as u64 + 1) << 32;
        let seed = quadrature.seed;
        let start = random_vector(operator.space(), Elements::Normal, seed, stream);
        let mut process = Process::new(start, quadrature.reorthogonalization, seed)?;
        while process.len() < nodes && process.next.is_some() {
            process.step(operator)?;
        }
        let ritz = process.ritz();
        let weights = ritz.coordinates.iter().map(|s| s[0] * s[0]);
        probes.push(ritz.values.iter().copied().zip(weights).collect());
    }
    Ok(Density {
        probes,
        dimension: operator.dimension(),
    })
}

impl Density {
    /// The smallest and the largest node.
    pub fn range(&self) -> (f64, f64) {
        let nodes = || self.probes.iter().flatten().map(|(node, _)| *node);
        (
            nodes().fold(f64::INFINITY, f64::min),
            nodes().fold(f64::NEG_INFINITY, f64::max),
        )
    }

    /// The share of the eigenvalues between two values, both included.
    pub fn mass(&self, from: f64, to: f64) -> SampleMean {
        let inside = |(node, _): &&(f64, f64)| (from..=to).contains(node);
        let masses = self
            .probes
            .iter()
            .map(|probe| probe.iter().filter(inside).map(|(_, weight)| weight).sum());
        SampleMean::of(&masses.collect::<Vec<f64>>())
    }

    /// The density at each of `values`: every node a normal distribution of deviation `width`.
    pub fn curve(&self, values: &[f64], width: f64) -> Vec<f64> {
        let normal = |x: f64| (-0.5 * (x / width).powi(2)).exp() / (width * TAU.sqrt());
        let count = self.probes.len().max(1) as f64;
        values
            .iter()
            .map(|value| {
                let nodes = self.probes.iter().flatten();
                let terms = nodes.map(|(node, weight)| weight * normal(value - node));
                terms.sum::<f64>() / count
            })
            .collect()
    }
}
