//! Products with operators whose matrix is known, and what they leave behind.

use crate::common::{Point, START, assert_close, orthogonal, surface, symmetric, values};
use burn::module::{Module, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use nalgebra::DVector;
use xsam::method::{Objective, ParamVector};
use xsam_flatness::{
    DifferenceStep, Elements, FlatnessError, GaussNewton, Hessian, Lanczos, LossSurface, Mode,
    SymmetricOperator, exact_moments, random_vector,
};
use xsam_models::{cast, reference::fill};

const CLASSES: usize = 3;

/// A small network with all that differs between training and evaluation.
#[derive(Module, Debug)]
struct Net {
    fc1: Linear,
    norm: BatchNorm,
    dropout: Dropout,
    fc2: Linear,
}

impl Net {
    fn new(dropout: f64) -> Self {
        let device = Device::flex().autodiff();
        let net = Self {
            fc1: LinearConfig::new(4, 5).init(&device),
            norm: BatchNormConfig::new(5).init(&device),
            dropout: DropoutConfig::new(dropout).init(),
            fc2: LinearConfig::new(5, CLASSES).init(&device),
        };
        fill(cast(net, FloatDType::F64), 7).unwrap()
    }

    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        let h = self.norm.forward(self.fc1.forward(x)).tanh();
        self.fc2.forward(self.dropout.forward(h))
    }
}

fn inputs(rows: usize, seed: u64) -> Tensor<2> {
    let q = orthogonal(rows.max(4), seed);
    let data: Vec<f64> = (0..rows * 4).map(|i| 3.0 * q[(i / 4, i % 4)]).collect();
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(data, [rows, 4]), (&device, DType::F64))
}

fn cross_entropy(logits: Tensor<2>) -> Tensor<1> {
    let rows = logits.dims()[0];
    let targets: Vec<i64> = (0..rows).map(|i| (i % CLASSES) as i64).collect();
    let device = logits.device();
    let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [rows]), &device);
    let log = burn::tensor::activation::log_softmax(logits, 1);
    -log.gather(1, targets.reshape([rows, 1])).mean()
}

fn loss(net: &Net, batch: usize) -> Tensor<1> {
    cross_entropy(net.logits(inputs(SIZES[batch], batch as u64)))
}

const SIZES: [usize; 3] = [9, 6, 4];

/// All numbers of a model, running statistics included.
fn state(net: &Net) -> Vec<f64> {
    let numbers = |x: Tensor<1>| x.into_data().iter::<f64>().collect::<Vec<_>>();
    let net = net.valid();
    [
        numbers(net.fc1.weight.val().reshape([20])),
        numbers(net.norm.running_mean.value()),
        numbers(net.norm.running_var.value()),
        numbers(net.fc2.weight.val().reshape([15])),
    ]
    .concat()
}

#[test]
fn the_hessian_of_a_quadratic_is_its_matrix() {
    for (dtype, step, tolerance) in [
        (DType::F64, DifferenceStep::Auto, 1e-8),
        (DType::F64, DifferenceStep::Relative(0.1), 1e-12),
        // Without curvature of higher order a longer step is a better one.
        (DType::F32, DifferenceStep::Auto, 2e-2),
        (DType::F32, DifferenceStep::Relative(0.1), 5e-5),
    ] {
        let matrix = symmetric(&[5.0, 2.0, 1.0, 0.5, -0.3, -1.0, 0.0], 1);
        let point = Point::new(&[0.3, -0.2, 0.5, 0.1, 0.9, -0.4, 0.2], dtype);
        let quadratic = |p: &Point, _| p.quadratic(&matrix);
        let mut surface = surface(&point, quadratic);
        let mut hessian = Hessian::new(&mut surface, None, step).unwrap();
        assert_eq!(hessian.dimension(), 7);
        for seed in 0..4 {
            let v = random_vector(hessian.space(), Elements::Normal, seed, 0).scale(37.0);
            let product = DVector::from_vec(values(&hessian.apply(&v).unwrap()));
            let expected = &matrix * DVector::from_vec(values(&v));
            let error = (product - &expected).norm() / expected.norm();
            assert!(error < tolerance, "{dtype:?} {step:?}: {error}");
        }
        let zero = random_vector(hessian.space(), Elements::Normal, 0, 0).scale(0.0);
        assert_eq!(hessian.apply(&zero).unwrap().norm().unwrap(), 0.0);
    }
}

