//! Mixed precision: inputs in half precision, parameters in single.
//!
//! An operation computes in the number format of its input. Of one in half precision its parameters are cast to that format on the
//! tape, so that their gradients are in their own; norms, softmax and losses are computed in single precision.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{DType, FloatDType, Tensor};

/// Whether a format is a half one.
pub(crate) fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

/// A parameter as an input needs it: cast if the input is in half precision.
pub(crate) fn beside<const D: usize, const E: usize>(
    parameter: Tensor<D>,
    input: &Tensor<E>,
) -> Tensor<D> {
    let format = input.dtype();
    match is_half(format) && parameter.dtype() != format {
        true => parameter.cast(FloatDType::from(format)),
        false => parameter,
    }
}

/// In single precision, if it is in half.
pub(crate) fn widened<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match is_half(x.dtype()) {
        true => x.cast(FloatDType::F32),
        false => x,
    }
}

/// In this format, if it is a half one.
pub(crate) fn narrowed<const D: usize>(x: Tensor<D>, format: DType) -> Tensor<D> {
    match is_half(format) {
        true => x.cast(FloatDType::from(format)),
        false => x,
    }
}

/// What `compute` makes of `x` in single precision, in the format of `x`.
pub(crate) fn in_single<const D: usize, const E: usize>(
    x: Tensor<D>,
    compute: impl FnOnce(Tensor<D>) -> Tensor<E>,
) -> Tensor<E> {
    let format = x.dtype();
    narrowed(compute(widened(x)), format)
}

/// [`widened`], on a back end.
pub(crate) fn wide<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    match is_half(x.dtype()) {
        true => B::float_cast(x, FloatDType::F32),
        false => x,
    }
}

/// [`narrowed`], on a back end.
pub(crate) fn narrow<B: Backend>(x: FloatTensor<B>, format: DType) -> FloatTensor<B> {
    match is_half(format) {
        true => B::float_cast(x, FloatDType::from(format)),
        false => x,
    }
}
