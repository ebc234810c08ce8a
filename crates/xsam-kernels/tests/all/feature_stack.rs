//! Batch norm of a stack of feature maps against that of the maps copied into one tensor.

use crate::common::{assert_close, gradient, numbers, read, same_bits, viewed};
use burn::tensor::{DType, Device, Tensor};
use proptest::prelude::*;
use xsam_kernels::{
    BatchNormParams, BatchNormStatistics, BatchNormTail, BatchStatistics, FeatureStack,
    batch_norm_inference, batch_norm_train,
};

const TOLERANCE: f64 = 1e-5;

/// A dense block: every layer normalises all maps and appends what it makes of the result.
#[derive(Clone, Debug)]
struct Case {
    /// Batch, height and width.
    sizes: [usize; 3],
    /// Channels of the first map, and of the one that each layer appends.
    widths: Vec<usize>,
    relu: bool,
    view: bool,
    /// Whether the first map wants a gradient.
    wanted: bool,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1usize..6, 1usize..14, 1usize..14);
    let widths = prop::collection::vec(1usize..40, 1..6);
    let flags = any::<[bool; 3]>();
    (sizes, widths, flags, any::<u64>()).prop_map(|((n, h, w), widths, flags, seed)| Case {
        sizes: [n, h, w],
        widths,
        relu: flags[0],
        view: flags[1],
        wanted: flags[2],
        seed,
    })
}

/// What a layer sees.
trait Block {
    fn new(first: Tensor<4>) -> Self;
    fn push(&mut self, new: Tensor<4>);
    fn normalise(&mut self, params: BatchNormParams, relu: bool) -> Normalised;
}

type Normalised = (Tensor<4>, BatchStatistics);

impl Block for FeatureStack<4> {
    fn new(first: Tensor<4>) -> Self {
        FeatureStack::new(first)
    }

    fn push(&mut self, new: Tensor<4>) {
        self.push(new);
    }

    fn normalise(&mut self, params: BatchNormParams, relu: bool) -> Normalised {
        self.batch_norm_train(params, relu)
    }
}

struct Joined(Tensor<4>);

impl Block for Joined {
    fn new(first: Tensor<4>) -> Self {
        Self(first)
    }

    fn push(&mut self, new: Tensor<4>) {
        self.0 = Tensor::cat(vec![self.0.clone(), new], 1);
    }

    fn normalise(&mut self, params: BatchNormParams, relu: bool) -> Normalised {
        let tail = BatchNormTail {
            residual: None,
            relu,
        };
        batch_norm_train(self.0.clone(), params, tail)
    }
}

impl Case {
    fn shape(&self, channels: usize) -> [usize; 4] {
        let [batch, height, width] = self.sizes;
        [batch, channels, height, width]
    }

    /// A map of so many channels.
    fn map(&self, channels: usize, stream: u64, at: (&Device, DType)) -> Tensor<4> {
        numbers(self.shape(channels), self.seed ^ stream, at)
    }

    fn params(&self, channels: usize, layer: usize, at: (&Device, DType)) -> BatchNormParams {
        let values = |stream: u64| {
            let stream = stream + 2 * layer as u64;
            numbers([channels], self.seed ^ stream, at).require_grad()
        };
        BatchNormParams {
            weight: values(1000),
            bias: values(1001),
            epsilon: 1e-3,
        }
    }
}

/// Outputs, means and variances of all layers, and the gradients of the first map and of all weights
/// and biases.
fn run<B: Block>(case: &Case, at: (&Device, DType)) -> Vec<Vec<f64>> {
    let mut channels = case.widths[0];
    let first = viewed(case.map(channels, 1, at), case.view).set_require_grad(case.wanted);
    let mut block = B::new(first.clone());
    let mut loss = Tensor::<1>::zeros([1], at);
    let (mut values, mut learned) = (Vec::new(), Vec::new());
    for (layer, &width) in (0..).zip(case.widths[1..].iter().chain([&0])) {
        let params = case.params(channels, layer, at);
        learned.extend([params.weight.clone(), params.bias.clone()]);
        let (output, statistics) = block.normalise(params, case.relu);
        let weights = viewed(case.map(channels, 2 + layer as u64, at), case.view);
        loss = loss + (output.clone() * weights).sum();
        values.push(read(output.clone().inner()));
        values.push(read(statistics.mean.inner()));
        values.push(read(statistics.variance.inner()));
        if width > 0 {
            let pattern = case.map(width, 500 + layer as u64, at);
            let new = pattern * output.mean_dim(1) + 0.1;
            block.push(viewed(new, case.view));
            channels += width;
        }
    }
    let grads = loss.backward();
    values.extend(first.grad(&grads).map(read));
    assert_eq!(first.grad(&grads).is_some(), case.wanted);
    values.extend(learned.iter().map(|t| gradient(t, &grads)));
    values
}

