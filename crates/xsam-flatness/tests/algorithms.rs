//! What the algorithms find of matrices whose spectrum is known.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::tensor::DType;
use common::{Dense, symmetric, values};
use nalgebra::DMatrix;
use proptest::prelude::*;
use xsam::method::ParamVector;
use xsam_flatness::{
    Eigenpairs, FlatnessError, Lanczos, PowerIteration, Quadrature, Reorthogonalization,
    SymmetricOperator, Wanted, density, exact_moments, hutch_plus_plus, hutchinson,
};

const KINDS: [Reorthogonalization; 3] = [
    Reorthogonalization::Full,
    Reorthogonalization::Selective,
    Reorthogonalization::None,
];

/// Eigenvalues as those of a network: some large ones of both signs, and a bulk near zero.
fn spectrum(n: usize) -> Vec<f64> {
    let bulk = (0..n - 6).map(|i| 0.4 * (i as f64 / n as f64 - 0.3));
    [20.0, 11.0, 7.0, 4.0, -1.5, -3.0]
        .into_iter()
        .chain(bulk)
        .collect()
}

fn found(pairs: &Eigenpairs) -> Vec<f64> {
    pairs.pairs.iter().map(|pair| pair.value).collect()
}

#[track_caller]
fn assert_near(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{actual:?} {expected:?}");
    for (a, e) in actual.iter().zip(expected) {
        assert!((a - e).abs() <= tolerance, "{actual:?} {expected:?}");
    }
}

/// Residuals, lengths and angles of the vectors, computed here.
#[track_caller]
fn assert_eigenvectors(operator: &mut Dense, pairs: &Eigenpairs, tolerance: f64) {
    for (i, pair) in pairs.pairs.iter().enumerate() {
        let product = operator.apply(&pair.vector).unwrap();
        let residual = product
            .combine(1.0, &pair.vector, -pair.value)
            .norm()
            .unwrap();
        assert!(residual <= tolerance, "{i}: {residual}");
        assert!((residual - pair.residual).abs() <= 1e-3 * tolerance + 1e-12);
        for (j, other) in pairs.pairs.iter().enumerate() {
            let dot = pair.vector.dot(&other.vector).unwrap();
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((dot - expected).abs() < 1e-5, "{i} {j}: {dot}");
        }
    }
}

#[test]
fn lanczos_finds_both_ends_however_it_keeps_orthogonality() {
    for kind in KINDS {
        let mut operator = Dense::new(symmetric(&spectrum(60), 1), DType::F64);
        let lanczos = Lanczos {
            wanted: Wanted::Ends {
                largest: 4,
                smallest: 2,
            },
            tolerance: 1e-8,
            reorthogonalization: kind,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut operator).unwrap();
        assert!(pairs.converged, "{kind:?}");
        assert_near(&found(&pairs), &[20.0, 11.0, 7.0, 4.0, -1.5, -3.0], 1e-9);
        assert_eq!(pairs.products, operator.products);
        assert_eigenvectors(&mut operator, &pairs, 2e-7);
    }
}

#[test]
fn lanczos_finds_what_is_largest_in_magnitude() {
    for kind in KINDS {
        let mut operator = Dense::new(symmetric(&[2.0, -9.0, 5.0, 1.0, 0.1, -7.0], 2), DType::F64);
        let lanczos = Lanczos {
            wanted: Wanted::Magnitude(3),
            reorthogonalization: kind,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut operator).unwrap();
        assert_near(&found(&pairs), &[5.0, -7.0, -9.0], 1e-9);
    }
}

