//! Batch norm composed of Burn's operations, for any back end and number format.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;

use super::{
    Inputs, Normalised, Residual, Saved, SavedTail, Slopes, Statistics, inverse_deviation,
};

pub(super) fn forward<B: Backend>(inputs: Inputs<B>) -> Normalised<B> {
    let Inputs {
        x,
        weight,
        bias,
        epsilon,
        ..
    } = inputs;
    let (mut output, mean, variance) = match inputs.statistics {
        Statistics::OfBatch => {
            let result = B::batch_norm_train(x, weight, bias, epsilon);
            (result.output, result.mean, result.variance)
        }
        Statistics::Given { mean, variance } => {
            let output = B::batch_norm(x, weight, bias, mean.clone(), variance.clone(), epsilon);
            (output, mean, variance)
        }
    };
    if let Residual::Added(residual) = inputs.residual {
        output = B::float_add(output, residual);
    }
    if inputs.relu {
        output = B::relu(output);
    }
    Normalised {
        output,
        mean,
        variance,
    }
}

pub(super) fn backward<B: Backend>(gradient: FloatTensor<B>, saved: Saved<B>) -> Slopes<B> {
    let Saved {
        x,
        weight,
        bias,
        mean,
        variance,
        epsilon,
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
    let x_grad = match scale {
        Some(scale) => B::float_mul(gradient.clone(), scale),
        None => result.x_grad,
    };
    Slopes {
        x: x_grad,
        weight: result.gamma_grad,
        bias: result.beta_grad,
        residual: has_residual.then_some(gradient),
    }
}
