//! The formula by which the reference cases fill parameters and inputs.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use xsam_models::state::{self, Kind};

/// Value `i` of `stream`, in `[0, 1)`.
pub fn unit(stream: u64, i: u64) -> f64 {
    let mut z = (stream << 32)
        .wrapping_add(i)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (((z ^ (z >> 31)) >> 11) as f64) * (-53_f64).exp2()
}

/// The first `count` values of `stream`, uniform within `bound` of zero.
fn symmetric(stream: u64, count: usize, bound: f64) -> Vec<f64> {
    (0..count as u64)
        .map(|i| (2.0 * unit(stream, i) - 1.0) * bound)
        .collect()
}

pub fn fill<M: Module>(model: M, seed: u64) -> M {
    state::with_values(model, |j, entry| {
        let stream = seed * 1000 + j as u64;
        let count = entry.numel();
        match entry.kind {
            Kind::RunningVar | Kind::NormWeight => {
                (0..count as u64).map(|i| 0.5 + unit(stream, i)).collect()
            }
            Kind::RunningMean | Kind::Bias | Kind::NormBias => symmetric(stream, count, 0.1),
            Kind::Weight => {
                let fan_in = count as f64 / entry.shape[0] as f64;
                symmetric(stream, count, (6.0 / fan_in).sqrt())
            }
        }
    })
    .unwrap()
}

pub fn images(seed: u64, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let count = shape.iter().product();
    let values = symmetric(seed * 1000 + 900, count, 3_f64.sqrt());
    Tensor::from_data(TensorData::new(values, shape), device)
}
