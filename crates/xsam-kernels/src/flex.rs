//! From and to tensors of the Flex back end.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Element, Shape, TensorData};

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