#[test]
fn a_group_has_its_block() {
    let matrix = symmetric(&[5.0, 2.0, 1.0, 0.5, -0.3, -1.0], 2);
    let point = Point::new(&START, DType::F64);
    let quadratic = |p: &Point, _| p.quadratic(&matrix);
    let mut surface = surface(&point, quadratic);
    let group = ParamGroup::from_path("second");
    let mut hessian = Hessian::new(&mut surface, Some(&group), DifferenceStep::Auto).unwrap();
    assert_eq!(hessian.dimension(), 4);
    let block = matrix.view((2, 2), (4, 4)).trace();
    assert_close(exact_moments(&mut hessian).unwrap().trace, block, 1e-7);

    let nothing = ParamGroup::from_path("third");
    let error = Hessian::new(&mut surface, Some(&nothing), DifferenceStep::Auto).map(|_| ());
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("group = nothing"), "{error}");
    let step = DifferenceStep::Relative(0.0);
    let error = Hessian::new(&mut surface, None, step).map(|_| ());
    assert!(error.unwrap_err().to_string().starts_with("step = 0"));
}

#[test]
fn a_mean_over_batches_is_that_over_their_samples() {
    let net = Net::new(0.0);
    let all = |net: &Net, _| {
        let x: Vec<_> = (0..3).map(|i| inputs(SIZES[i], i as u64)).collect();
        let logits: Vec<_> = x.into_iter().map(|x| net.logits(x)).collect();
        // By shares: the gradient of a division by a number is rounded to single precision.
        let sums = logits
            .into_iter()
            .map(|l| cross_entropy(l.clone()) * (l.dims()[0] as f64 / 19.0));
        sums.reduce(|a, b| a + b).unwrap()
    };
    let mut parts = LossSurface::new(&net, Mode::Evaluation, &SIZES, loss).unwrap();
    let mut whole = LossSurface::new(&net, Mode::Evaluation, &[19], all).unwrap();
    let (a, b) = (parts.evaluate().unwrap(), whole.evaluate().unwrap());
    assert_close(a.loss.value().unwrap(), b.loss.value().unwrap(), 1e-12);
    let difference = a.gradient.combine(1.0, &b.gradient, -1.0);
    let error = difference.norm().unwrap();
    assert!(error < 1e-12, "{error}");
    let losses = parts.losses(&[vec![]]).unwrap();
    assert_close(losses[0], a.loss.value().unwrap(), 1e-12);
}

#[test]
fn the_trace_is_the_sum_of_the_eigenvalues_and_the_model_is_as_it_was() {
    let net = Net::new(0.3);
    // Statistics that a pass would change.
    let before = state(&net);
    for mode in [Mode::Evaluation, Mode::Training] {
        let mut surface = LossSurface::new(&net, mode, &SIZES, loss).unwrap();
        let mut hessian = Hessian::new(&mut surface, None, DifferenceStep::Auto).unwrap();
        let n = hessian.dimension();
        assert_eq!(n, 4 * 5 + 5 + 2 * 5 + 5 * CLASSES + CLASSES);
        let lanczos = Lanczos {
            largest: n,
            smallest: 0,
            max_iterations: n,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut hessian).unwrap();
        let sum: f64 = pairs.pairs.iter().map(|pair| pair.value).sum();
        let trace = exact_moments(&mut hessian).unwrap().trace;
        assert_close(sum, trace, 1e-5 * trace.abs());
        let probe = random_vector(hessian.space(), Elements::Normal, 5, 0);
        let error = hessian.discretization(&probe).unwrap();
        assert!(error < 1e-4, "{mode:?}: {error}");
    }
    assert_eq!(state(&net), before);
}

#[test]
fn modes_are_what_they_say() {
    let net = Net::new(0.5);
    let at = |mode, seed| {
        let mut surface = LossSurface::new(&net, mode, &[9], loss)
            .unwrap()
            .with_seed(seed);
        surface.evaluate().unwrap().loss.value().unwrap()
    };
    let valid = net.valid();
    let x = inputs(9, 0).inner();
    let plain: f64 = cross_entropy(valid.logits(x))
        .into_data()
        .iter::<f64>()
        .sum();
    assert_close(at(Mode::Evaluation, 1), plain, 1e-12);
    assert_eq!(at(Mode::Training, 1), at(Mode::Training, 1));
    assert_ne!(at(Mode::Training, 1), at(Mode::Training, 2));
    assert_ne!(at(Mode::Training, 1), at(Mode::Evaluation, 1));
}

