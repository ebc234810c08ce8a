//! Operations with a backward pass of their own, on the tape of Burn's autodiff.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

/// The gradients of an operation's inputs, from that of its output and from what the forward pass saved. The flags
/// say which inputs want one; another's is dropped.
pub(crate) type Pass<B, S, const N: usize> =
    fn(FloatTensor<B>, S, [bool; N]) -> [Option<FloatTensor<B>>; N];

/// Puts an operation with this output on the tape, if one of its inputs, the `nodes`, is tracked.
pub(crate) fn record<B, C, S, const N: usize>(
    nodes: [NodeGuard; N],
    saved: S,
    output: FloatTensor<B>,
    backward: Pass<B, S, N>,
) -> FloatTensor<Autodiff<B, C>>
where
    B: Backend,
    C: CheckpointStrategy,
    S: Clone + Send + std::fmt::Debug + 'static,
{
    let step = Step::<B, S, N>(backward);
    match step.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(saved, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct Step<B: Backend, S, const N: usize>(Pass<B, S, N>);

impl<B, S, const N: usize> Backward<B, N> for Step<B, S, N>
where
    B: Backend,
    S: Clone + Send + std::fmt::Debug + 'static,
{
    type State = S;

    fn backward(self, ops: Ops<S, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let results = (self.0)(gradient, ops.state, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(results) {
            if let (Some(node), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}