#[test]
fn copies_count_once_when_nothing_is_kept() {
    // Far more iterations than it takes the largest ones to converge: each comes up several times.
    let mut operator = Dense::new(symmetric(&spectrum(80), 3), DType::F32);
    let lanczos = Lanczos {
        wanted: Wanted::Ends {
            largest: 4,
            smallest: 2,
        },
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
    assert_near(&found(&pairs), &[20.0, 11.0, 7.0, 4.0, -1.5, -3.0], 1e-3);
    let unreachable = lanczos.run(&mut operator).unwrap();
    assert!(!unreachable.converged);
    assert_eq!(unreachable.iterations, 78);
}

#[test]
fn eigenvalues_that_occur_several_times_are_found_as_often() {
    let all = [3.0, 3.0, 3.0, 1.0, 1.0, -2.0, -2.0];
    let mut operator = Dense::new(symmetric(&all, 4), DType::F64);
    let lanczos = Lanczos {
        wanted: Wanted::Ends {
            largest: 5,
            smallest: 2,
        },
        ..Lanczos::default()
    };
    let pairs = lanczos.run(&mut operator).unwrap();
    assert_near(&found(&pairs), &all, 1e-9);
    assert_eigenvectors(&mut operator, &pairs, 1e-8);
    // And not more of them than there are.
    let greedy = Lanczos {
        wanted: Wanted::Magnitude(20),
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
fn power_iteration_finds_one_after_the_other() {
    let mut operator = Dense::new(symmetric(&[2.0, -9.0, 5.0, 1.0, 0.1, -7.0], 5), DType::F64);
    let power = PowerIteration {
        count: 3,
        max_iterations: 2000,
        tolerance: 1e-7,
        seed: 1,
    };
    let pairs = power.run(&mut operator).unwrap();
    assert!(pairs.converged);
    assert_near(&found(&pairs), &[5.0, -7.0, -9.0], 1e-6);
    assert_eq!(pairs.products, operator.products);
    let few = PowerIteration {
        max_iterations: 2,
        ..power
    };
    assert!(!few.run(&mut operator).unwrap().converged);
}

#[test]
fn traces_and_norms() {
    let eigenvalues = spectrum(90);
    let (trace, square) = (
        eigenvalues.iter().sum::<f64>(),
        eigenvalues.iter().map(|x| x * x).sum::<f64>(),
    );
    let mut operator = Dense::new(symmetric(&eigenvalues, 6), DType::F64);
    let exact = exact_moments(&mut operator).unwrap();
    assert!((exact.trace.value - trace).abs() < 1e-9);
    assert!((exact.square.value - square).abs() < 1e-9);
    assert!((exact.frobenius() - square.sqrt()).abs() < 1e-9);
    assert_eq!(operator.products, 90);

    let moments = hutchinson(&mut operator, 400, 7).unwrap();
    for (estimate, expected) in [(moments.trace, trace), (moments.square, square)] {
        let error = estimate.standard_error.unwrap();
        assert!(
            (estimate.value - expected).abs() < 4.0 * error,
            "{estimate:?}"
        );
        assert_eq!(estimate.probes, 400);
    }
    // The variance that theory gives: twice the squares beside the diagonal.
    let beside: f64 = square - operator.matrix.diagonal().norm_squared();
    let expected = (2.0 * beside / 400.0).sqrt();
    let error = moments.trace.standard_error.unwrap();
    assert!((error / expected - 1.0).abs() < 0.2, "{error} {expected}");

    operator.products = 0;
    let better = hutch_plus_plus(&mut operator, 60, 7).unwrap();
    assert_eq!(operator.products, 60);
    let plain = hutchinson(&mut operator, 60, 7).unwrap().trace;
    let error = better.standard_error.unwrap();
    assert!((better.value - trace).abs() < 4.0 * error, "{better:?}");
    assert!(8.0 * error < plain.standard_error.unwrap(), "{error}");
}

#[test]
fn a_trace_is_exact_where_it_can_be() {
    // A diagonal: signs cancel.
    let mut diagonal = Dense::new(DMatrix::from_diagonal_element(12, 12, 1.5), DType::F64);
    let estimate = hutchinson(&mut diagonal, 3, 0).unwrap().trace;
    assert!((estimate.value - 18.0).abs() < 1e-9 && estimate.standard_error == Some(0.0));
    // Of rank 3: in the directions that Hutch++ finds there is all of it.
    let low = [5.0, -2.0, 1.0]
        .into_iter()
        .chain([0.0; 27])
        .collect::<Vec<_>>();
    let mut low = Dense::new(symmetric(&low, 8), DType::F64);
    let estimate = hutch_plus_plus(&mut low, 12, 0).unwrap();
    assert!((estimate.value - 4.0).abs() < 1e-9, "{estimate:?}");
    // As many directions as there are.
    let mut small = Dense::new(symmetric(&[1.0, 2.0, 4.0], 9), DType::F64);
    let estimate = hutch_plus_plus(&mut small, 30, 0).unwrap();
    assert!((estimate.value - 7.0).abs() < 1e-9 && estimate.standard_error == Some(0.0));
    let single = hutchinson(&mut small, 1, 0).unwrap().trace;
    assert_eq!(single.standard_error, None);
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
            assert!((mass - 1.0).abs() < 1e-9);
            assert!(probe.is_sorted_by(|a, b| a.0 <= b.0));
        }
        let (low, high) = density.range();
        assert!((low + 3.0).abs() < 1e-6 && (high - 20.0).abs() < 1e-6);
        // A sum over a grid that reaches beyond the ends.
        let width = 0.2;
        let grid: Vec<f64> = (0..5000).map(|i| -5.0 + 0.006 * f64::from(i)).collect();
        let area: f64 = density.curve(&grid, width).iter().sum::<f64>() * 0.006;
        assert!((area - 1.0).abs() < 1e-6, "{area}");
        let share = density.mass(1.0, 30.0);
        let expected = 4.0 / 120.0;
        assert!((share.value - expected).abs() < 4.0 * share.standard_error.unwrap());
        let trace = density.moment(1);
        let expected: f64 = eigenvalues.iter().sum();
        assert!((trace.value - expected).abs() < 4.0 * trace.standard_error.unwrap());
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
    let power = PowerIteration::default().run(&mut broken).map(|_| ());
    let trace = hutchinson(&mut broken, 2, 0).map(|_| ());
    let better = hutch_plus_plus(&mut broken, 6, 0).map(|_| ());
    let exact = exact_moments(&mut broken).map(|_| ());
    let density = density(&mut broken, &Quadrature::default()).map(|_| ());
    for result in [lanczos, power, trace, better, exact, density] {
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
    assert!(lanczos(|l| l.wanted = Wanted::Magnitude(0)).starts_with("wanted = 0"));
    let power = PowerIteration {
        count: 0,
        ..PowerIteration::default()
    };
    assert!(power.run(&mut operator).is_err());
    assert!(hutchinson(&mut operator, 0, 0).is_err());
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
            wanted: Wanted::Ends { largest, smallest },
            tolerance: 1e-10,
            seed,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut operator).unwrap();
        assert_near(&found(&pairs), &expected, 1e-7);
        assert_eigenvectors(&mut operator, &pairs, 1e-7);
        let trace = exact_moments(&mut operator).unwrap().trace.value;
        prop_assert!((trace - eigenvalues.iter().sum::<f64>()).abs() < 1e-8);
    }
}
