//! What the algorithms find of matrices whose spectrum is known.

use crate::common::{Dense, assert_close, symmetric, values};
use burn::tensor::DType;
use nalgebra::DMatrix;
use proptest::prelude::*;
use xsam::method::ParamVector;
use xsam_flatness::{
    Eigenpairs, FlatnessError, Lanczos, Quadrature, Reorthogonalization, SymmetricOperator,
    density, exact_moments, hutch_plus_plus,
};

const KINDS: [Reorthogonalization; 2] = [Reorthogonalization::Full, Reorthogonalization::None];

/// The ends of [`spectrum`].
const ENDS: [f64; 6] = [20.0, 11.0, 7.0, 4.0, -1.5, -3.0];

/// Eigenvalues as those of a network: some large ones of both signs, and a bulk near zero.
fn spectrum(n: usize) -> Vec<f64> {
    let bulk = (0..n - 6).map(|i| 0.4 * (i as f64 / n as f64 - 0.3));
    ENDS.into_iter().chain(bulk).collect()
}

fn found(pairs: &Eigenpairs) -> Vec<f64> {
    pairs.pairs.iter().map(|pair| pair.value).collect()
}

#[track_caller]
fn assert_near(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{actual:?} {expected:?}");
    for (a, e) in actual.iter().zip(expected) {
        assert_close(*a, *e, tolerance);
    }
}

/// Residuals, lengths and angles of the vectors, computed here.
#[track_caller]
fn assert_eigenvectors(operator: &mut Dense, pairs: &Eigenpairs, tolerance: f64) {
    for (i, pair) in pairs.pairs.iter().enumerate() {
        let product = operator.apply(&pair.vector).unwrap();
        let residual = product.combine(1.0, &pair.vector, -pair.value).norm();
        let residual = residual.unwrap();
        assert!(residual <= tolerance, "{i}: {residual}");
        assert_close(residual, pair.residual, 1e-3 * tolerance + 1e-12);
        for (j, other) in pairs.pairs.iter().enumerate() {
            let dot = pair.vector.dot(&other.vector).unwrap();
            let expected = if i == j { 1.0 } else { 0.0 };
            assert_close(dot, expected, 1e-5);
        }
    }
}

#[test]
fn lanczos_finds_both_ends_however_it_keeps_orthogonality() {
    for kind in KINDS {
        let mut operator = Dense::new(symmetric(&spectrum(60), 1), DType::F64);
        let lanczos = Lanczos {
            largest: 4,
            smallest: 2,
            tolerance: 1e-8,
            reorthogonalization: kind,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut operator).unwrap();
        assert!(pairs.converged, "{kind:?}");
        assert_near(&found(&pairs), &ENDS, 1e-9);
        assert_eq!(pairs.products, operator.products);
        assert_eigenvectors(&mut operator, &pairs, 2e-7);
    }
}

#[test]
fn copies_count_once_when_nothing_is_kept() {
    // Far more iterations than it takes the largest ones to converge: each comes up several times.
    let mut operator = Dense::new(symmetric(&spectrum(80), 3), DType::F32);
    let lanczos = Lanczos {
        largest: 4,
        smallest: 2,
        max_iterations: 78,
        tolerance: 1e-12,
        reorthogonalization: Reorthogonalization::None,
        ..Lanczos::default()
    };
    let long = Lanczos {
        tolerance: 1e-4,
        ..lanczos.clone()
    };
    let pairs = long.run(&mut operator).unwrap();
    assert_near(&found(&pairs), &ENDS, 1e-3);
    let unreachable = lanczos.run(&mut operator).unwrap();
    assert!(!unreachable.converged);
    assert_eq!(unreachable.iterations, 78);
}

#[test]
fn eigenvalues_that_occur_several_times_are_found_as_often() {
    let all = [3.0, 3.0, 3.0, 1.0, 1.0, -2.0, -2.0];
    let mut operator = Dense::new(symmetric(&all, 4), DType::F64);
    let lanczos = Lanczos {
        largest: 5,
        smallest: 2,
        ..Lanczos::default()
    };
    let pairs = lanczos.run(&mut operator).unwrap();
    assert_near(&found(&pairs), &all, 1e-9);
    assert_eigenvectors(&mut operator, &pairs, 1e-8);
    // And not more of them than there are.
    let greedy = Lanczos {
        largest: 20,
        ..lanczos
    };
    let pairs = greedy.run(&mut operator).unwrap();
    assert_near(&found(&pairs), &all, 1e-9);
    assert!(pairs.converged);
}

