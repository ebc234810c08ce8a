//! Random vectors over the parameters, from a seed.

use burn::module::ParamId;
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use xsam::method::ParamVector;

/// The distribution of the elements, which are independent, of mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements {
    /// -1 or 1: estimates of a trace by these have the least variance.
    Signs,
    /// Normal: all directions are alike.
    Normal,
}

/// The random vector number `index` of `seed`, in the space of `like`.
pub fn random_vector(like: &ParamVector, elements: Elements, seed: u64, index: u64) -> ParamVector {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    filled(like, |count| match elements {
        Elements::Signs => {
            let mut values = Vec::with_capacity(count);
            while values.len() < count {
                let bits = rng.next_u64();
                let signs = (0..64).map(|bit| if bits >> bit & 1 == 0 { -1.0 } else { 1.0 });
                values.extend(signs.take(count - values.len()));
            }
            values
        }
        Elements::Normal => (0..count)
            .map(|_| StandardNormal.sample(&mut rng))
            .collect(),
    })
}

/// A vector in the space of `like` with these values, parameter by parameter: `values` is asked for as many as one
/// has.
pub(crate) fn filled(like: &ParamVector, mut values: impl FnMut(usize) -> Vec<f64>) -> ParamVector {
    let fill = |(id, tensor): &(ParamId, Tensor<1>)| {
        let count = tensor.shape().num_elements();
        let data = TensorData::new(values(count), [count]);
        (
            *id,
            Tensor::from_data(data, (&tensor.device(), tensor.dtype())),
        )
    };
    ParamVector::new(like.entries().iter().map(fill).collect())
}
