//! Batch norm on the Flex back end: the kernels in `f32`, the composition otherwise.

use burn::backend::{Flex, TensorMetadata};

use super::{
    BatchNormKernels, BatchNormOps, Inputs, Normalised, Residual, Saved, SavedTail, Slopes,
    Statistics, composed,
};
use crate::cpu::batch_norm as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

fn dims(x: &Flat) -> cpu::Dims {
    let shape = x.shape();
    cpu::Dims {
        images: shape[0],
        channels: shape[1],
        plane: (2..shape.num_dims()).map(|d| shape[d]).product(),
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
            dims: dims(&x),
            x: x.storage(),
            weight: weight.storage(),
            bias: bias.storage(),
            epsilon: inputs.epsilon,
            statistics: statistics
                .as_ref()
                .map(|[mean, variance]| [mean.storage(), variance.storage()]),
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
        let slopes = cpu::backward(cpu::Backward {
            dims: dims(&x),
            gradient: dense.storage(),
            x: x.storage(),
            weight: weight.storage(),
            bias: bias.storage(),
            mean: mean.storage(),
            variance: variance.storage(),
            epsilon: saved.epsilon,
            mask: match (&saved.tail, &output) {
                (_, Some(output)) => cpu::Mask::FromOutput(output.storage()),
                (SavedTail::Relu, None) => cpu::Mask::FromInput,
                _ => cpu::Mask::None,
            },
        });
        Slopes {
            residual: match &saved.tail {
                SavedTail::Residual => Some(gradient),
                _ => slopes.masked.map(|masked| tensor(masked, x.shape())),
            },
            x: tensor(slopes.x, x.shape()),
            weight: tensor(slopes.weight, weight.shape()),
            bias: tensor(slopes.bias, weight.shape()),
        }
    }
}
