//! Batch norm on the tape.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Scalar};

use super::{
    BatchNormKernels, BatchNormOps, Inputs, Normalised, Residual, Saved, SavedTail, Slopes,
    Statistics, inverse_deviation,
};

#[derive(Debug)]
struct BatchNormBackward;

impl<B: BatchNormKernels> Backward<B, 6> for BatchNormBackward {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Saved<B>, 6>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let saved = ops.state;
        let given = saved.given.then(|| Given {
            weight: saved.weight.clone(),
            variance: saved.variance.clone(),
            epsilon: saved.epsilon,
        });
        let slopes = B::batch_norm_backward(gradient, saved);
        let [mean, variance] = match given {
            Some(given) => given.slopes(&slopes).map(Some),
            None => [None, None],
        };
        let slopes = [
            Some(slopes.x),
            Some(slopes.weight),
            Some(slopes.bias),
            slopes.residual,
            mean,
            variance,
        ];
        for (parent, slope) in ops.parents.into_iter().zip(slopes) {
            if let (Some(node), Some(slope)) = (parent, slope) {
                grads.register::<B>(node.id, slope);
            }
        }
    }
}

/// What the gradients of given statistics need of the forward pass.
struct Given<B: Backend> {
    weight: FloatTensor<B>,
    variance: FloatTensor<B>,
    epsilon: f64,
}

impl<B: Backend> Given<B> {
    /// The gradients of the mean and of the variance: a mean moves every value of its channel against the bias,
    /// and a variance scales them as the weight does.
    fn slopes(self, slopes: &Slopes<B>) -> [FloatTensor<B>; 2] {
        let inverse = inverse_deviation::<B>(self.variance, self.epsilon);
        let scale = B::float_mul(self.weight, inverse.clone());
        let mean = B::float_neg(B::float_mul(slopes.bias.clone(), scale.clone()));
        let by_scale = B::float_mul(slopes.weight.clone(), B::float_mul(scale, inverse));
        let variance = B::float_mul_scalar(by_scale, Scalar::Float(-0.5));
        [mean, variance]
    }
}

impl<B: BatchNormKernels, C: CheckpointStrategy> BatchNormOps for Autodiff<B, C> {
    fn normalise(inputs: Inputs<Self>) -> Normalised<Self> {
        // The number of parents is part of the operation's type: the input stands in for what is not there,
        // and gets no gradient for it.
        let [for_residual, for_mean, for_variance] = [(); 3].map(|()| inputs.x.node());
        let (x, x_node) = inputs.x.into_parts();
        let (weight, weight_node) = inputs.weight.into_parts();
        let (bias, bias_node) = inputs.bias.into_parts();
        let given = matches!(inputs.statistics, Statistics::Given { .. });
        let (statistics, mean_node, variance_node) = match inputs.statistics {
            Statistics::OfBatch => (Statistics::OfBatch, for_mean, for_variance),
            Statistics::Given { mean, variance } => {
                let (mean, mean_node) = mean.into_parts();
                let (variance, variance_node) = variance.into_parts();
                let given = Statistics::Given { mean, variance };
                (given, mean_node, variance_node)
            }
        };
        let (residual, residual_node) = match inputs.residual {
            Residual::None => (Residual::None, for_residual),
            Residual::Added(residual) => {
                let (residual, node) = residual.into_parts();
                (Residual::Added(residual), node)
            }
        };
        let has_residual = matches!(residual, Residual::Added(_));
        let result = B::batch_norm_forward(Inputs {
            x: x.clone(),
            weight: weight.clone(),
            bias: bias.clone(),
            epsilon: inputs.epsilon,
            statistics,
            residual,
            relu: inputs.relu,
        });
        let nodes = [
            x_node,
            weight_node,
            bias_node,
            residual_node,
            mean_node,
            variance_node,
        ];
        let output = match BatchNormBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::UnTracked(prep) => prep.finish(result.output),
            OpsKind::Tracked(prep) => {
                let saved = Saved {
                    x,
                    weight,
                    bias,
                    mean: result.mean.clone(),
                    variance: result.variance.clone(),
                    epsilon: inputs.epsilon,
                    given,
                    tail: match (has_residual, inputs.relu) {
                        (false, false) => SavedTail::Nothing,
                        (true, false) => SavedTail::Residual,
                        (false, true) => SavedTail::Relu,
                        (true, true) => SavedTail::ResidualRelu(result.output.clone()),
                    },
                };
                prep.finish(saved, result.output)
            }
        };
        Normalised {
            output,
            mean: Self::from_inner(result.mean),
            variance: Self::from_inner(result.variance),
        }
    }
}
