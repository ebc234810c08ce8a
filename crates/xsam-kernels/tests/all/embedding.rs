//! Embedding against its definition in double precision.

use crate::common::{
    assert_close, gradient, numbers, random, read, same_bits_on_threads, tensor, viewed,
};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use proptest::prelude::*;
use xsam_kernels::embedding;

#[derive(Clone, Debug)]
struct Case {
    rows: usize,
    width: usize,
    tokens: [usize; 2],
    padding: Option<usize>,
    view: bool,
    seed: u64,
}

impl Case {
    fn ids(&self) -> Vec<i64> {
        let values = random(self.tokens.iter().product(), self.seed ^ 1);
        let id = |x: f64| ((x + 1.0) * 1e6) as i64 % self.rows as i64;
        values.into_iter().map(id).collect()
    }
}

fn run(case: &Case, dtype: DType, device: &Device) -> [Vec<f64>; 2] {
    let at = (device, dtype);
    let weight = viewed(numbers([case.rows, case.width], case.seed, at), case.view).require_grad();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(case.ids(), case.tokens), device);
    let y = embedding(weight.clone(), ids, case.padding);
    let [batch, tokens] = case.tokens;
    let shape = [batch, tokens, case.width];
    assert_eq!(y.dims(), shape);
    let weights = viewed(numbers(shape, case.seed ^ 2, at), case.view);
    let grads = (y.clone() * weights).sum().backward();
    [read(y.inner()), gradient(&weight, &grads)]
}

/// The definition, without tensors.
fn exact(case: &Case) -> [Vec<f64>; 2] {
    let weight = random(case.rows * case.width, case.seed);
    let ids = case.ids();
    let weights = random(ids.len() * case.width, case.seed ^ 2);
    let (mut y, mut total) = (Vec::new(), vec![0.0; weight.len()]);
    for (id, weights) in ids.iter().zip(weights.chunks(case.width)) {
        let at = *id as usize * case.width;
        y.extend_from_slice(&weight[at..at + case.width]);
        if case.padding != Some(*id as usize) {
            for (total, x) in total[at..].iter_mut().zip(weights) {
                *total += x;
            }
        }
    }
    [y, total]
}

proptest! {
    #![proptest_config(crate::common::cases(300))]

    #[test]
    fn it_is_the_rows_and_their_gradient(
        (rows, padding) in (1usize..200).prop_flat_map(|rows| (Just(rows), proptest::option::of(0..rows))),
        width in 1usize..70,
        tokens in [1usize..5, 1usize..60],
        view: bool,
        seed: u64,
    ) {
        let device = Device::flex().autodiff();
        let case = Case { rows, width, tokens, padding, view, seed };
        let exact = exact(&case);
        for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-14)] {
            let ours = run(&case, dtype, &device);
            assert_eq!(ours[0], exact[0]);
            assert_close("dweight", &ours[1], &exact[1], tolerance, 1.0);
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let device = Device::flex().autodiff();
    let case = Case {
        rows: 300,
        width: 512,
        tokens: [16, 128],
        padding: Some(0),
        view: false,
        seed: 3,
    };
    let [_, dweight] = same_bits_on_threads(|| run(&case, DType::F32, &device));
    assert_close("dweight", &dweight, &exact(&case)[1], 1e-5, 1.0);
}

#[test]
fn a_nan_stays_in_its_row() {
    let device = Device::flex().autodiff();
    let values = [0.0, 1.0, f64::NAN, 3.0];
    let weight: Tensor<2> = tensor(&values, [4, 1], (&device, DType::F32)).require_grad();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(vec![2i64, 3], [1, 2]), &device);
    let y = embedding(weight.clone(), ids, None);
    let grads = y.clone().square().sum().backward();
    let y = read(y.inner());
    assert!(y[0].is_nan() && y[1] == 3.0);
    let dweight = gradient(&weight, &grads);
    assert!(dweight[2].is_nan());
    assert_eq!((dweight[0], dweight[1], dweight[3]), (0.0, 0.0, 6.0));
}

fn look_up(id: i64, padding: Option<usize>) -> Vec<f64> {
    let device = Device::flex();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(vec![id], [1, 1]), &device);
    read(embedding(Tensor::ones([3, 2], &device), ids, padding))
}

#[test]
#[should_panic(expected = "id 3 is out of bounds for 3")]
fn an_id_past_the_rows() {
    look_up(3, None);
}

#[test]
#[should_panic(expected = "id -1 is out of bounds for 3")]
fn a_negative_id() {
    look_up(-1, None);
}

#[test]
#[should_panic(expected = "padding 3 is out of bounds for 3")]
fn a_padding_past_the_rows() {
    look_up(0, Some(3));
}
