//! From and to tensors of the Flex back end.

use burn::backend::tensor::FloatTensor;
use burn::backend::{BackendTensor, DispatchTensor, DispatchTensorKind, Flex};
use burn::tensor::{DType, Element, Shape, Tensor, TensorData};

use crate::choice::{Kernels, kernels};

/// A tensor of the Flex back end, of any number format.
pub(crate) type Flat = FloatTensor<Flex>;

/// The tensor of these values.
pub(crate) fn tensor<E: Element>(values: Vec<E>, shape: impl Into<Shape>) -> Flat {
    Flat::from_data(TensorData::new(values, shape.into()))
}

/// Whether the kernels of this crate run on these: they are written for `f32`, and may be declined.
pub(crate) fn takes<'a>(tensors: impl IntoIterator<Item = &'a Flat>) -> bool {
    kernels() != Kernels::Composed
        && tensors
            .into_iter()
            .all(|tensor| tensor.dtype() == DType::F32)
}

/// Whole numbers below `limit`, or nothing if they are in a number format that only Burn's operations read.
///
/// # Panics
/// If a number is negative or not below `limit`; `name` says in the message what it is.
pub(crate) fn numbers(tensor: &Flat, limit: usize, name: &str) -> Option<Vec<usize>> {
    let tensor = tensor.to_contiguous();
    let checked = |number: i64| match usize::try_from(number) {
        Ok(number) if number < limit => number,
        _ => panic!("{name} {number} is out of bounds for {limit}"),
    };
    match tensor.dtype() {
        DType::I64 => Some(tensor.storage().iter().map(|&n: &i64| checked(n)).collect()),
        DType::I32 => {
            let wide = |&n: &i32| checked(n.into());
            Some(tensor.storage().iter().map(wide).collect())
        }
        _ => None,
    }
}

/// The tensors of the Flex back end behind `tensors`, dense, if the kernels of this crate run on them and
/// none is of an autodiff graph; else `tensors` as they were.
///
/// For operations without a gradient. Unlike a dispatched extension, which panics on a back end that
/// it does not list, they then run on whatever back ends there are.
pub(crate) fn primitives<const D: usize>(
    tensors: Vec<Tensor<D>>,
) -> Result<Vec<Flat>, Vec<Tensor<D>>> {
    let tensors = tensors.into_iter().map(Tensor::into_dispatch);
    let tensors: Vec<DispatchTensor> = tensors.collect();
    if tensors.iter().all(runs_here) {
        return Ok(tensors.into_iter().map(dense).collect());
    }
    Err(tensors.into_iter().map(Tensor::from_dispatch).collect())
}

/// [`primitives`] of a number of tensors known to the compiler.
pub(crate) fn primitives_of<const D: usize, const N: usize>(
    tensors: [Tensor<D>; N],
) -> Result<[Flat; N], [Tensor<D>; N]> {
    let tensors = tensors.map(Tensor::into_dispatch);
    if tensors.iter().all(runs_here) {
        return Ok(tensors.map(dense));
    }
    Err(tensors.map(Tensor::from_dispatch))
}

fn runs_here(tensor: &DispatchTensor) -> bool {
    let DispatchTensorKind::Flex(BackendTensor::Float(tensor)) = &tensor.kind else {
        return false;
    };
    takes([tensor])
}

/// The primitive, or a copy of it if its elements do not lie one after the other.
///
/// Takes the tensor, so that the result is shared with no one who did not share it before.
fn dense(tensor: DispatchTensor) -> Flat {
    let DispatchTensorKind::Flex(tensor) = tensor.kind else {
        unreachable!("only tensors on Flex get here")
    };
    tensor.float().to_contiguous()
}
