//! Stacks of feature maps on the tape.
//!
//! An operation on the tape has a fixed number of parents, and a stack any number of maps: so each map
//! is tied to the one before it, and a batch norm to the last one only. It puts the gradients of the
//! maps into their sums, from where the links, which come later in the backward pass, hand them on.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend};

use super::super::{Channels, Normalised};
use super::{Link, StackKernels, StackOps};
use crate::tape::record;

#[derive(Debug)]
struct TieBackward;

impl<B: StackKernels> Backward<B, 2> for TieBackward {
    type State = Link;

    fn backward(self, ops: Ops<Link, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [_, new] = ops.parents;
        if let (Some(node), Some(gradient)) = (new, ops.state.take_sum::<B>()) {
            grads.register::<B>(node.id, gradient);
        }
    }
}

/// The gradients of the last map, which gets none here, of the weight and of the bias; `channels` has the statistics of
/// all.
fn backward<B: StackKernels>(
    gradient: FloatTensor<B>,
    (channels, relu, links): (Channels<B>, bool, Vec<Link>),
    [is_stack_tracked, ..]: [bool; 3],
) -> [Option<FloatTensor<B>>; 3] {
    let maps = links.iter().map(Link::map::<B>).collect();
    let so_far = links.iter().map(Link::take_sum::<B>).collect();
    let gradients = B::stack_backward(gradient, maps, channels, relu, so_far);
    if is_stack_tracked {
        for (link, gradient) in links.iter().zip(gradients.maps) {
            link.put_sum::<B>(gradient);
        }
    }
    [None, Some(gradients.weight), Some(gradients.bias)]
}

impl<B: StackKernels, C: CheckpointStrategy> StackOps for Autodiff<B, C> {
    fn tie(before: FloatTensor<Self>, new: FloatTensor<Self>, link: Link) -> FloatTensor<Self> {
        let (_, before) = before.into_parts();
        let (new, node) = new.into_parts();
        link.set_map::<B>(new.clone());
        match TieBackward
            .prepare::<C>([before, node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(link, new),
            OpsKind::UnTracked(prep) => prep.finish(new),
        }
    }

    fn normalise_stack(
        last: FloatTensor<Self>,
        links: Vec<Link>,
        channels: Channels<Self>,
        relu: bool,
    ) -> Normalised<Self> {
        let (_, last) = last.into_parts();
        let (weight, weight_node) = channels.weight.into_parts();
        let (bias, bias_node) = channels.bias.into_parts();
        let channels = Channels::<B> {
            weight,
            bias,
            epsilon: channels.epsilon,
            mean: Self::inner(channels.mean),
            variance: Self::inner(channels.variance),
        };
        let maps = links.iter().map(Link::map::<B>).collect();
        let result = B::stack_forward(maps, channels.clone(), relu);
        let saved = (channels.with_statistics_of(&result), relu, links);
        let nodes = [last, weight_node, bias_node];
        Normalised {
            output: record::<B, C, _, _>(nodes, saved, result.output, backward::<B>),
            mean: Self::from_inner(result.mean),
            variance: Self::from_inner(result.variance),
        }
    }
}
