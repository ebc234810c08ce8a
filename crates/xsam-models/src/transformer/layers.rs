//! The parts of a layer that are not attention.

use burn::tensor::Tensor;
use xsam_names::named_enum;

use super::dropout::Dropout;
use crate::LayerNorm;

/// `x` normalized, if there is a norm.
pub(super) fn normalized(norm: Option<&LayerNorm>, x: Tensor<2>) -> Tensor<2> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}

named_enum! {
    /// Where a residual branch is normalized.
    pub enum NormPlacement ("place of the normalization") {
        /// After the branch has been added, as in the paper.
        Post = "post",
        /// Before the branch, whose sum is normalized once, after the last layer.
        Pre = "pre",
    }
}

impl NormPlacement {
    /// `x` and the branch that `branch` makes of it.
    pub(super) fn residual(
        self,
        norm: &LayerNorm,
        dropout: &mut Dropout,
        x: Tensor<2>,
        branch: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        match self {
            Self::Post => {
                let branch = branch(x.clone());
                norm.forward(dropout.add(x, branch))
            }
            Self::Pre => {
                let branch = branch(norm.forward(x.clone()));
                dropout.add(x, branch)
            }
        }
    }
}
