//! Sums and linear combinations of tensors, as a step of training needs them of its weights.
//!
//! None of these operations carries a gradient. On the Flex back end and in `f32` each is one parallel
//! pass over memory, with the same bits for any number of threads; elsewhere it is composed of Burn's
//! operations.

use burn::backend::Flex;
use burn::tensor::{DType, FloatDType, Tensor};

use crate::cpu::vector::{self, Term};
use crate::flex::{primitives, primitives_of, tensor};
use crate::profile::Timer;

/// Longest stretch that a composed sum takes in one go, in elements.
///
/// Back ends may sum longer tensors in an order that depends on the schedule. Shorter stretches, added
/// up on the host, give the same bits every time and lose less.
const SUM_STRETCH: usize = 1 << 20;

/// The dot product of all elements of `x` and `y`, as partial sums to be added up by the caller.
///
/// The kernel gives one number in `f64`. Composed, it is one for each stretch of 2^20 elements, and half
/// precision, which overflows where it is multiplied, is widened to `f32`. No elements, no numbers.
///
/// # Panics
/// If the shapes differ.
pub fn dot<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<1> {
    let _timer = Timer::start("sums of the step");
    assert_eq!(x.dims(), y.dims(), "a dot product of different shapes");
    match primitives_of([x, y]) {
        Ok([x, y]) => one(vector::dot(x.storage(), y.storage())),
        Err([x, y]) => partial_sums(x, y, Tensor::mul),
    }
}

/// The squared norms of `a x - b y` and of `a x + b y`, for `(a, x)` and `(b, y)`, as partial sums as
/// in [`dot`]. Neither vector is formed.
///
/// # Panics
/// If the shapes differ.
pub fn squared_chords<const D: usize>(
    (a, x): (f64, Tensor<D>),
    (b, y): (f64, Tensor<D>),
) -> [Tensor<1>; 2] {
    let _timer = Timer::start("sums of the step");
    assert_eq!(x.dims(), y.dims(), "a sum of different shapes");
    match primitives_of([x, y]) {
        Ok([x, y]) => {
            let (x, y) = ((a as f32, x.storage()), (b as f32, y.storage()));
            vector::squared_chords(x, y).map(one)
        }
        Err([x, y]) => [-b, b].map(|b| {
            partial_sums(x.clone(), y.clone(), |x, y| {
                x.mul_scalar(a).add(y.mul_scalar(b)).square()
            })
        }),
    }
}

/// The sum of `factor * tensor` over `first` and all of `rest`.
///
/// One pass over memory whatever the number of terms; in the buffer of the first if nothing else shares
/// it. A factor of 1 for the first leaves it as it is: perturbed weights are `combine((1.0, weights), ..)`.
/// Products and sums are rounded one by one, in the order of the terms, so that the kernel and the
/// composed form give the same bits.
///
/// # Panics
/// If the shapes differ.
pub fn combine<const D: usize>(
    (factor, first): (f64, Tensor<D>),
    rest: &[(f64, Tensor<D>)],
) -> Tensor<D> {
    let _timer = Timer::start("combinations of the step");
    let shape = first.shape();
    for (_, tensor) in rest {
        assert_eq!(tensor.shape(), shape, "a sum of different shapes");
    }
    let factors = rest.iter().map(|(factor, _)| *factor);
    let mut tensors = vec![first];
    tensors.extend(rest.iter().map(|(_, tensor)| tensor.clone()));
    match primitives(tensors) {
        Ok(mut tensors) => {
            let terms = tensors.split_off(1);
            let terms: Vec<Term<'_>> = factors
                .zip(&terms)
                .map(|(factor, term)| (factor as f32, term.storage()))
                .collect();
            let (factor, mut first) = (factor as f32, tensors.remove(0));
            if let Some(values) = first.try_storage_mut() {
                vector::combine_in_place(factor, values, &terms);
                return Tensor::from_primitive::<Flex>(first);
            }
            let sum = vector::combine((factor, first.storage()), &terms);
            Tensor::from_primitive::<Flex>(tensor(sum, shape))
        }
        Err(mut tensors) => {
            let terms = tensors.split_off(1);
            let first = tensors.remove(0);
            let first = match factor {
                1.0 => first,
                factor => first.mul_scalar(factor),
            };
            factors.zip(terms).fold(first, |sum, (factor, term)| {
                sum.add(term.mul_scalar(factor))
            })
        }
    }
}

/// The direction of an adaptive ascent, `t^2 gradient` with `t = |weight| + offset` element by element,
/// and the squared norm of `t gradient` as partial sums as in [`dot`].
///
/// # Panics
/// If the shapes differ.
pub fn scaled_ascent<const D: usize>(
    gradient: Tensor<D>,
    weight: Tensor<D>,
    offset: f64,
) -> (Tensor<D>, Tensor<1>) {
    let _timer = Timer::start("combinations of the step");
    let shape = gradient.shape();
    assert_eq!(weight.shape(), shape, "the gradient has another shape");
    match primitives_of([gradient, weight]) {
        Ok([gradient, weight]) => {
            let (g, w) = (gradient.storage(), weight.storage());
            let (direction, squared_norm) = vector::scaled_ascent(g, w, offset as f32);
            let direction = Tensor::from_primitive::<Flex>(tensor(direction, shape));
            (direction, one(squared_norm))
        }
        Err([gradient, weight]) => {
            let mut scale = weight.abs();
            if offset != 0.0 {
                scale = scale.add_scalar(offset);
            }
            let scaled = gradient.mul(scale.clone());
            let squared_norm = partial_sums(scaled.clone(), scaled.clone(), Tensor::mul);
            (scaled.mul(scale), squared_norm)
        }
    }
}

fn one(value: f64) -> Tensor<1> {
    Tensor::from_primitive::<Flex>(tensor(vec![value], [1]))
}

/// The sums of `f` over stretches of the flattened tensors.
fn partial_sums<const D: usize>(
    x: Tensor<D>,
    y: Tensor<D>,
    f: impl Fn(Tensor<1>, Tensor<1>) -> Tensor<1>,
) -> Tensor<1> {
    let length = x.shape().num_elements();
    if length == 0 {
        return Tensor::zeros([0], &x.device());
    }
    let (x, y) = (x.reshape([length]), y.reshape([length]));
    let sums = (0..length).step_by(SUM_STRETCH).map(|start| {
        let size = SUM_STRETCH.min(length - start);
        let stretch = |tensor: &Tensor<1>| widened(tensor.clone().narrow(0, start, size));
        f(stretch(&x), stretch(&y)).sum()
    });
    Tensor::cat(sums.collect(), 0)
}

fn widened(tensor: Tensor<1>) -> Tensor<1> {
    match tensor.dtype() {
        DType::F32 | DType::F64 => tensor,
        _ => tensor.cast(FloatDType::F32),
    }
}
