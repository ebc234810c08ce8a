//! Batch norm composed of Burn's operations, for any back end and number format.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use super::{Inputs, Normalised, Residual, Saved, SavedTail, Slopes, Statistics};

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
    let result = B::batch_norm_train_backward(x, weight, mean, variance, epsilon, gradient.clone());
    Slopes {
        x: result.x_grad,
        weight: result.gamma_grad,
        bias: result.beta_grad,
        residual: has_residual.then_some(gradient),
    }
}
