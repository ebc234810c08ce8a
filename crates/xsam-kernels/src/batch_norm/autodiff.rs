//! Batch norm on the tape.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::NodeGuard;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Scalar};

use super::{
    BatchNormOps, BatchNormRanks, Channels, InputGradients, Normalised, OfAllRanks, Saved,
    SavedTail, inverse_deviation, ranks,
};
use crate::optional::Optional;
use crate::tape::record;

/// The gradients of the mean and of the variance, if they were given: a mean moves every value of its channel against the
/// bias, and a variance scales them as the weight does.
fn of_statistics<B: Backend>(
    channels: Channels<B>,
    gradients: &InputGradients<B>,
) -> [FloatTensor<B>; 2] {
    let inverse = inverse_deviation::<B>(channels.variance, channels.epsilon);
    let scale = B::float_mul(channels.weight, inverse.clone());
    let mean = B::float_neg(B::float_mul(gradients.bias.clone(), scale.clone()));
    let by_scale = B::float_mul(gradients.weight.clone(), B::float_mul(scale, inverse));
    let variance = B::float_mul_scalar(by_scale, Scalar::Float(-0.5));
    [mean, variance]
}

fn backward<B: BatchNormOps>(
    gradient: FloatTensor<B>,
    (saved, ranks): (Saved<B>, Option<(BatchNormRanks, usize)>),
    _: [bool; 6],
) -> [Option<FloatTensor<B>>; 6] {
    let given = (saved.given && ranks.is_none()).then(|| saved.channels.clone());
    let gradients = match ranks {
        Some((ranks, values)) => ranks::backward::<B>(gradient, saved, &ranks, values),
        None => B::normalise_backward(gradient, saved),
    };
    let [mean, variance] = match given {
        Some(channels) => of_statistics::<B>(channels, &gradients).map(Some),
        None => [None, None],
    };
    [
        Some(gradients.x),
        Some(gradients.weight),
        Some(gradients.bias),
        gradients.residual.get(),
        mean,
        variance,
    ]
}

/// The inputs without their places on the tape, and these.
struct Inputs<B: Backend> {
    x: FloatTensor<B>,
    channels: Channels<B>,
    residual: Optional<B>,
    nodes: [NodeGuard; 6],
}

impl<B: Backend> Inputs<B> {
    fn new<C: CheckpointStrategy>(
        x: FloatTensor<Autodiff<B, C>>,
        channels: Channels<Autodiff<B, C>>,
        residual: Optional<Autodiff<B, C>>,
    ) -> Self {
        // The number of parents is part of the operation's type: the input stands in for a residual that is not
        // there, and gets no gradient for it.
        let for_residual = x.node();
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = channels.weight.into_parts();
        let (bias, bias_node) = channels.bias.into_parts();
        let (mean, mean_node) = channels.mean.into_parts();
        let (variance, variance_node) = channels.variance.into_parts();
        let (residual, residual_node) = match residual {
            Optional::None => (Optional::None, for_residual),
            Optional::Some(residual) => {
                let (residual, node) = residual.into_parts();
                (Optional::Some(residual), node)
            }
        };
        Self {
            x,
            channels: Channels {
                weight,
                bias,
                epsilon: channels.epsilon,
                mean,
                variance,
            },
            residual,
            nodes: [
                x_node,
                weight_node,
                bias_node,
                residual_node,
                mean_node,
                variance_node,
            ],
        }
    }
}

impl<B: BatchNormOps> Inputs<B> {
    /// Puts the result of `forward` on the tape. If it took the statistics of several ranks, it says which and of how many
    /// values.
    fn recorded<C: CheckpointStrategy>(
        self,
        relu: bool,
        forward: impl FnOnce(
            FloatTensor<B>,
            Channels<B>,
            Optional<B>,
        ) -> (Normalised<B>, Option<(BatchNormRanks, usize)>),
    ) -> Normalised<Autodiff<B, C>> {
        let Self {
            x,
            channels,
            residual,
            nodes,
        } = self;
        let has_residual = matches!(residual, Optional::Some(_));
        let (result, ranks) = forward(x.clone(), channels.clone(), residual);
        let saved = Saved {
            x,
            given: channels.are_known() || ranks.is_some(),
            channels: channels.with_statistics_of(&result),
            tail: match (has_residual, relu) {
                (false, false) => SavedTail::Nothing,
                (true, false) => SavedTail::Residual,
                (false, true) => SavedTail::Relu,
                (true, true) => SavedTail::ResidualRelu(result.output.clone()),
            },
        };
        Normalised {
            output: record::<B, C, _, _>(nodes, (saved, ranks), result.output, backward::<B>),
            mean: Autodiff::<B, C>::from_inner(result.mean),
            variance: Autodiff::<B, C>::from_inner(result.variance),
        }
    }
}

impl<B: BatchNormOps, C: CheckpointStrategy> BatchNormOps for Autodiff<B, C> {
    fn normalise(
        x: FloatTensor<Self>,
        channels: Channels<Self>,
        residual: Optional<Self>,
        relu: bool,
    ) -> Normalised<Self> {
        let inputs = Inputs::new(x, channels, residual);
        inputs.recorded(relu, |x, channels, residual| {
            (B::normalise(x, channels, residual, relu), None)
        })
    }

    fn normalise_over_ranks(
        x: FloatTensor<Self>,
        channels: Channels<Self>,
        residual: Optional<Self>,
        relu: bool,
        ranks: BatchNormRanks,
    ) -> OfAllRanks<Self> {
        let mut all = 0;
        let inputs = Inputs::new(x, channels, residual);
        let result = inputs.recorded(relu, |x, channels, residual| {
            let OfAllRanks { result, values } =
                ranks::forward::<B>(x, channels, residual, relu, &ranks);
            all = values;
            (result, Some((ranks, values)))
        });
        OfAllRanks {
            result,
            values: all,
        }
    }
}
