//! Small tensors side by side in one, so that a few kernels of a graphics card do for many of them.

use burn::tensor::{DType, Device, Tensor};

/// Elements up to which a tensor is joined to others: to copy so many takes a card less time than to launch a kernel.
const SMALL: usize = 1 << 16;

/// Tensors that are worth joining: each is copied, and spares a product, a sum and the addition of it.
const FEW: usize = 4;

/// What tensors of a row must share with those of another one.
type Kinds<const N: usize> = [(Device, DType); N];

/// Tensors of the same parameters, `[elements]` each, row by row: the small ones joined, on any device but the processor,
/// where a call costs nothing.
pub(crate) fn joined<const N: usize>(rows: Vec<[Tensor<1>; N]>) -> Vec<[Tensor<1>; N]> {
    let processor = Device::flex();
    let (rows, mut left): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| {
        let elsewhere = |tensor: &Tensor<1>| tensor.device().inner() != processor;
        row.iter().all(elsewhere)
    });
    left.extend(join(rows));
    left
}

fn join<const N: usize>(rows: Vec<[Tensor<1>; N]>) -> Vec<[Tensor<1>; N]> {
    let is_small = |row: &[Tensor<1>; N]| row.iter().all(|t| t.shape().num_elements() <= SMALL);
    let (small, mut all): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_small);
    let mut groups: Vec<(Kinds<N>, Vec<[Tensor<1>; N]>)> = Vec::new();
    for row in small {
        let kind = row.each_ref().map(|t| (t.device(), t.dtype()));
        match groups.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, group)) => group.push(row),
            None => groups.push((kind, vec![row])),
        }
    }
    for (_, group) in groups {
        if group.len() < FEW {
            all.extend(group);
            continue;
        }
        let column = |i: usize| {
            let tensors = group.iter().filter_map(|row| row.get(i)).cloned();
            Tensor::cat(tensors.collect(), 0)
        };
        all.push(std::array::from_fn(column));
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::tensor::FloatDType;

    use super::*;

    fn rows(sizes: &[usize]) -> Vec<[Tensor<1>; 2]> {
        let device = Device::flex();
        let range = |size: usize| {
            let values: Vec<f32> = (0..size).map(|i| (i % 7) as f32 - 2.0).collect();
            Tensor::from_floats(values.as_slice(), &device)
        };
        let row = |size: &usize| [range(*size), range(*size).mul_scalar(2.0)];
        sizes.iter().map(row).collect()
    }

    fn dots(rows: &[[Tensor<1>; 2]]) -> f64 {
        let dot = |[x, y]: &[Tensor<1>; 2]| x.clone().mul(y.clone()).sum().into_scalar::<f64>();
        rows.iter().map(dot).sum()
    }

    #[test]
    fn small_tensors_are_joined_with_their_like_and_products_stay() {
        let mut apart = rows(&[3, SMALL + 1, 5, 4, 1, 2]);
        let double = |tensor: Tensor<1>| tensor.cast(FloatDType::F64);
        apart.extend(rows(&[2, 3]).into_iter().map(|row| row.map(double)));
        let together = join(apart.clone());
        let sizes = together.iter().map(|[x, y]| (x.dims()[0], y.dims()[0]));
        let mut sizes: Vec<_> = sizes.collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [(2, 2), (3, 3), (15, 15), (SMALL + 1, SMALL + 1)]);
        let (a, b) = (dots(&apart), dots(&together));
        assert!((a - b).abs() <= 1e-6 * a.abs(), "{a} {b}");
        // The processor's are left alone.
        assert_eq!(joined(apart.clone()).len(), apart.len());
        assert!(join::<2>(Vec::new()).is_empty());
    }
}
