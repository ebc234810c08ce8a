//! Landscapes whose values, directions and planes are known.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Distribution, FloatDType, Tensor};
use common::{Point, START, assert_close, surface, symmetric, values, vector};
use nalgebra::DVector;
use xsam::PassPoint;
use xsam::method::{Evaluation, Objective, ParamVector, Plane, Readings, parameters};
use xsam_flatness::{
    FlatnessError, LossSurface, Mode, XsamPlane, between, evenly, filter_normalized,
    principal_directions, scan,
};
use xsam_models::{cast, reference::fill, state};

#[derive(Module, Debug)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm,
    fc: Linear,
}

impl Net {
    fn new(seed: u64, classes: usize) -> Self {
        let device = Device::flex().autodiff();
        let net = Self {
            conv: Conv2dConfig::new([2, 3], [2, 2]).init(&device),
            norm: BatchNormConfig::new(3).init(&device),
            fc: LinearConfig::new(3, classes).init(&device),
        };
        fill(cast(net, FloatDType::F64), seed).unwrap()
    }

    fn loss(&self, x: Tensor<4>) -> Tensor<1> {
        let h = self.norm.forward(self.conv.forward(x)).tanh();
        let h = h.mean_dim(2).mean_dim(3).reshape([-1, 3]);
        self.fc.forward(h).powi_scalar(2).mean()
    }
}

fn images() -> Tensor<4> {
    let device = Device::flex().autodiff();
    device.seed(5);
    Tensor::random(
        [6, 2, 4, 4],
        Distribution::Normal(0.0, 1.0),
        (&device, DType::F64),
    )
}

fn gradient<M: Module>(model: &M, loss: Tensor<1>) -> ParamVector {
    let evaluation = Evaluation::of(model, loss, PassPoint::Weights);
    evaluation.unwrap().gradient
}

#[track_caller]
fn assert_orthonormal(a: &ParamVector, b: &ParamVector) {
    assert_close(a.norm().unwrap(), 1.0, 1e-12);
    assert_close(b.norm().unwrap(), 1.0, 1e-12);
    assert_close(a.dot(b).unwrap(), 0.0, 1e-12);
}

#[test]
fn a_quadratic_is_met_by_any_number_of_workers() {
    let matrix = symmetric(&[4.0, 2.0, 1.0, 0.5, -0.3, -1.0], 3);
    let point = Point::new(&START, DType::F64);
    let loss = |p: &Point, _| p.quadratic(&matrix);
    let surface = || surface(&point, loss);
    let like = surface().evaluate().unwrap().gradient;
    let layout = [(like.entries()[0].0, 2), (like.entries()[1].0, 4)];
    let ways = [
        [1.0, 0.5, -1.0, 0.0, 2.0, 0.1],
        [0.0, 1.0, 0.0, -3.0, 1.0, 0.7],
    ];
    let directions = ways.map(|way| vector(&way, &layout, DType::F64));
    let points: Vec<Vec<f64>> = (0..30)
        .map(|i| vec![0.1 * f64::from(i), 1.0 - 0.2 * f64::from(i)])
        .collect();
    let taken = |workers: usize| {
        let mut workers: Vec<_> = (0..workers).map(|_| surface()).collect();
        let mut losses = vec![f64::NAN; points.len()];
        let all = scan(&mut workers, &directions, &points, |i, loss| {
            losses[i] = loss;
            ControlFlow::Continue(())
        });
        assert!(all.unwrap());
        losses
    };
    let losses = taken(1);
    for (point, loss) in points.iter().zip(&losses) {
        let [a, b] = ways.map(|way| DVector::from_row_slice(&way));
        let w = DVector::from_row_slice(&START) + a * point[0] + b * point[1];
        let expected = 0.5 * w.dot(&(&matrix * &w));
        assert_close(*loss, expected, 1e-12);
    }
    assert_eq!(losses, taken(2));
    assert_eq!(losses, taken(3));
}