/// The same numbers are computed; only where the gradients of a map are added up do the two differ.
fn assert_same(actual: &[Vec<f64>], expected: &[Vec<f64>]) {
    assert_eq!(actual.len(), expected.len());
    for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert_close(&format!("value {i}"), actual, expected, TOLERANCE, 1.0);
    }
}

proptest! {
    #![proptest_config(crate::common::cases(300))]

    #[test]
    fn a_stack_is_the_maps_in_one_tensor(case in cases()) {
        let device = Device::flex().autodiff();
        let f32 = (&device, DType::F32);
        assert_same(&run::<FeatureStack<4>>(&case, f32), &run::<Joined>(&case, f32));
        let f64 = (&device, DType::F64);
        assert_same(&run::<FeatureStack<4>>(&case, f64), &run::<Joined>(&case, f64));
    }

    #[test]
    fn without_a_graph_it_is_so_too(case in cases()) {
        let device = Device::flex();
        let at = (&device, DType::F32);
        let maps = case.widths.iter().enumerate().map(|(i, &width)| {
            viewed(case.map(width, i as u64, at), case.view)
        });
        let maps: Vec<Tensor<4>> = maps.collect();
        let mut stack = FeatureStack::new(maps[0].clone());
        maps[1..].iter().for_each(|map| stack.push(map.clone()));
        let joined = Tensor::cat(maps, 1);
        let channels = joined.dims()[1];
        let params = |seed: u64| BatchNormParams {
            weight: numbers([channels], seed, at),
            bias: numbers([channels], seed ^ 1, at),
            epsilon: 1e-3,
        };
        let tail = || BatchNormTail { residual: None, relu: case.relu };
        let (trained, statistics) = stack.batch_norm_train(params(3), case.relu);
        let (expected, _) = batch_norm_train(joined.clone(), params(3), tail());
        prop_assert_eq!(read(trained), read(expected));
        let inferred = stack.batch_norm_inference(params(5), statistics.clone().into(), case.relu);
        let expected = batch_norm_inference(joined, params(5), statistics.into(), tail());
        prop_assert_eq!(read(inferred), read(expected));
    }
}

fn some_case() -> Case {
    Case {
        sizes: [8, 16, 16],
        widths: vec![64, 32, 32, 32],
        relu: true,
        view: false,
        wanted: true,
        seed: 4,
    }
}

#[test]
fn the_same_input_gives_the_same_bits() {
    for sizes in [[8, 16, 16], [8, 4, 4], [1, 1, 1]] {
        let case = Case {
            sizes,
            ..some_case()
        };
        same_bits(|device| run::<FeatureStack<4>>(&case, (device, DType::F32)));
    }
}

#[test]
fn with_a_graph_gradients_flow_through_inference() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let map = |seed| numbers([2, 3, 2, 2], seed, at).require_grad();
    let (a, b) = (map(1), map(2));
    let mut stack = FeatureStack::new(a.clone());
    stack.push(b.clone());
    let ones = || Tensor::<1>::ones([6], at);
    let params = BatchNormParams {
        weight: ones() * 3.0,
        bias: ones(),
        epsilon: 0.0,
    };
    let statistics = BatchNormStatistics {
        mean: ones(),
        variance: ones() * 4.0,
    };
    let y = stack.batch_norm_inference(params, statistics, false);
    let grads = y.sum().backward();
    for map in [a, b] {
        assert_close("dx", &gradient(&map, &grads), &[1.5; 24], TOLERANCE, 1.0);
    }
}

#[test]
#[should_panic(expected = "differ in more than channels")]
fn another_size() {
    let device = Device::flex();
    let mut stack = FeatureStack::new(Tensor::<4>::zeros([2, 3, 4, 4], &device));
    stack.push(Tensor::zeros([2, 3, 4, 5], &device));
}
