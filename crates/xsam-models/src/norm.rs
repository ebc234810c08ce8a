//! Batch normalization with PyTorch's running statistics.

use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::{Device, Tensor};
use xsam_kernels::{
    BatchNormParams, BatchNormStatistics, BatchNormTail, BatchStatistics, FeatureStack,
    batch_norm_inference, batch_norm_train,
};

/// Share of the newest batch in the running statistics, PyTorch's default.
const MOMENTUM: f64 = 0.1;
/// Added to the variance before the square root, PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Batch normalization over every axis of `[batch, channels, ...]` but the channels.
///
/// It differs from [`burn::nn::BatchNorm`] in two respects, both so that a model agrees with its
/// PyTorch original:
///
/// * the parameters are called `weight` and `bias`;
/// * the running variance follows the *unbiased* batch variance (divisor `n - 1`, where `n` is the
///   number of values per channel), while the batch itself is normalized by the biased one.
///
/// A layer trains when its input lives on an autodiff device and `training` is enabled, the same
/// condition as Burn's; otherwise it normalizes by the running statistics and leaves them alone.
///
/// Two inputs have no variance to estimate. With one value per channel PyTorch raises an error;
/// here the biased variance, which is zero, enters the running statistics, and the output is
/// `bias`. An empty batch is treated as in evaluation: it cannot change anything.
///
/// Adapters of `burn-store` rename `weight` and `bias` of any struct with this name to Burn's
/// `gamma` and `beta`. Exchange weights through [`crate::weights`] instead.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale per channel, initially one.
    pub weight: Param<Tensor<1>>,
    /// Shift per channel, initially zero.
    pub bias: Param<Tensor<1>>,
    /// Running mean per channel, initially zero.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running unbiased variance per channel, initially one.
    pub running_var: RunningState<Tensor<1>>,
    /// Whether the layer takes part in training.
    pub training: Param<Flag>,
    /// Share of the newest batch in the running statistics.
    pub momentum: f64,
    /// Added to the variance before the square root.
    pub epsilon: f64,
}

impl BatchNorm {
    /// A layer for `channels` channels that starts as the identity.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([channels], device)),
            bias: Param::from_tensor(Tensor::zeros([channels], device)),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            training: Param::from_bool(true),
            momentum: MOMENTUM,
            epsilon: EPSILON,
        }
    }

    /// Normalizes `[batch, channels, ...]`; see [`BatchNorm`] for which statistics are used.
    ///
    /// # Panics
    ///
    /// If the input has fewer than two axes or its second axis is not the number of channels.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.normalize(input, None, BatchNormTail::default())
    }

    /// [`forward`](Self::forward) and a ReLU, in one pass.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_relu<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.normalize(input, None, rectified(None))
    }

    /// [`forward`](Self::forward), the addition of `residual`, and a ReLU, in one pass.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), and if the residual has another shape than the input.
    pub fn forward_add_relu<const D: usize>(
        &self,
        input: Tensor<D>,
        residual: Tensor<D>,
    ) -> Tensor<D> {
        self.normalize(input, None, rectified(Some(residual)))
    }

    /// [`forward_relu`](Self::forward_relu) of the input plus `shift`, one number a channel such as
    /// the bias of a convolution, without the pass that the addition would take.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), and if `shift` has another length than there are channels.
    pub fn forward_shifted_relu<const D: usize>(
        &self,
        input: Tensor<D>,
        shift: Tensor<1>,
    ) -> Tensor<D> {
        self.normalize(input, Some(shift), rectified(None))
    }

    /// [`forward`](Self::forward), or with `relu` [`forward_relu`](Self::forward_relu), of all maps of a
    /// stack together.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_stack<const D: usize>(
        &self,
        stack: &mut FeatureStack<D>,
        relu: bool,
    ) -> Tensor<D> {
        let (dims, device) = (stack.dims(), stack.device());
        if self.trains(dims, &device) {
            self.follow(&device, None, |params| stack.batch_norm_train(params, relu))
        } else {
            stack.batch_norm_inference(self.params(), self.statistics(&device, None), relu)
        }
    }

    fn normalize<const D: usize>(
        &self,
        input: Tensor<D>,
        shift: Option<Tensor<1>>,
        tail: BatchNormTail<D>,
    ) -> Tensor<D> {
        let (dims, device) = (input.dims(), input.device());
        if self.trains(dims, &device) {
            self.follow(&device, shift, |params| {
                batch_norm_train(input, params, tail)
            })
        } else {
            batch_norm_inference(input, self.params(), self.statistics(&device, shift), tail)
        }
    }

    fn trains<const D: usize>(&self, input: [usize; D], device: &Device) -> bool {
        let values: usize = input.iter().product();
        device.is_autodiff() && self.training.is_enabled() && values > 0
    }

    fn params(&self) -> BatchNormParams {
        BatchNormParams {
            weight: self.weight.val(),
            bias: self.bias.val(),
            epsilon: self.epsilon,
        }
    }

    /// The running statistics, of an input before a shift that is not added to it.
    fn statistics(&self, device: &Device, shift: Option<Tensor<1>>) -> BatchNormStatistics {
        let mean = self.running_mean.value().to_device(device);
        BatchNormStatistics {
            mean: match shift {
                Some(shift) => mean - shift,
                None => mean,
            },
            variance: self.running_var.value().to_device(device),
        }
    }

    /// Normalizes an input by the statistics of the batch, and lets the running statistics follow them.
    fn follow<const D: usize>(
        &self,
        device: &Device,
        shift: Option<Tensor<1>>,
        normalize: impl FnOnce(BatchNormParams) -> (Tensor<D>, BatchStatistics),
    ) -> Tensor<D> {
        let mut params = self.params();
        if let Some(shift) = &shift {
            // The batch's mean takes the shift off again. What is left of it is a gradient, of zero.
            params.bias = params.bias + shift.clone() * 0.0;
        }
        let (output, batch) = normalize(params);

        // n / (n - 1) has no value at n = 1; the biased variance is then exactly zero.
        let unbias = if batch.count > 1 {
            batch.count as f64 / (batch.count - 1) as f64
        } else {
            1.0
        };
        let mut mean = batch.mean.detach();
        if let Some(shift) = shift {
            mean = mean + shift.detach();
        }
        let keep = 1.0 - self.momentum;
        let mean = self.running_mean.value_sync().to_device(device) * keep + mean * self.momentum;
        let variance = self.running_var.value_sync().to_device(device) * keep
            + batch.variance.detach() * (self.momentum * unbias);
        self.running_mean.update(mean.detach());
        self.running_var.update(variance.detach());

        output
    }
}

