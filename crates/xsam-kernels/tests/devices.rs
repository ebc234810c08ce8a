//! Every operation on the graphics card, against the processor in double precision.
//!
//! For builds with the feature of a device, on a machine that has it:
//! `cargo test --release -p xsam-kernels --features webgpu --test devices`.
#![cfg(feature = "gpu")]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Bool, DType, Device, Gradients, Int, Tensor, TensorData};
use common::{assert_close, gradient, numbers, random, read};
use xsam_kernels::{
    AdamStep, BatchNormParams, BatchNormStatistics, BatchNormTail, FeatureStack, SgdStep,
    adam_update, attention, avg_pool2d, batch_norm_inference, batch_norm_train, bias_gelu,
    bias_relu, combine, conv2d, cross_entropy, dot, dropout, dropout_add, embedding,
    global_avg_pool, kinks, layer_norm, linear, max_pool2d, scaled_ascent, sgd_update, softmax,
    squared_chords, tied_linear,
};

/// In relation to the largest element. Shading languages promise less of exponentials and roots than a processor does.
const TOLERANCE: f64 = 2e-5;

/// The devices of this build.
fn devices() -> Vec<Device> {
    Vec::from([
        #[cfg(feature = "webgpu")]
        Device::wgpu(Default::default()),
        #[cfg(feature = "vulkan")]
        Device::vulkan(Default::default()),
        #[cfg(feature = "cuda")]
        Device::cuda(0),
        #[cfg(feature = "rocm")]
        Device::rocm(0),
        #[cfg(feature = "metal")]
        Device::metal(Default::default()),
    ])
}

/// Tensors of the same numbers wherever an operation is run, and what comes out of it.
struct Place {
    device: Device,
    dtype: DType,
    made: u64,
    learned: Vec<Box<dyn Fn(&Gradients) -> Vec<f64>>>,
    values: Vec<Vec<f64>>,
}

impl Place {
    fn new(device: Device, dtype: DType) -> Self {
        Self {
            device: device.autodiff(),
            dtype,
            made: 0,
            learned: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Without a gradient.
    fn given<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        self.made += 1;
        numbers(shape, self.made, (&self.device, self.dtype))
    }

    /// Without a gradient and off the tape.
    fn plain<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        self.given(shape).inner()
    }

    /// With a gradient, which is looked at.
    fn learned<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let made = self.given(shape).require_grad();
        let kept = made.clone();
        let of_made = move |all: &Gradients| gradient(&kept, all);
        self.learned.push(Box::new(of_made));
        made
    }

    fn ids<const D: usize>(&mut self, shape: [usize; D], below: i64) -> Tensor<D, Int> {
        self.made += 1;
        let values = random(shape.iter().product(), self.made);
        let ids: Vec<i64> = values
            .iter()
            .map(|x| ((x + 1.0) * 1e6) as i64 % below)
            .collect();
        Tensor::from_data(TensorData::new(ids, shape), &self.device)
    }

    fn params(&mut self, channels: usize) -> BatchNormParams {
        BatchNormParams {
            weight: self.learned([channels]),
            bias: self.learned([channels]),
            epsilon: 1e-3,
        }
    }

    fn statistics(&mut self, channels: usize) -> BatchNormStatistics {
        BatchNormStatistics {
            mean: self.given([channels]),
            variance: self.given([channels]).abs() + 0.1,
        }
    }

    /// A number that is looked at.
    fn see<const D: usize>(&mut self, value: Tensor<D>) {
        let value = match value.is_autodiff() {
            true => value.inner(),
            false => value,
        };
        self.values.push(read(value));
    }

    /// The output is looked at, and the gradients of a loss of it.
    fn learn<const D: usize>(&mut self, output: Tensor<D>) {
        let weights = self.given(output.dims());
        let gradients = (output.clone() * weights).sum().backward();
        self.see(output);
        let found = self.learned.iter().map(|gradient| gradient(&gradients));
        self.values.extend(found);
    }
}

/// Runs the operation everywhere and compares.
fn check(operation: fn(&mut Place)) {
    let run = |device: Device, dtype| {
        let mut place = Place::new(device, dtype);
        operation(&mut place);
        place.values
    };
    let exact = run(Device::flex(), DType::F64);
    assert!(!exact.is_empty());
    for device in devices() {
        let found = run(device.clone(), DType::F32);
        assert_eq!(found.len(), exact.len());
        for (i, (found, exact)) in found.iter().zip(&exact).enumerate() {
            let name = format!("{device:?}: value {i}");
            assert_close(&name, found, exact, TOLERANCE, 1.0);
        }
    }
}