#[test]
fn a_scan_ends_when_it_is_asked_to_and_at_an_error() {
    let point = Point::new(&[1.0, 2.0, 3.0], DType::F64);
    let loss = |p: &Point, _| p.joined().powi_scalar(2).sum();
    let surface = || surface(&point, loss);
    let direction = surface().evaluate().unwrap().gradient;
    let directions = [direction];
    let points: Vec<Vec<f64>> = evenly(0.0, 1.0, 100).into_iter().map(|x| vec![x]).collect();
    for count in [1, 2] {
        let mut workers: Vec<_> = (0..count).map(|_| surface()).collect();
        let mut told = 0;
        let all = scan(&mut workers, &directions, &points, |_, _| {
            told += 1;
            match told {
                7 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert!(!all.unwrap());
        assert_eq!(told, 7);
    }
    let go_on = |_: usize, _: f64| ControlFlow::Continue(());
    let short = scan(&mut [surface()], &directions, &[vec![1.0, 2.0]], go_on);
    assert!(short.unwrap_err().to_string().starts_with("points = "));
    let error = scan(&mut [surface()][..0], &directions, &points, go_on).unwrap_err();
    assert!(error.to_string().starts_with("workers = 0"), "{error}");

    let two = |p: &Point, _| p.joined();
    let surface = || common::surface(&point, two);
    let error = scan(&mut [surface(), surface()], &directions, &points, go_on);
    assert!(matches!(error, Err(FlatnessError::Loss(_))));
}

#[test]
fn numbers_that_are_evenly_apart_meet_both_ends_and_the_middle() {
    assert_eq!(evenly(-1.0, 1.0, 5), [-1.0, -0.5, 0.0, 0.5, 1.0]);
    assert_eq!(evenly(-0.7, 0.7, 41)[20], 0.0);
    assert_eq!(evenly(0.1, 0.7, 4)[3], 0.7);
    assert_eq!(evenly(2.0, 3.0, 1), [2.0]);
    assert!(evenly(2.0, 3.0, 0).is_empty());
}

#[test]
fn filters_of_a_random_direction_are_as_long_as_those_of_the_model() {
    let net = Net::new(1, 5);
    let like = gradient(&net, net.loss(images()));
    let direction = filter_normalized(&net, &like, 3, 0).unwrap();
    let weights = parameters::weight_vector(&net, &like);
    let of = |vector: &ParamVector, name: &str| {
        let entries = state::entries(&net);
        let id = entries.iter().find(|e| e.name == name).unwrap().id;
        let (_, tensor) = vector.entries().iter().find(|(i, _)| *i == id).unwrap();
        tensor.to_data().iter::<f64>().collect::<Vec<f64>>()
    };
    let norms = |filters: Vec<Vec<f64>>| -> Vec<f64> {
        let norm = |f: &Vec<f64>| f.iter().map(|x| x * x).sum::<f64>().sqrt();
        filters.iter().map(norm).collect()
    };
    let rows = |values: Vec<f64>| values.chunks(8).map(<[f64]>::to_vec).collect();
    // Burn's linear weights are [in, out]: a column makes an output.
    let columns = |values: Vec<f64>| {
        let column = |j: usize| values.iter().skip(j).step_by(5).copied().collect();
        (0..5).map(column).collect::<Vec<Vec<f64>>>()
    };
    for (name, cut) in [
        ("conv.weight", &rows as &dyn Fn(Vec<f64>) -> Vec<Vec<f64>>),
        ("fc.weight", &columns),
    ] {
        let expected = norms(cut(of(&weights, name)));
        let found = norms(cut(of(&direction, name)));
        for (a, b) in found.iter().zip(&expected) {
            assert_close(*a, *b, 1e-12 * b);
        }
        assert_ne!(of(&direction, name), of(&weights, name));
    }
    for name in ["conv.bias", "fc.bias", "norm.weight", "norm.bias"] {
        assert!(of(&direction, name).iter().all(|x| *x == 0.0), "{name}");
    }
    let again = filter_normalized(&net, &like, 3, 0).unwrap();
    assert_eq!(values(&again), values(&direction));
    let other = filter_normalized(&net, &like, 3, 1).unwrap();
    assert_ne!(values(&other), values(&direction));

    let point = Point::new(&[1.0, 2.0, 3.0], DType::F64);
    let mut only_vectors = gradient(&point, point.joined().sum());
    let first = only_vectors.entries()[0].0;
    only_vectors.retain(|id| id == first);
    assert!(filter_normalized(&point, &only_vectors, 0, 0).is_err());
}

#[test]
fn the_way_between_two_models_leads_from_one_to_the_other_with_their_statistics() {
    let (a, b) = (Net::new(1, 5), Net::new(2, 5));
    let x = images();
    let before = state::values(&a);
    let way = between(&a, &b).unwrap();
    let loss = |m: &Net, _: usize| m.loss(x.clone());
    let mut surface = LossSurface::new(&a, Mode::Evaluation, &[6], loss).unwrap();
    let found = surface
        .losses(&[vec![(0.0.into(), &way)], vec![(1.0.into(), &way)]])
        .unwrap();
    let plain = |m: &Net| {
        let loss = m.valid().loss(x.clone().inner()).into_data();
        loss.iter::<f64>().sum::<f64>()
    };
    assert_close(found[0], plain(&a), 1e-12);
    assert_close(found[1], plain(&b), 1e-12);
    assert!((plain(&a) - plain(&b)).abs() > 1e-3);
    // Clones share running statistics, and yet nothing has moved.
    assert_eq!(state::values(&a), before);
    assert_eq!(
        surface.losses(&[vec![(0.0.into(), &way)]]).unwrap()[0],
        found[0]
    );

    let error = between(&a, &Net::new(1, 4)).unwrap_err();
    assert!(error.to_string().starts_with("to = "), "{error}");
}

#[test]
fn principal_directions_of_points_in_a_plane_span_it() {
    let point = Point::new(&[0.0; 6], DType::F64);
    let like = gradient(&point, point.joined().sum());
    let layout = [(like.entries()[0].0, 2), (like.entries()[1].0, 4)];
    let make = |x: f64, y: f64| vector(&[x, 0.0, y, 0.0, x, 0.0], &layout, DType::F64);
    let points = [
        make(3.0, 0.1),
        make(2.0, -0.4),
        make(1.0, 0.5),
        make(0.2, 0.3),
    ];
    let found = principal_directions(&points, 2).unwrap();
    let [a, b] = [&found.directions[0], &found.directions[1]];
    assert_orthonormal(a, b);
    assert_close(found.shares.iter().sum(), 1.0, 1e-12);
    assert!(found.shares[0] > 0.9);
    for (point, at) in points.iter().zip(&found.coordinates) {
        let back = a.clone().scale(at[0]).combine(1.0, b, at[1]);
        let rest = back.combine(1.0, point, -1.0).norm().unwrap();
        assert!(rest < 1e-12, "{rest}");
    }
    let error = principal_directions(&points, 3).unwrap_err();
    assert!(error.to_string().contains("span 2 dimensions"), "{error}");
    assert!(principal_directions(&points, 0).is_err());
    assert!(principal_directions(&[], 1).is_err());
}

#[test]
fn xsams_plane_has_the_arc_of_the_method_and_finds_its_maximum() {
    let matrix = symmetric(&[9.0, 3.0, 1.0, 0.5, 0.2, -1.0], 3);
    let point = Point::new(&START, DType::F64);
    let loss = |p: &Point, _| p.quadratic(&matrix);
    let mut surface = surface(&point, loss);
    let (rho, rho_max) = (0.2, 0.5);
    let plane = XsamPlane::new(&mut surface, rho, rho_max, 1).unwrap();
    let [a, b] = &plane.axes;
    assert_orthonormal(a, b);

    // By hand: the gradient is A w, and that at the ascent point A (w + rho g / |g|).
    let w = DVector::from_row_slice(&START);
    let at = |w: &DVector<f64>| 0.5 * w.dot(&(&matrix * w));
    let g0 = &matrix * &w;
    let up = &w + rho * g0.normalize();
    let g1 = &matrix * &up;
    let psi = g0.normalize().dot(&g1.normalize()).acos();
    assert_close(plane.psi, psi, 1e-9);
    assert_close(plane.loss, at(&w), 1e-12);
    assert_close(plane.ascent_loss, at(&up), 1e-9);
    let v = |alpha: f64| {
        let (c0, c1) = (((1.0 - alpha) * psi).sin(), (alpha * psi).sin());
        (g0.normalize() * c0 + g1.normalize() * c1) / psi.sin()
    };
    let of = |alpha: f64| at(&(&w + rho_max * v(alpha)));
    for (alpha, loss) in plane.search.alphas.iter().zip(&plane.search.losses) {
        assert_close(*loss, of(*alpha), 1e-9);
        let [x, y] = plane.on_arc(rho_max, *alpha);
        let found = surface
            .losses(&[vec![(x.into(), a), (y.into(), b)]])
            .unwrap()[0];
        assert_close(*loss, found, 1e-9);
    }
    let alphas = plane.search.alphas.iter().copied();
    let best = alphas.max_by(|a, b| of(*a).total_cmp(&of(*b)));
    assert_eq!(plane.alpha, best.unwrap());

    // It is the plane that the optimizer takes.
    let like = surface.evaluate().unwrap();
    surface.advance(rho / &like.norm, &like.gradient);
    let ascent = surface.evaluate().unwrap();
    surface.reset();
    let searched = Plane::new(
        (like.gradient.clone(), like.norm),
        (ascent.gradient.clone(), ascent.norm),
        &Readings::default(),
    );
    assert_close(searched.unwrap().psi().value().unwrap(), plane.psi, 1e-9);
}

#[test]
fn where_there_is_no_plane_that_is_said() {
    let flat = Point::new(&[0.0; 3], DType::F64);
    let loss = |p: &Point, _| p.joined().powi_scalar(2).sum();
    let mut surface = surface(&flat, loss);
    let error = XsamPlane::new(&mut surface, 0.1, 0.2, 1).unwrap_err();
    assert!(matches!(error, FlatnessError::NoPlane { .. }));
    assert!(error.to_string().contains("a gradient is zero"), "{error}");

    let line = Point::new(&[1.0, 2.0, 3.0], DType::F64);
    let mut surface = common::surface(&line, loss);
    let error = XsamPlane::new(&mut surface, 0.1, 0.2, 1).unwrap_err();
    assert!(error.to_string().contains("on one line"), "{error}");
    for (rho, rho_max, steps) in [(0.0, 0.1, 1), (0.1, f64::NAN, 1), (0.1, 0.1, 0)] {
        assert!(XsamPlane::new(&mut surface, rho, rho_max, steps).is_err());
    }
}
