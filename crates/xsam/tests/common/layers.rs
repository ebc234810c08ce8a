//! A net whose weights are all that it takes memory for.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// Elements of a layer.
pub const ELEMENTS: usize = 1 << 17;

#[derive(Module, Debug)]
pub struct Layers {
    pub layers: Vec<Param<Tensor<1>>>,
}

impl Layers {
    pub fn new(layers: usize) -> Self {
        let device = Device::flex().autodiff();
        let layer = |i: usize| {
            let values = (0..ELEMENTS).map(|j| ((i * 7919 + j * 31) % 101) as f32 / 50.0 - 1.0);
            let data = TensorData::new(values.collect::<Vec<f32>>(), [ELEMENTS]);
            Param::from_tensor(Tensor::from_data(data, &device))
        };
        Self {
            layers: (0..layers).map(layer).collect(),
        }
    }

    /// How many copies of all weights so many bytes are.
    pub fn copies(layers: usize, bytes: usize) -> f64 {
        bytes as f64 / (layers * ELEMENTS * size_of::<f32>()) as f64
    }
}
