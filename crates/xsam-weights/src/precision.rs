//! The number format of a model.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};

use crate::state;

/// The model with all float tensors, running statistics included, in the number format `dtype`.
///
/// Identity and gradient settings stay; clones of `model` keep their format. Inputs must be of the
/// same format.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::{DType, Device, FloatDType, Tensor};
/// use xsam_weights::cast;
///
/// let device = Device::flex().autodiff();
/// let model = cast(LinearConfig::new(3, 2).init(&device), FloatDType::F64);
/// let outputs = model.forward(Tensor::<2>::zeros([1, 3], (&device, DType::F64)));
/// assert_eq!(outputs.dtype(), DType::F64);
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
    state::independent(model).map(&mut Cast(dtype))
}