#[test]
fn gauss_newton_is_the_hessian_of_a_model_that_is_linear() {
    let device = Device::flex().autodiff();
    let linear: Linear = cast(LinearConfig::new(4, CLASSES).init(&device), FloatDType::F64);
    let linear = fill(linear, 7).unwrap();
    let outputs = |m: &Linear, i: usize| m.forward(inputs(SIZES[i], i as u64));
    let of_outputs = |logits: Tensor<2>, _| cross_entropy(logits);
    let mut matrix = GaussNewton::new(&linear, &SIZES, None, outputs, of_outputs).unwrap();
    let whole = |m: &Linear, i| cross_entropy(outputs(m, i));
    let mut surface = LossSurface::new(&linear, Mode::Evaluation, &SIZES, whole).unwrap();
    let mut hessian = Hessian::new(&mut surface, None, DifferenceStep::Auto).unwrap();
    for seed in 0..3 {
        let v = random_vector(hessian.space(), Elements::Normal, seed, 0);
        let (a, b) = (matrix.apply(&v).unwrap(), hessian.apply(&v).unwrap());
        let error = a.combine(1.0, &b, -1.0).norm().unwrap() / b.norm().unwrap();
        assert!(error < 1e-7, "{error}");
    }
}

#[test]
fn gauss_newton_is_symmetric_and_positive() {
    let net = Net::new(0.0);
    let surface = LossSurface::new(&net, Mode::Evaluation, &SIZES, loss).unwrap();
    let outputs = |m: &Net, i: usize| m.logits(inputs(SIZES[i], i as u64));
    let of_outputs = |logits: Tensor<2>, _| cross_entropy(logits);
    let mut matrix = GaussNewton::new(surface.model(), &SIZES, None, outputs, of_outputs).unwrap();
    let v = random_vector(matrix.space(), Elements::Normal, 1, 0);
    let w = random_vector(matrix.space(), Elements::Normal, 2, 0);
    let (gv, gw) = (matrix.apply(&v).unwrap(), matrix.apply(&w).unwrap());
    let (a, b) = (w.dot(&gv).unwrap(), v.dot(&gw).unwrap());
    assert_close(a, b, 1e-7 * a.abs());
    let lanczos = Lanczos {
        largest: 1,
        smallest: 1,
        ..Lanczos::default()
    };
    let pairs = lanczos.run(&mut matrix).unwrap().pairs;
    assert!(pairs[0].value > 0.0 && pairs[1].value > -1e-6 * pairs[0].value);

    let group = ParamGroup::from_path("fc2.bias");
    let part = GaussNewton::new(surface.model(), &SIZES, Some(&group), outputs, of_outputs);
    assert_eq!(part.unwrap().dimension(), CLASSES);
}

#[test]
fn a_loss_that_is_not_finite_says_where() {
    let point = Point::new(&[1.0; 6], DType::F32);
    let broken = |p: &Point, _| p.joined().sum() * f64::NAN;
    let mut surface = surface(&point, broken);
    let error = Hessian::new(&mut surface, None, DifferenceStep::Auto).map(|_| ());
    let error = error.unwrap_err();
    assert!(matches!(error, FlatnessError::NotFinite { .. }));
    let error = error.to_string();
    assert!(error.starts_with("not finite at the weights"), "{error}");

    for samples in [&[][..], &[3, 0]] {
        let loss = |p: &Point, _| p.joined().sum();
        let error = LossSurface::new(&point, Mode::Evaluation, samples, loss).map(|_| ());
        assert!(error.unwrap_err().to_string().starts_with("samples = "));
    }
    let plain = point.valid();
    let loss = |p: &Point, _| p.joined().sum();
    assert!(LossSurface::new(&plain, Mode::Evaluation, &[1], loss).is_err());
}

#[test]
fn moves_add_up_and_are_undone() {
    let matrix = symmetric(&[5.0, 2.0, 1.0, 0.5, -0.3, -1.0], 3);
    let point = Point::new(&START, DType::F64);
    let quadratic = |p: &Point, _| p.quadratic(&matrix);
    let mut surface = surface(&point, quadratic);
    let start = surface.evaluate().unwrap();
    let way: ParamVector = random_vector(&start.gradient, Elements::Normal, 1, 0);
    surface.advance(0.5.into(), &way);
    surface.advance(1.5.into(), &way);
    let there = surface.evaluate().unwrap();
    let expected = surface.losses(&[vec![(2.0.into(), &way)]]).unwrap()[0];
    assert_close(there.loss.value().unwrap(), expected, 1e-12);
    surface.reset();
    assert_eq!(
        surface.evaluate().unwrap().loss.value().unwrap(),
        start.loss.value().unwrap()
    );
}
