//! Batch norm on the tape.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, AutodiffBackend};

use super::{
    BatchNormKernels, BatchNormOps, Inputs, Normalised, Residual, Saved, SavedTail, Statistics,
    composed,
};

#[derive(Debug)]
struct BatchNormBackward;

impl<B: BatchNormKernels> Backward<B, 4> for BatchNormBackward {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Saved<B>, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let slopes = B::batch_norm_backward(gradient, ops.state);
        let slopes = [
            Some(slopes.x),
            Some(slopes.weight),
            Some(slopes.bias),
            slopes.residual,
        ];
        for (parent, slope) in ops.parents.into_iter().zip(slopes) {
            if let (Some(node), Some(slope)) = (parent, slope) {
                grads.register::<B>(node.id, slope);
            }
        }
    }
}

impl<B: BatchNormKernels, C: CheckpointStrategy> Inputs<Autodiff<B, C>> {
    fn is_tracked(&self) -> bool {
        let mut tensors = vec![&self.x, &self.weight, &self.bias];
        if let Statistics::Given { mean, variance } = &self.statistics {
            tensors.extend([mean, variance]);
        }
        if let Residual::Added(residual) = &self.residual {
            tensors.push(residual);
        }
        tensors.into_iter().any(|tensor| tensor.is_tracked())
    }
}

impl<B: BatchNormKernels, C: CheckpointStrategy> BatchNormOps for Autodiff<B, C> {
    fn normalise(inputs: Inputs<Self>) -> Normalised<Self> {
        let given = matches!(inputs.statistics, Statistics::Given { .. });
        if given && inputs.is_tracked() {
            return composed::forward(inputs);
        }
        let stand_in = inputs.x.node();
        let (x, x_node) = inputs.x.into_parts();
        let (weight, weight_node) = inputs.weight.into_parts();
        let (bias, bias_node) = inputs.bias.into_parts();
        let statistics = match inputs.statistics {
            Statistics::OfBatch => Statistics::OfBatch,
            Statistics::Given { mean, variance } => Statistics::Given {
                mean: Self::inner(mean),
                variance: Self::inner(variance),
            },
        };
        let (residual, residual_node) = match inputs.residual {
            // The number of parents is part of the operation's type: the input stands in for the
            // residual, and gets no gradient for it.
            Residual::None => (Residual::None, stand_in),
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
        let nodes = [x_node, weight_node, bias_node, residual_node];
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
