//! Sharpness of losses for which it is known.

use crate::common::{self, Point, START, assert_close, surface, symmetric};
use burn::tensor::{DType, Tensor};
use nalgebra::DMatrix;
use xsam::method::Objective;
use xsam_flatness::{
    FlatnessError, LossSurface, Mode, Sharpness, faithfulness, highest, m_sharpness,
    random_directions,
};

const EIGENVALUES: [f64; 6] = [8.0, 3.0, 1.0, 0.5, 0.2, 0.1];

/// A little beside the minimum of a quadratic.
fn bowl() -> (DMatrix<f64>, Point) {
    let matrix = symmetric(&EIGENVALUES, 1);
    let near = [0.003, -0.002, 0.001, 0.002, -0.001, 0.003];
    (matrix, Point::new(&near, DType::F64))
}

#[test]
fn the_worst_case_of_a_quadratic_is_its_largest_eigenvalue() {
    let (matrix, point) = bowl();
    let mut surface = surface(&point, |p: &Point, _| p.quadratic(&matrix));
    let measured = Sharpness {
        rho: 0.5,
        strong_steps: 200,
        directions: 400,
        ..Sharpness::default()
    };
    let report = measured.measure(&mut surface).unwrap();
    // The gradient at the weights weighs little at this distance.
    let worst = 0.5 * EIGENVALUES[0] * 0.25;
    assert!((report.worst / worst - 1.0).abs() < 0.05, "{report:?}");
    assert!(report.worst >= report.searched && report.searched >= report.ascent);
    assert!(report.worst >= report.ascent_steps);
    let mean = 0.5 * EIGENVALUES.iter().sum::<f64>() / 6.0 * 0.25;
    let error = report.average.standard_error.unwrap();
    assert_close(report.average.value, mean, 4.0 * error);
    let start = surface.evaluate().unwrap();
    assert_eq!(
        (report.loss, report.grad_norm),
        (start.loss.value().unwrap(), start.norm.value().unwrap(),)
    );
}

#[test]
fn the_highest_point_is_where_it_is_said_to_be() {
    let (matrix, point) = bowl();
    let mut surface = surface(&point, |p: &Point, _| p.quadratic(&matrix));
    let start = surface.evaluate().unwrap();
    let from = start.gradient.clone().scale(0.1 / start.norm);
    let (loss, place) = highest(&mut surface, from, 0.5, 60).unwrap();
    assert!(place.norm().unwrap() <= 0.5 * (1.0 + 1e-12));
    let there = surface.losses(&[vec![(1.0.into(), &place)]]).unwrap()[0];
    assert_close(loss, there, 1e-12);
}

#[test]
fn where_the_loss_is_linear_all_directions_are_the_same() {
    let point = Point::new(&START, DType::F64);
    let gradient = [1.0, 2.0, -1.0, 0.5, 0.0, 3.0];
    let size = gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
    let loss = |p: &Point, _| {
        let w = p.joined();
        (w.clone() * Tensor::from_data(gradient, (&w.device(), DType::F64))).sum()
    };
    let mut surface = surface(&point, loss);
    let found = faithfulness(&mut surface, &[0.1, 0.7], 0.2, 3, 5).unwrap();
    assert!(found.psi < 1e-6);
    for row in &found.distances {
        let expected = found.loss + size * row.distance;
        for loss in [
            row.gradient,
            row.ascent_gradient,
            row.several_steps,
            row.searched,
            row.highest,
        ] {
            assert_close(loss, expected, 1e-9);
        }
    }
    let average = random_directions(&mut surface, 0.5, 200, 3).unwrap();
    assert!(average.value.abs() < 4.0 * average.standard_error.unwrap());
    // Scaled: along |w|^2 g, as far as |w g| says.
    let report = Sharpness::default().measure(&mut surface).unwrap();
    let scaled = |power: i32| {
        let terms = START.iter().zip(gradient);
        let terms = terms.map(|(w, g)| w.abs().powi(power) * g * g);
        terms.sum::<f64>()
    };
    assert_close(report.adaptive, scaled(2).sqrt(), 1e-9);
}

#[test]
fn xsam_sees_more_of_a_curved_loss_than_sgd_and_sam() {
    let (matrix, point) = bowl();
    let mut surface = surface(&point, |p: &Point, _| p.quadratic(&matrix));
    let found = faithfulness(&mut surface, &[0.05, 0.3], 0.01, 3, 40).unwrap();
    for row in &found.distances {
        assert!(row.gradient < row.ascent_gradient, "{row:?}");
        assert!(row.ascent_gradient <= row.searched + 1e-12, "{row:?}");
        assert!(row.searched <= row.highest, "{row:?}");
    }
    assert!(found.psi > 0.0);
}

#[test]
fn where_there_is_no_gradient_all_is_flat() {
    let matrix = symmetric(&EIGENVALUES, 1);
    let point = Point::new(&[0.0; 6], DType::F32);
    let mut surface = surface(&point, |p: &Point, _| p.quadratic(&matrix));
    let report = Sharpness::default().measure(&mut surface).unwrap();
    let flat = [
        report.ascent,
        report.searched,
        report.adaptive,
        report.grad_norm,
    ];
    assert_eq!(flat, [0.0; 4]);
    assert!(report.average.value > 0.0);
}

#[test]
fn m_sharpness_is_that_of_the_batches() {
    let gradients = [3.0, 4.0, 12.0];
    let point = Point::new(&[0.1; 6], DType::F64);
    // Each batch has a gradient along another axis.
    let loss = |p: &Point, i: usize| p.joined().narrow(0, i, 1).sum() * gradients[i];
    let mut surface = LossSurface::new(&point, Mode::Evaluation, &[4, 4, 4], loss).unwrap();
    let found = m_sharpness(&mut surface, 0.1, 2).unwrap();
    let expected = 0.1 * gradients.iter().sum::<f64>() / 3.0;
    assert_close(found.value, expected, 1e-9);
    assert_eq!(found.probes, 3);
    // The mean of the batches has the length of their mean gradient.
    let whole = surface.evaluate().unwrap();
    assert_close(whole.norm.value().unwrap(), 13.0 / 3.0, 1e-6);
    surface.select(Some(2));
    assert_close(
        surface.evaluate().unwrap().norm.value().unwrap(),
        12.0,
        1e-6,
    );
}

#[test]
fn what_cannot_be_is_named() {
    let (matrix, point) = bowl();
    let mut surface = surface(&point, |p: &Point, _| p.quadratic(&matrix));
    let mut error = |change: fn(&mut Sharpness)| {
        let mut sharpness = Sharpness::default();
        change(&mut sharpness);
        sharpness.measure(&mut surface).unwrap_err().to_string()
    };
    assert!(error(|s| s.rho = 0.0).starts_with("rho = 0"));
    assert!(error(|s| s.adaptive_rho = f64::INFINITY).starts_with("adaptive_rho = inf"));
    assert!(error(|s| s.directions = 0).starts_with("directions = 0"));
    assert!(m_sharpness(&mut surface, -1.0, 1).is_err());
    assert!(faithfulness(&mut surface, &[0.0], 0.1, 1, 1).is_err());

    // Finite at the weights, and not at a distance.
    let point = Point::new(&[0.1; 6], DType::F64);
    let cliff = |p: &Point, _: usize| {
        let w = p.joined();
        (w.clone().sum() * 0.0).exp() * w.log().sum()
    };
    let mut surface = common::surface(&point, cliff);
    let far = random_directions(&mut surface, 10.0, 5, 0);
    assert!(matches!(far, Err(FlatnessError::NotFinite { .. })));
}
