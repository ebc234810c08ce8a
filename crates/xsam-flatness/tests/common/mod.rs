//! Matrices with known spectra, and models with known curvature.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use burn::module::{Module, Param, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::{DMatrix, DVector};
use xsam::method::ParamVector;
use xsam_flatness::{Elements, FlatnessError, LossSurface, Mode, SymmetricOperator, random_vector};

pub fn vector(values: &[f64], like: &[(ParamId, usize)], dtype: DType) -> ParamVector {
    let mut rest = values;
    let entries = like.iter().map(|(id, count)| {
        let (now, later) = rest.split_at(*count);
        rest = later;
        let data = TensorData::new(now.to_vec(), [*count]);
        (*id, Tensor::from_data(data, (&Device::flex(), dtype)))
    });
    ParamVector::new(entries.collect())
}

pub fn values(vector: &ParamVector) -> Vec<f64> {
    let read = |(_, tensor): &(ParamId, Tensor<1>)| {
        tensor.clone().into_data().iter::<f64>().collect::<Vec<_>>()
    };
    vector.entries().iter().flat_map(read).collect()
}

/// A random orthogonal matrix.
pub fn orthogonal(n: usize, seed: u64) -> DMatrix<f64> {
    let like = vector(&vec![0.0; n * n], &[(ParamId::new(), n * n)], DType::F64);
    let numbers = values(&random_vector(&like, Elements::Normal, seed, 0));
    DMatrix::from_vec(n, n, numbers).qr().q()
}

/// The symmetric matrix with these eigenvalues and random eigenvectors.
pub fn symmetric(eigenvalues: &[f64], seed: u64) -> DMatrix<f64> {
    let q = orthogonal(eigenvalues.len(), seed);
    let d = DMatrix::from_diagonal(&DVector::from_row_slice(eigenvalues));
    &q * d * q.transpose()
}

/// Weights that are nowhere special.
pub const START: [f64; 6] = [0.3, -0.2, 0.5, 0.1, 0.9, -0.4];

/// The loss around a point, as one batch.
pub fn surface<F: FnMut(&Point, usize) -> Tensor<1>>(
    point: &Point,
    loss: F,
) -> LossSurface<Point, F> {
    LossSurface::new(point, Mode::Evaluation, &[1], loss).unwrap()
}

/// Asserts that two numbers are no farther apart than `tolerance`.
#[track_caller]
pub fn assert_close(actual: f64, expected: f64, tolerance: f64) {
    let error = (actual - expected).abs();
    assert!(error <= tolerance, "{actual} is not {expected}");
}

/// A matrix as an operator, over two parameters.
pub struct Dense {
    pub matrix: DMatrix<f64>,
    pub layout: Vec<(ParamId, usize)>,
    pub products: usize,
    dtype: DType,
    space: ParamVector,
}

impl Dense {
    pub fn new(matrix: DMatrix<f64>, dtype: DType) -> Self {
        let n = matrix.nrows();
        let layout = vec![(ParamId::new(), n / 3), (ParamId::new(), n - n / 3)];
        Self {
            space: vector(&vec![0.0; n], &layout, dtype),
            matrix,
            layout,
            products: 0,
            dtype,
        }
    }
}

impl SymmetricOperator for Dense {
    fn space(&self) -> &ParamVector {
        &self.space
    }

    fn apply(&mut self, x: &ParamVector) -> Result<ParamVector, FlatnessError> {
        self.products += 1;
        let product = &self.matrix * DVector::from_vec(values(x));
        Ok(vector(product.as_slice(), &self.layout, self.dtype))
    }
}

/// A free vector of weights, split over two parameters of different rank.
#[derive(Module, Debug)]
pub struct Point {
    pub first: Param<Tensor<1>>,
    pub second: Param<Tensor<2>>,
}

impl Point {
    pub fn new(values: &[f64], dtype: DType) -> Self {
        let (a, b) = values.split_at(values.len() / 3);
        let options = (&Device::flex().autodiff(), dtype);
        let a = Tensor::<1>::from_data(TensorData::new(a.to_vec(), [a.len()]), options);
        let b = Tensor::<2>::from_data(TensorData::new(b.to_vec(), [1, b.len()]), options);
        Self {
            first: Param::from_tensor(a),
            second: Param::from_tensor(b),
        }
    }

    pub fn joined(&self) -> Tensor<1> {
        let second = self.second.val();
        let n = second.dims()[1];
        Tensor::cat(vec![self.first.val(), second.reshape([n])], 0)
    }

    /// `w^T A w / 2`.
    pub fn quadratic(&self, matrix: &DMatrix<f64>) -> Tensor<1> {
        let w = self.joined();
        let n = matrix.nrows();
        // Symmetric: rows are columns.
        let data = TensorData::new(matrix.as_slice().to_vec(), [n, n]);
        let a = Tensor::<2>::from_data(data, (&w.device(), w.dtype()));
        let product = a.matmul(w.clone().reshape([n, 1])).reshape([n]);
        (w * product).sum() * 0.5
    }
}