#[test]
fn the_simplest_matrices() {
    for kind in KINDS {
        let lanczos = Lanczos {
            reorthogonalization: kind,
            ..Lanczos::default()
        };
        let mut zero = Dense::new(DMatrix::zeros(5, 5), DType::F32);
        let pairs = lanczos.run(&mut zero).unwrap();
        assert!(found(&pairs).iter().all(|value| *value == 0.0));
        let mut one = Dense::new(DMatrix::from_element(1, 1, -4.0), DType::F32);
        assert_near(&found(&lanczos.run(&mut one).unwrap()), &[-4.0], 1e-6);
        let mut unit = Dense::new(DMatrix::identity(6, 6) * 2.0, DType::F32);
        let pairs = lanczos.run(&mut unit).unwrap();
        assert!(found(&pairs).iter().all(|value| (value - 2.0).abs() < 1e-5));
    }
}

#[test]
fn traces_and_norms() {
    let eigenvalues = spectrum(90);
    let trace = eigenvalues.iter().sum::<f64>();
    let square = eigenvalues.iter().map(|x| x * x).sum::<f64>();
    let mut operator = Dense::new(symmetric(&eigenvalues, 6), DType::F64);
    let exact = exact_moments(&mut operator).unwrap();
    assert_close(exact.trace, trace, 1e-9);
    assert_close(exact.square, square, 1e-9);
    assert_eq!(operator.products, 90);

    operator.products = 0;
    let estimate = hutch_plus_plus(&mut operator, 60, 7).unwrap();
    assert_eq!((operator.products, estimate.probes), (60, 20));
    let error = estimate.standard_error.unwrap();
    assert_close(estimate.value, trace, 4.0 * error);
    // The variance of as many random vectors alone: twice the squares beside the diagonal.
    let beside: f64 = square - operator.matrix.diagonal().norm_squared();
    assert!(8.0 * error < (2.0 * beside / 60.0).sqrt(), "{error}");
}

#[test]
fn a_trace_is_exact_where_it_can_be() {
    // Of rank 3: in the directions that Hutch++ finds there is all of it.
    let mut low = vec![0.0; 30];
    low[..3].copy_from_slice(&[5.0, -2.0, 1.0]);
    let mut low = Dense::new(symmetric(&low, 8), DType::F64);
    let estimate = hutch_plus_plus(&mut low, 12, 0).unwrap();
    assert_close(estimate.value, 4.0, 1e-9);
    // As many directions as there are.
    let mut small = Dense::new(symmetric(&[1.0, 2.0, 4.0], 9), DType::F64);
    let estimate = hutch_plus_plus(&mut small, 30, 0).unwrap();
    assert_close(estimate.value, 7.0, 1e-9);
    assert_eq!((estimate.standard_error, estimate.probes), (Some(0.0), 0));
    // A single random vector tells nothing of its error.
    let mut diagonal = Dense::new(DMatrix::from_diagonal_element(12, 12, 1.5), DType::F64);
    let estimate = hutch_plus_plus(&mut diagonal, 3, 0).unwrap();
    assert_eq!((estimate.standard_error, estimate.probes), (None, 1));
}

