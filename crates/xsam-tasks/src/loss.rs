//! Cross entropy and accuracy.

use burn::tensor::{Int, Tensor};

/// Mean cross entropy of logits `[batch, classes]` for the classes `[batch]`.
pub(crate) fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    xsam_kernels::cross_entropy(logits, targets, 0.0)
}

/// How many of the logits `[batch, classes]` are highest at the classes `[batch]`.
pub(crate) fn correct(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1, Int> {
    let chosen = logits.argmax(1).squeeze_dim::<1>(1);
    chosen.equal(targets).int().sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn values_by_hand() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[2.0, 1.0], [0.0, 0.0], [-1.0, 3.0]], &device);
        let targets = Tensor::<1, Int>::from_ints([0, 1, 0], &device);
        let loss = cross_entropy(logits.clone(), targets.clone()).into_scalar::<f32>();
        let e = std::f32::consts::E;
        let expected = ((1.0 + 1.0 / e).ln() + 2f32.ln() + (1.0 + e.powi(4)).ln()) / 3.0;
        assert!((loss - expected).abs() < 1e-6);
        assert_eq!(correct(logits, targets).into_scalar::<i64>(), 1);
    }
}
