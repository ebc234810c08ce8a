//! Linear combinations of tensors whose factors may still be on the device.

use burn::tensor::{FloatDType, Tensor};
use xsam_kernels::{combine, dot, squared_chords};

use crate::number::{Number, wide};

/// The sum of `factor * tensor` over `first` and all of `rest`: [`combine`] where the factors are known, else composed of Burn's
/// operations, in single precision at least.
pub(crate) fn combination<const D: usize>(
    (factor, first): (&Number, Tensor<D>),
    rest: &[(Number, Tensor<D>)],
) -> Tensor<D> {
    let known = |(factor, tensor): &(Number, Tensor<D>)| Some((factor.known()?, tensor.clone()));
    let terms: Option<Vec<_>> = rest.iter().map(known).collect();
    if let (Some(factor), Some(terms)) = (factor.known(), terms) {
        return combine((factor, first), &terms);
    }
    let dtype = first.dtype();
    let terms = rest
        .iter()
        .map(|(factor, tensor)| times(factor, tensor.clone()));
    let sum = terms.fold(times(factor, first), Tensor::add);
    match sum.dtype() == dtype {
        true => sum,
        false => sum.cast(FloatDType::from(dtype)),
    }
}

fn times<const D: usize>(factor: &Number, tensor: Tensor<D>) -> Tensor<D> {
    let tensor = wide(tensor);
    match (factor.known(), factor.tensor()) {
        (Some(1.0), _) | (None, None) => tensor,
        (Some(factor), _) => tensor.mul_scalar(factor),
        (None, Some(factor)) => {
            let factor = factor.to_device(&tensor.device());
            let factor = factor.cast(FloatDType::from(tensor.dtype()));
            tensor.mul(factor.reshape([1; D]))
        }
    }
}

/// The squared norms of `a x - b y` and of `a x + b y`.
pub(crate) fn chords(
    (a, x): (&Number, &Tensor<1>),
    (b, y): (&Number, &Tensor<1>),
) -> [Tensor<1>; 2] {
    if let (Some(a), Some(b)) = (a.known(), b.known()) {
        return squared_chords((a, x.clone()), (b, y.clone()));
    }
    [-b, b.clone()].map(|b| {
        let chord = combination((a, x.clone()), &[(b, y.clone())]);
        dot(chord.clone(), chord)
    })
}
