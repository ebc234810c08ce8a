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

use super::{Link, Normalised, StackInputs, StackKernels, StackOps};

#[derive(Debug)]
struct TieBackward;

impl<B: StackKernels> Backward<B, 2> for TieBackward {
    type State = Link;

    fn backward(self, ops: Ops<Link, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [_, new] = ops.parents;
        if let (Some(node), Some(slope)) = (new, ops.state.take_sum::<B>()) {
            grads.register::<B>(node.id, slope);
        }
    }
}

#[derive(Debug)]
struct StackBackward;

impl<B: StackKernels> Backward<B, 3> for StackBackward {
    /// The inputs, with the mean and the variance of all channels, and the maps.
    type State = (StackInputs<B>, Vec<Link>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (inputs, links) = ops.state;
        let maps = links.iter().map(Link::map::<B>).collect();
        let so_far = links.iter().map(Link::take_sum::<B>).collect();
        let slopes = B::stack_backward(gradient, maps, inputs, so_far);
        let [last, weight, bias] = ops.parents;
        if last.is_some() {
            for (link, slope) in links.iter().zip(slopes.maps) {
                link.put_sum::<B>(slope);
            }
        }
        for (parent, slope) in [(weight, slopes.weight), (bias, slopes.bias)] {
            if let Some(node) = parent {
                grads.register::<B>(node.id, slope);
            }
        }
    }
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
        inputs: StackInputs<Self>,
    ) -> Normalised<Self> {
        let (_, last) = last.into_parts();
        let (weight, weight_node) = inputs.weight.into_parts();
        let (bias, bias_node) = inputs.bias.into_parts();
        let inputs = StackInputs {
            weight,
            bias,
            epsilon: inputs.epsilon,
            mean: Self::inner(inputs.mean),
            variance: Self::inner(inputs.variance),
            relu: inputs.relu,
        };
        let maps = links.iter().map(Link::map::<B>).collect();
        let result = B::stack_forward(maps, inputs.clone());
        let output = match StackBackward
            .prepare::<C>([last, weight_node, bias_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::UnTracked(prep) => prep.finish(result.output),
            OpsKind::Tracked(prep) => {
                let saved = StackInputs {
                    mean: result.mean.clone(),
                    variance: result.variance.clone(),
                    ..inputs
                };
                prep.finish((saved, links), result.output)
            }
        };
        Normalised {
            output,
            mean: Self::from_inner(result.mean),
            variance: Self::from_inner(result.variance),
        }
    }
}
