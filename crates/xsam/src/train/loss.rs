//! The loss in what a model's training step gives.

use burn::tensor::Tensor;
use burn::train::{
    ClassificationOutput, MultiLabelClassificationOutput, RegressionOutput, SequenceOutput,
};

/// Output of a training step that has the loss in it: that of which the step has taken the gradients.
///
/// Burn's own outputs have it. For one of your own:
///
/// ```
/// use burn::tensor::Tensor;
/// use xsam::train::HasLoss;
///
/// struct Reconstruction {
///     loss: Tensor<1>,
///     images: Tensor<4>,
/// }
///
/// impl HasLoss for Reconstruction {
///     fn loss(&self) -> Tensor<1> {
///         self.loss.clone()
///     }
/// }
/// ```
pub trait HasLoss {
    /// The loss, a tensor of one element.
    fn loss(&self) -> Tensor<1>;
}

macro_rules! has_loss {
    ($($output:ty),*) => {
        $(impl HasLoss for $output {
            fn loss(&self) -> Tensor<1> {
                self.loss.clone()
            }
        })*
    };
}

has_loss!(
    ClassificationOutput,
    MultiLabelClassificationOutput,
    RegressionOutput,
    SequenceOutput
);
