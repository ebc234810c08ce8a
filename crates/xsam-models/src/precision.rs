//! The number format of a model.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};

/// The model with all float tensors, running statistics included, in the number format `dtype`.
///
/// Identity and gradient settings stay; clones of `model` keep their format. Inputs must be of the
/// same format.
///
/// ```
/// use burn::tensor::{DType, Device, FloatDType, Tensor};
/// use xsam_models::{ImageClassifier, ModelConfig, ModelName, cast};
///
/// let device = Device::flex().autodiff();
/// let model = cast(ModelConfig::new(ModelName::Cnn, 1, 8, 10).init(0, &device)?, FloatDType::F64);
/// let logits = model.forward(Tensor::zeros([1, 1, 8, 8], (&device, DType::F64)));
/// assert_eq!(logits.dtype(), DType::F64);
/// # Ok::<(), xsam_models::ModelError>(())
/// ```
pub fn cast<M: Module>(model: M, dtype: FloatDType) -> M {
    struct Cast(FloatDType);
    impl ModuleMapper for Cast {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let (tracked, autodiff) = (tensor.is_require_grad(), tensor.is_autodiff());
                let cast = tensor.inner().cast(self.0);
                if autodiff {
                    cast.autodiff().set_require_grad(tracked)
                } else {
                    cast
                }
            })
        }
    }
    // Clones share running statistics; on a copy of its own the mapper cannot reach theirs.
    let training = model.devices().iter().any(|device| device.is_autodiff());
    let copy = model.valid();
    let copy = if training { copy.train() } else { copy };
    copy.map(&mut Cast(dtype))
}