macro_rules! operations {
    ($($name:ident = $operation:expr;)+) => {
        $(#[test]
        fn $name() {
            check($operation);
        })+
    };
}

fn convolved(
    place: &mut Place,
    size: usize,
    stride: usize,
    padding: usize,
    groups: usize,
) -> Tensor<4> {
    let x = place.learned([2, 4, 9, 7]);
    let filters = place.learned([6, 4 / groups, size, size]);
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], groups);
    conv2d(x, filters, options)
}

fn normalised(place: &mut Place, relu: bool, is_residual: bool) {
    let x = place.learned([3, 5, 4, 6]);
    let residual = is_residual.then(|| place.learned([3, 5, 4, 6]));
    let tail = BatchNormTail { residual, relu };
    let params = place.params(5);
    let (output, statistics) = batch_norm_train(x, params, tail);
    place.see(statistics.mean);
    place.see(statistics.variance);
    place.learn(output);
}

fn stacked(place: &mut Place) -> Tensor<4> {
    let mut stack = FeatureStack::new(place.learned([2, 3, 4, 4]));
    let params = place.params(3);
    let (first, _) = stack.batch_norm_train(params, true);
    let pattern = place.given([2, 2, 4, 4]);
    stack.push(pattern * first.mean_dim(1));
    let params = place.params(5);
    let (second, statistics) = stack.batch_norm_train(params, true);
    place.see(statistics.mean);
    place.see(statistics.variance);
    second
}

fn attended(place: &mut Place, causal: bool, is_masked: bool) {
    let query = place.learned([2, 2, 5, 8]);
    let key = place.learned([2, 2, 7, 8]);
    let value = place.learned([2, 2, 7, 8]);
    let mask = is_masked.then(|| {
        // The first sequence is nothing but padding.
        let blocked: Vec<bool> = (0..14).map(|i| i < 7 || i > 10).collect();
        Tensor::<2, Bool>::from_data(TensorData::new(blocked, [2, 7]), &place.device)
    });
    place.learn(attention(query, key, value, mask, 0.35, causal));
}

fn updated(place: &mut Place, momentum: f64, nesterov: bool) {
    let step = SgdStep {
        learning_rate: 0.1,
        momentum,
        weight_decay: 0.01,
        nesterov,
    };
    let (mut weight, mut velocity) = (place.plain([300]), None);
    for _ in 0..3 {
        let gradient = place.plain([300]);
        (weight, velocity) = sgd_update(weight, gradient, velocity, &step);
    }
    place.see(weight);
}