fn rectified<const D: usize>(residual: Option<Tensor<D>>) -> BatchNormTail<D> {
    BatchNormTail {
        residual,
        relu: true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use burn::tensor::activation::relu;

    use super::*;

    fn device() -> Device {
        Device::flex().autodiff()
    }

    fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn statistics(layer: &BatchNorm) -> (Vec<f32>, Vec<f32>) {
        let layer = layer.valid();
        let (mean, variance) = (layer.running_mean.value(), layer.running_var.value());
        (read(mean), read(variance))
    }

    fn close(actual: &[f32], expected: &[f32]) {
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 1e-5, "{actual:?} is not {expected:?}");
        }
    }

    #[test]
    fn running_variance_is_unbiased_and_output_is_not() {
        let layer = BatchNorm::new(1, &device());
        let input = Tensor::<2>::from_floats([[2.0], [6.0]], &device());
        let output = read(layer.forward(input));

        // Mean 4, biased variance 4, unbiased 8.
        close(&output, &[-1.0, 1.0]);
        let (mean, variance) = statistics(&layer);
        close(&mean, &[0.4]);
        close(&variance, &[0.9 + 0.8]);
    }

    #[test]
    fn spatial_axes_count_as_samples_and_updates_compound() {
        let layer = BatchNorm::new(2, &device());
        let input = Tensor::<4>::from_floats(
            [[[[0.0, 1.0], [2.0, 3.0]], [[1.0, 1.0], [1.0, 5.0]]]],
            &device(),
        );
        layer.forward(input.clone());
        layer.forward(input);
        let (mean, variance) = statistics(&layer);
        // Channel means 1.5 and 2; unbiased variances 5/3 and 4.
        let twice = |start: f32, value: f32| 0.81 * start + 0.19 * value;
        close(&mean, &[twice(0.0, 1.5), twice(0.0, 2.0)]);
        close(&variance, &[twice(1.0, 5.0 / 3.0), twice(1.0, 4.0)]);
    }

    #[test]
    fn a_single_value_per_channel_stays_finite() {
        let layer = BatchNorm::new(2, &device());
        let input = Tensor::<2>::from_floats([[3.0, -2.0]], &device());
        let output = read(layer.forward(input));
        close(&output, &[0.0, 0.0]);
        let (mean, variance) = statistics(&layer);
        close(&mean, &[0.3, -0.2]);
        close(&variance, &[0.9, 0.9]);
    }

    #[test]
    fn evaluation_uses_the_running_statistics() {
        let layer = BatchNorm::new(1, &device());
        layer.forward(Tensor::<2>::from_floats([[2.0], [6.0]], &device()));
        let layer = layer.valid();
        let input = Tensor::<2>::from_floats([[2.0]], &Device::flex());
        let output = read(layer.forward(input));
        close(&output, &[1.6 / 1.7_f32.sqrt()]);
        close(&statistics(&layer).1, &[1.7]);
    }

    #[test]
    fn a_frozen_layer_neither_uses_nor_updates_batch_statistics() {
        let layer = BatchNorm::new(1, &device()).freeze();
        let input = Tensor::<2>::from_floats([[2.0], [6.0]], &device());
        let output = read(layer.forward(input));
        // The running variance is one: only epsilon is left of the normalization.
        let scale = 1.0 / (1.0 + EPSILON as f32).sqrt();
        close(&output, &[2.0 * scale, 6.0 * scale]);
        assert_eq!(statistics(&layer), (vec![0.0], vec![1.0]));
    }

    #[test]
    fn an_empty_batch_changes_nothing() {
        let layer = BatchNorm::new(1, &device());
        let output = layer.forward(Tensor::<2>::zeros([0, 1], &device()));
        assert_eq!(output.dims(), [0, 1]);
        assert_eq!(statistics(&layer), (vec![0.0], vec![1.0]));
    }

    #[test]
    fn the_fused_forms_are_the_sequence_in_training_and_evaluation() {
        let input = Tensor::<3>::from_floats(
            [[[0.5, -1.0], [2.0, 3.0]], [[1.5, 1.0], [-1.0, 5.0]]],
            &device(),
        )
        .require_grad();
        let shift = Tensor::<1>::from_floats([0.5, -3.0], &device()).require_grad();
        let shifted = || input.clone() + shift.clone().reshape([1, 2, 1]);
        type Form<'a> = &'a dyn Fn(&BatchNorm) -> Tensor<3>;
        let pairs: [(Form<'_>, Form<'_>); 3] = [
            (&|layer| layer.forward_relu(input.clone()), &|layer| {
                relu(layer.forward(input.clone()))
            }),
            (
                &|layer| layer.forward_add_relu(input.clone(), input.clone()),
                &|layer| relu(layer.forward(input.clone()) + input.clone()),
            ),
            (
                &|layer| layer.forward_shifted_relu(input.clone(), shift.clone()),
                &|layer| relu(layer.forward(shifted())),
            ),
        ];
        for (fused, sequence) in pairs {
            for frozen in [false, true] {
                let run = |f: Form<'_>| {
                    let mut layer = BatchNorm::new(2, &device());
                    layer.forward(shifted());
                    if frozen {
                        layer = layer.freeze();
                    }
                    let output = f(&layer);
                    let grads = output.clone().powf_scalar(2.0).sum().backward();
                    let none = || shift.clone().inner() * 0.0;
                    let of_shift = shift.grad(&grads).unwrap_or_else(none);
                    let all = [output, input.grad(&grads).unwrap()].map(read);
                    let (mean, variance) = statistics(&layer);
                    [all.concat(), read(of_shift), mean, variance].concat()
                };
                close(&run(fused), &run(sequence));
            }
        }
    }

    #[test]
    fn a_stack_is_normalized_like_one_tensor() {
        let map = |values: [f32; 4]| {
            Tensor::<1>::from_floats(values, &device())
                .reshape([2, 1, 2])
                .require_grad()
        };
        let maps = [map([0.5, -1.0, 2.0, 3.0]), map([1.5, 1.0, -1.0, 5.0])];
        for (relu, frozen) in [(false, false), (true, false), (false, true), (true, true)] {
            let run = |stacked: bool| {
                let mut layer = BatchNorm::new(2, &device());
                layer.forward(Tensor::cat(maps.to_vec(), 1) + 1.0);
                if frozen {
                    layer = layer.freeze();
                }
                let joined = Tensor::cat(maps.to_vec(), 1);
                let output: Tensor<3> = match (stacked, relu) {
                    (true, _) => {
                        let mut stack = FeatureStack::new(maps[0].clone());
                        stack.push(maps[1].clone());
                        layer.forward_stack(&mut stack, relu)
                    }
                    (false, true) => layer.forward_relu(joined),
                    (false, false) => layer.forward(joined),
                };
                let grads = output.clone().powf_scalar(2.0).sum().backward();
                let gradients = maps.each_ref().map(|map| map.grad(&grads).unwrap());
                let (mean, variance) = statistics(&layer);
                [read(output), gradients.map(read).concat(), mean, variance].concat()
            };
            close(&run(true), &run(false));
        }
    }
}
