//! Batch norm on the Flex back end: the kernels in `f32`, the composition otherwise.

use burn::backend::{Flex, TensorMetadata};

use super::{
    BatchNormKernels, BatchNormOps, Inputs, Normalised, Residual, Saved, SavedTail, Slopes,
    Statistics, composed,
};
use crate::cpu::batch_norm as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

/// The dimensions of a tensor like this one with so many channels.
pub(super) fn dims(x: &Flat, channels: usize) -> cpu::Dims {
    let shape = x.shape();
    cpu::Dims {
        images: shape[0],
        channels,
        plane: (2..shape.num_dims()).map(|d| shape[d]).product(),
    }
}

/// A tensor, whose values lie side by side, as some of the channels.
pub(super) fn part(x: &Flat) -> cpu::Part<'_> {
    cpu::Part {
        data: x.storage(),
        channels: x.shape()[1],
    }
}

impl BatchNormOps for Flex {
    fn normalise(inputs: Inputs<Self>) -> Normalised<Self> {
        Self::batch_norm_forward(inputs)
    }
}

impl BatchNormKernels for Flex {
    fn batch_norm_forward(inputs: Inputs<Self>) -> Normalised<Self> {
        let _timer = Timer::start("batch norm, forward");
        let statistics = match &inputs.statistics {
            Statistics::OfBatch => None,
            Statistics::Given { mean, variance } => Some([mean, variance]),
        };
        let residual = match &inputs.residual {
            Residual::None => None,
            Residual::Added(residual) => Some(residual),
        };
        let always = [&inputs.x, &inputs.weight, &inputs.bias];
        let at_times = statistics.into_iter().flatten().chain(residual);
        if !takes(always.into_iter().chain(at_times)) {
            return composed::forward(inputs);
        }
        let [x, weight, bias] = always.map(Flat::to_contiguous);
        let statistics = statistics.map(|pair| pair.map(Flat::to_contiguous));
        let residual = residual.map(Flat::to_contiguous);
        let result = cpu::forward(cpu::Forward {
            dims: dims(&x, x.shape()[1]),
            parts: &[part(&x)],
            weight: weight.storage(),
            bias: bias.storage(),
            epsilon: inputs.epsilon,
            known: statistics.as_ref().map_or([&[]; 2], |[mean, variance]| {
                [mean.storage(), variance.storage()]
            }),
            residual: residual.as_ref().map(|residual| residual.storage()),
            relu: inputs.relu,
        });
        Normalised {
            output: tensor(result.output, x.shape()),
            mean: tensor(result.mean, weight.shape()),
            variance: tensor(result.variance, weight.shape()),
        }
    }

    fn batch_norm_backward(gradient: Flat, saved: Saved<Self>) -> Slopes<Self> {
        let _timer = Timer::start("batch norm, backward");
        let output = match &saved.tail {
            SavedTail::ResidualRelu(output) => Some(output),
            _ => None,
        };
        let always = [
            &gradient,
            &saved.x,
            &saved.weight,
            &saved.bias,
            &saved.mean,
            &saved.variance,
        ];
        if !takes(always.into_iter().chain(output)) {
            return composed::backward(gradient, saved);
        }
        let [dense, x, weight, bias, mean, variance] = always.map(Flat::to_contiguous);
        let output = output.map(Flat::to_contiguous);
        let pass = cpu::Backward {
            dims: dims(&x, x.shape()[1]),
            gradient: dense.storage(),
            parts: &[part(&x)],
            weight: weight.storage(),
            bias: bias.storage(),
            mean: mean.storage(),
            variance: variance.storage(),
            epsilon: saved.epsilon,
            given: saved.given,
            mask: match (&saved.tail, &output) {
                (_, Some(output)) => cpu::Mask::FromOutput(output.storage()),
                (SavedTail::Relu, None) => cpu::Mask::FromInput,
                _ => cpu::Mask::None,
            },
        };
        let mut slopes = cpu::backward(pass, vec![cpu::Target::New]);
        Slopes {
            residual: match &saved.tail {
                SavedTail::Residual => Some(gradient),
                _ => slopes.masked.map(|masked| tensor(masked, x.shape())),
            },
            x: tensor(slopes.parts.pop().unwrap_or_default(), x.shape()),
            weight: tensor(slopes.weight, weight.shape()),
            bias: tensor(slopes.bias, weight.shape()),
        }
    }
}