#[test]
fn a_density_is_a_distribution() {
    let eigenvalues = spectrum(120);
    for kind in KINDS {
        let mut operator = Dense::new(symmetric(&eigenvalues, 10), DType::F64);
        let quadrature = Quadrature {
            probes: 40,
            nodes: 30,
            reorthogonalization: kind,
            seed: 3,
        };
        let density = density(&mut operator, &quadrature).unwrap();
        for probe in &density.probes {
            let mass: f64 = probe.iter().map(|(_, weight)| weight).sum();
            assert_close(mass, 1.0, 1e-9);
            assert!(probe.is_sorted_by(|a, b| a.0 <= b.0));
        }
        let (low, high) = density.range();
        assert_near(&[low, high], &[-3.0, 20.0], 1e-6);
        // A sum over a grid that reaches beyond the ends.
        let width = 0.2;
        let grid: Vec<f64> = (0..5000).map(|i| -5.0 + 0.006 * f64::from(i)).collect();
        let area: f64 = density.curve(&grid, width).iter().sum::<f64>() * 0.006;
        assert_close(area, 1.0, 1e-6);
        let share = density.mass(1.0, 30.0);
        assert_close(
            share.value,
            4.0 / 120.0,
            4.0 * share.standard_error.unwrap(),
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_one_another_start() {
    let run = |seed| {
        let mut operator = Dense::new(symmetric(&spectrum(40), 11), DType::F32);
        let lanczos = Lanczos {
            seed,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut operator).unwrap();
        let vectors: Vec<Vec<f64>> = pairs.pairs.iter().map(|p| values(&p.vector)).collect();
        (found(&pairs), vectors)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).1, run(2).1);
}

/// Gives products that are not finite.
struct Broken(Dense);

impl SymmetricOperator for Broken {
    fn space(&self) -> &ParamVector {
        self.0.space()
    }

    fn apply(&mut self, x: &ParamVector) -> Result<ParamVector, FlatnessError> {
        Ok(x.clone().scale(f64::NAN))
    }
}

#[test]
fn what_is_not_finite_is_an_error() {
    let mut broken = Broken(Dense::new(DMatrix::identity(9, 9), DType::F32));
    let lanczos = Lanczos::default().run(&mut broken).map(|_| ());
    let trace = hutch_plus_plus(&mut broken, 6, 0).map(|_| ());
    let exact = exact_moments(&mut broken).map(|_| ());
    let density = density(&mut broken, &Quadrature::default()).map(|_| ());
    for result in [lanczos, trace, exact, density] {
        assert_eq!(result, Err(FlatnessError::ProductNotFinite));
    }
}

#[test]
fn settings_that_cannot_be_are_named() {
    let mut operator = Dense::new(DMatrix::identity(9, 9), DType::F32);
    let mut lanczos = |change: fn(&mut Lanczos)| {
        let mut lanczos = Lanczos::default();
        change(&mut lanczos);
        lanczos.run(&mut operator).unwrap_err().to_string()
    };
    assert!(lanczos(|l| l.max_iterations = 0).starts_with("max_iterations = 0"));
    assert!(lanczos(|l| l.tolerance = f64::NAN).starts_with("tolerance = NaN"));
    let none = lanczos(|l| (l.largest, l.smallest) = (0, 0));
    assert!(none.starts_with("largest + smallest = 0"), "{none}");
    assert!(hutch_plus_plus(&mut operator, 2, 0).is_err());
    let none = Quadrature {
        nodes: 0,
        ..Quadrature::default()
    };
    assert!(density(&mut operator, &none).is_err());
}

#[test]
fn what_would_not_fit_is_known_beforehand() {
    let operator = Dense::new(DMatrix::identity(100, 100), DType::F64);
    let full = Lanczos {
        max_iterations: 50,
        ..Lanczos::default()
    };
    assert_eq!(full.bytes(&operator), (50 + 6 + 4) * 100 * 8);
    let streaming = Lanczos {
        reorthogonalization: Reorthogonalization::None,
        ..full
    };
    assert_eq!(streaming.bytes(&operator), (6 + 4) * 100 * 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_spectrum(
        eigenvalues in prop::collection::vec(-10.0..10.0f64, 1..25),
        largest in 0usize..4,
        smallest in 1usize..4,
        seed: u64,
    ) {
        let mut sorted = eigenvalues.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let n = sorted.len();
        let expected: Vec<f64> = (0..n)
            .filter(|&i| i < largest || i >= n.saturating_sub(smallest))
            .map(|i| sorted[i])
            .collect();
        // Another seed than that of the start, which would else be an eigenvector.
        let mut operator = Dense::new(symmetric(&eigenvalues, !seed), DType::F64);
        let lanczos = Lanczos {
            largest,
            smallest,
            tolerance: 1e-10,
            seed,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut operator).unwrap();
        assert_near(&found(&pairs), &expected, 1e-7);
        assert_eigenvectors(&mut operator, &pairs, 1e-7);
        let trace = exact_moments(&mut operator).unwrap().trace;
        assert_close(trace, eigenvalues.iter().sum(), 1e-8);
    }
}
