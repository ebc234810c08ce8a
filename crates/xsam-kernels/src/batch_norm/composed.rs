//! Batch norm composed of Burn's operations, for any back end and number format.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;

use super::{Channels, InputGradients, Normalised, Saved, SavedTail, inverse_deviation};
use crate::optional::Optional;

pub(super) fn forward<B: Backend>(
    x: FloatTensor<B>,
    channels: Channels<B>,
    residual: Optional<B>,
    relu: bool,
) -> Normalised<B> {
    let all_known = channels.are_known();
    let Channels {
        weight,
        bias,
        epsilon,
        mean,
        variance,
    } = channels;
    let mut result = if all_known {
        Normalised {
            output: B::batch_norm(x, weight, bias, mean.clone(), variance.clone(), epsilon),
            mean,
            variance,
        }
    } else {
        let result = B::batch_norm_train(x, weight, bias, epsilon);
        Normalised {
            output: result.output,
            mean: result.mean,
            variance: result.variance,
        }
    };
    if let Optional::Some(residual) = residual {
        result.output = B::float_add(result.output, residual);
    }
    if relu {
        result.output = B::relu(result.output);
    }
    result
}

pub(super) fn backward<B: Backend>(gradient: FloatTensor<B>, saved: Saved<B>) -> InputGradients<B> {
    let Saved {
        x,
        channels:
            Channels {
                weight,
                bias,
                epsilon,
                mean,
                variance,
            },
        given,
        tail,
    } = saved;
    let has_residual = matches!(tail, SavedTail::Residual | SavedTail::ResidualRelu(_));
    let gradient = match tail {
        SavedTail::Nothing | SavedTail::Residual => gradient,
        SavedTail::ResidualRelu(output) => B::relu_backward(output, gradient),
        SavedTail::Relu => {
            let (x, weight, mean) = (x.clone(), weight.clone(), mean.clone());
            let before = B::batch_norm(x, weight, bias, mean, variance.clone(), epsilon);
            B::relu_backward(before, gradient)
        }
    };
    let scale = given.then(|| {
        let mut per_channel = vec![1; x.shape().num_dims()];
        per_channel[1] = x.shape()[1];
        let inverse = inverse_deviation::<B>(variance.clone(), epsilon);
        B::float_reshape(
            B::float_mul(weight.clone(), inverse),
            Shape::from(per_channel),
        )
    });
    let result = B::batch_norm_train_backward(x, weight, mean, variance, epsilon, gradient.clone());
    InputGradients {
        x: match scale {
            Some(scale) => B::float_mul(gradient.clone(), scale),
            None => result.x_grad,
        },
        weight: result.gamma_grad,
        bias: result.beta_grad,
        residual: Optional::new(has_residual.then_some(gradient)),
    }
}