operations! {
    convolution_3x3 = |p| { let y = convolved(p, 3, 1, 1, 1); p.learn(y); };
    convolution_of_stride_2 = |p| { let y = convolved(p, 3, 2, 1, 1); p.learn(y); };
    convolution_1x1 = |p| { let y = convolved(p, 1, 1, 0, 1); p.learn(y); };
    convolution_in_groups = |p| { let y = convolved(p, 3, 1, 1, 2); p.learn(y); };
    maxima_of_2x2 = |p| {
        let x = p.learned([2, 3, 7, 8]);
        p.learn(max_pool2d(x, [2, 2], [2, 2], [0, 0]));
    };
    maxima_of_3x3 = |p| {
        let x = p.learned([2, 3, 7, 8]);
        p.learn(max_pool2d(x, [3, 3], [2, 2], [1, 1]));
    };
    averages_of_2x2 = |p| {
        let x = p.learned([2, 3, 7, 8]);
        p.learn(avg_pool2d(x, [2, 2], [2, 2], [0, 0], false));
    };
    averages_of_planes = |p| { let x = p.learned([2, 3, 7, 8]); p.learn(global_avg_pool(x)); };
    batch_norm = |p| normalised(p, false, false);
    batch_norm_with_relu = |p| normalised(p, true, false);
    batch_norm_with_residual = |p| normalised(p, false, true);
    batch_norm_with_residual_and_relu = |p| normalised(p, true, true);
    batch_norm_of_given_statistics = |p| {
        let x = p.learned([3, 5, 4, 6]);
        let (params, statistics) = (p.params(5), p.statistics(5));
        let tail = BatchNormTail { residual: None, relu: true };
        p.learn(batch_norm_inference(x, params, statistics, tail));
    };
    batch_norm_of_a_stack = |p| { let y = stacked(p); p.learn(y); };
    batch_norm_of_a_stack_off_the_tape = |p| {
        let mut stack = FeatureStack::new(p.plain([2, 3, 4, 4]));
        stack.push(p.plain([2, 2, 4, 4]));
        let (params, statistics) = (p.params(5), p.statistics(5));
        let inner = |t: Tensor<1>| t.inner();
        let params = BatchNormParams {
            weight: inner(params.weight),
            bias: inner(params.bias),
            epsilon: params.epsilon,
        };
        let statistics = BatchNormStatistics {
            mean: inner(statistics.mean),
            variance: inner(statistics.variance),
        };
        let output = stack.batch_norm_inference(params, statistics, true);
        p.see(output);
    };
    linear_with_bias = |p| {
        let (x, weight, bias) = (p.learned([9, 6]), p.learned([6, 4]), p.learned([4]));
        p.learn(linear(x, weight, Some(bias)));
    };
    linear_without = |p| {
        let (x, weight) = (p.learned([9, 6]), p.learned([6, 4]));
        p.learn(linear(x, weight, None));
    };
    linear_by_a_table = |p| {
        let (x, table) = (p.learned([9, 6]), p.learned([20, 6]));
        p.learn(tied_linear(x, table));
    };
    norm_of_rows = |p| {
        let (x, weight, bias) = (p.learned([2, 5, 8]), p.learned([8]), p.learned([8]));
        p.learn(layer_norm(x, weight, bias, 1e-5));
    };
    softmax_of_rows = |p| { let x = p.learned([2, 5, 8]); p.learn(softmax(x)); };
    attention_to_all = |p| attended(p, false, false);
    attention_to_what_was_before = |p| attended(p, true, false);
    attention_to_what_is_no_padding = |p| attended(p, false, true);
    attention_to_both = |p| attended(p, true, true);
    entropy = |p| {
        let (logits, targets) = (p.learned([12, 10]), p.ids([12], 10));
        p.learn(cross_entropy(logits, targets, 0.0));
    };
    entropy_of_smoothed_targets = |p| {
        let (logits, targets) = (p.learned([12, 10]), p.ids([12], 10));
        p.learn(cross_entropy(logits, targets, 0.1));
    };
    dropped_out = |p| { let x = p.learned([4, 25]); p.learn(dropout(x, 0.3, 7)); };
    dropped_out_and_added = |p| {
        let (x, branch) = (p.learned([4, 25]), p.learned([4, 25]));
        p.learn(dropout_add(x, branch, 0.3, 7));
    };
    embedded = |p| {
        let (table, ids) = (p.learned([11, 6]), p.ids([3, 8], 11));
        p.learn(embedding(table, ids, Some(1)));
    };
    gelu = |p| { let (x, bias) = (p.learned([4, 6]), p.learned([6])); p.learn(bias_gelu(x * 3.0, bias)); };
    relu = |p| { let (x, bias) = (p.learned([4, 6]), p.learned([6])); p.learn(bias_relu(x, bias)); };
    held_on_their_sides = |p| {
        let (x, other) = (p.learned([2, 3, 4, 4]), p.learned([2, 3, 4, 4]));
        let pass = |x| max_pool2d(kinks::relu(x), [2, 2], [2, 2], [0, 0]);
        let (_, sides) = kinks::record(|| pass(x.clone()));
        let held = sides.hold(|| pass(x + other)).unwrap();
        p.learn(held);
    };
    vectors = |p| {
        let [x, y, z] = [(); 3].map(|()| p.plain([5000]));
        p.see(dot(x.clone(), y.clone()));
        for chord in squared_chords((0.5, x.clone()), (2.0, y.clone())) {
            p.see(chord);
        }
        let (direction, square) = scaled_ascent(x.clone(), y.clone(), 0.01);
        p.see(direction);
        p.see(square);
        p.see(combine((0.5, x), &[(2.0, y), (-1.0, z)]));
    };
    updates_of_sgd = |p| updated(p, 0.0, false);
    updates_of_sgd_with_momentum = |p| updated(p, 0.9, false);
    updates_of_sgd_looking_ahead = |p| updated(p, 0.9, true);
    updates_of_adam = |p| {
        let (mut weight, mut moments) = (p.plain([300]), None);
        for time in 1..4 {
            let step = AdamStep {
                learning_rate: 0.01,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.01,
                decoupled: true,
                time,
            };
            let gradient = p.plain([300]);
            let found = adam_update(weight, gradient, moments, &step);
            (weight, moments) = (found.0, Some(found.1));
        }
        p.see(weight);
    };
}
