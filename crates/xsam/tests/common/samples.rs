//! A small regression whose batches can be taken apart.

use burn::tensor::{DType, Tensor, TensorData};

use super::{Point, device};

/// Samples of a small regression in double precision.
pub struct Samples {
    inputs: Tensor<2>,
    targets: Tensor<1>,
}

const FEATURES: usize = 5;

impl Samples {
    /// Those with these numbers.
    pub fn new(numbers: std::ops::Range<usize>) -> Self {
        let input = |i: usize, j: usize| ((i * 7 + j * 13 + i * j) as f64 * 0.37).sin();
        let inputs = numbers
            .clone()
            .flat_map(|i| (0..FEATURES).map(move |j| input(i, j)));
        let targets = numbers.clone().map(|i| (i as f64 * 1.7).cos());
        let inputs = TensorData::new(inputs.collect::<Vec<_>>(), [numbers.len(), FEATURES]);
        let targets = TensorData::new(targets.collect::<Vec<_>>(), [numbers.len()]);
        let device = device();
        let options = (&device, DType::F64);
        Self {
            inputs: Tensor::from_data(inputs, options),
            targets: Tensor::from_data(targets, options),
        }
    }

    pub fn len(&self) -> usize {
        self.targets.dims()[0]
    }

    /// The mean loss over them.
    pub fn loss(&self, model: &Point) -> Tensor<1> {
        let products = self.inputs.clone() * model.joined().unsqueeze::<2>();
        let outputs = products.sum_dim(1).reshape([self.len()]).tanh();
        (outputs - self.targets.clone()).square().mean()
    }
}

/// Weights to begin with.
pub fn start() -> Point {
    Point::new(&[0.5, -0.3, 0.8, 0.1, -0.6], 2)
}
