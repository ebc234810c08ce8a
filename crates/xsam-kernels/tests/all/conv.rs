//! The convolution against Burn's own in double precision, on random shapes of every kind.

use crate::common::{assert_all_close, gradient, numbers, read, same_bits};
use burn::tensor::module::conv2d as burns;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Device, Tensor};
use proptest::prelude::*;
use xsam_kernels::conv2d;

/// Single precision, in relation to the largest element: Winograd's transforms cost a digit.
const TOLERANCE: f64 = 2e-5;

#[derive(Clone, Debug)]
struct Case {
    x: [usize; 4],
    weight: [usize; 4],
    options: ConvOptions<2>,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1usize..6, 1usize..3, 1usize..20, 1usize..36);
    let image = (1usize..20, 1usize..40);
    // Every second one is a 3x3 convolution of stride 1.
    let kind = (any::<bool>(), 1usize..5, 1usize..5, 1usize..4, 1usize..4);
    let rest = (0usize..3, 0usize..3, 1usize..3, any::<u64>());
    (sizes, image, kind, rest).prop_filter_map("the filter is larger than the input", |parts| {
        let ((batch, groups, i, o), (h, w), (plain, kh, kw, sh, sw), (ph, pw, d, seed)) = parts;
        let (groups, kernel, stride, dilation) = match plain {
            true => (1, [3, 3], [1, 1], 1),
            false => (groups, [kh, kw], [sh, sw], d),
        };
        let reach = |k: usize| dilation * (k - 1) + 1;
        if h + 2 * ph < reach(kernel[0]) || w + 2 * pw < reach(kernel[1]) {
            return None;
        }
        Some(Case {
            x: [batch, groups * i, h, w],
            weight: [groups * o, i, kernel[0], kernel[1]],
            options: ConvOptions::new(stride, [ph, pw], [dilation; 2], groups),
            seed,
        })
    })
}

type Convolution = fn(Tensor<4>, Tensor<4>, ConvOptions<2>) -> Tensor<4>;

/// Output and both gradients.
fn run(case: &Case, dtype: DType, convolve: Convolution, device: &Device) -> [Vec<f64>; 3] {
    let at = (device, dtype);
    let x = numbers(case.x, case.seed, at).require_grad();
    let weight = numbers(case.weight, case.seed ^ 0xABCDEF, at).require_grad();
    let y = convolve(x.clone(), weight.clone(), case.options.clone());
    let weights = numbers(y.dims(), case.seed ^ 0x123456, at);
    let grads = (y.clone() * weights).sum().backward();
    [
        read(y.inner()),
        gradient(&x, &grads),
        gradient(&weight, &grads),
    ]
}

fn plain(x: Tensor<4>, weight: Tensor<4>, options: ConvOptions<2>) -> Tensor<4> {
    burns(x, weight, None, options)
}

fn assert_close(actual: &[Vec<f64>; 3], expected: &[Vec<f64>; 3], tolerance: f64) {
    assert_all_close(["y", "dx", "dw"], actual, expected, tolerance, 1e-6);
}

proptest! {
    #![proptest_config(crate::common::cases(1000))]

    #[test]
    fn it_is_the_convolution_with_its_gradients(case in cases()) {
        let device = Device::flex().autodiff();
        let exact = run(&case, DType::F64, plain, &device);
        assert_close(&run(&case, DType::F32, conv2d, &device), &exact, TOLERANCE);
    }
}

fn some_case() -> Case {
    Case {
        x: [5, 20, 9, 11],
        weight: [35, 20, 3, 3],
        options: ConvOptions::new([1, 1], [1, 1], [1, 1], 1),
        seed: 7,
    }
}

#[test]
fn other_formats_and_borders_are_burns_own() {
    let device = Device::flex().autodiff();
    let mut case = some_case();
    let exact = run(&case, DType::F64, plain, &device);
    assert_close(&run(&case, DType::F64, conv2d, &device), &exact, 0.0);
    case.options.padding = [(0, 2), (1, 0)];
    let exact = run(&case, DType::F64, plain, &device);
    assert_close(&run(&case, DType::F32, conv2d, &device), &exact, TOLERANCE);
}

#[test]
fn the_same_input_gives_the_same_bits() {
    // By definition, along planes, as a product, and by Winograd.
    for (x, weight) in [
        ([5, 20, 9, 11], [35, 20, 3, 3]),
        ([5, 5, 9, 11], [7, 5, 3, 3]),
        ([5, 20, 9, 11], [35, 20, 1, 1]),
        ([5, 20, 8, 8], [35, 20, 1, 1]),
        ([8, 64, 12, 12], [64, 64, 3, 3]),
    ] {
        let case = Case {
            x,
            weight,
            ..some_case()
        };
        for _ in 0..3 {
            same_bits(|device| run(&case, DType::F32, conv2d, device));
        }
    }
}

#[test]
fn views_and_parts_work_like_whole_tensors() {
    let device = Device::flex().autodiff();
    let case = some_case();
    let x = numbers(case.x, 1, (&device, DType::F32));
    let weight = numbers(case.weight, 2, (&device, DType::F32));
    let whole = conv2d(x.clone(), weight.clone(), case.options.clone());
    // The same values in another order of memory.
    let turned = x.clone().permute([3, 1, 0, 2]).permute([2, 1, 3, 0]);
    let view = conv2d(turned, weight.clone(), case.options.clone());
    view.into_data().assert_eq(&whole.clone().into_data(), true);
    let part = conv2d(x.narrow(0, 1, 2), weight, case.options);
    let expected = whole.narrow(0, 1, 2).into_data();
    part.into_data().assert_eq(&expected, true);
}

#[test]
fn only_what_requires_a_gradient_gets_one() {
    let device = Device::flex().autodiff();
    let case = some_case();
    for tracked in [0, 1] {
        let [x, weight] = [(0, case.x), (1, case.weight)].map(|(i, shape)| {
            numbers(shape, i, (&device, DType::F32)).set_require_grad(i == tracked)
        });
        let y = conv2d(x.clone(), weight.clone(), case.options.clone());
        let gradients = y.sum().backward();
        assert_eq!(x.grad(&gradients).is_some(), tracked == 0);
        assert_eq!(weight.grad(&gradients).is_some(), tracked == 1);
    }
}

/// The layers of a narrow ResNet-18, whose planes are larger than the random ones, and some that are wide
/// enough for Winograd or have very many weights.
#[test]
fn layers_of_a_resnet() {
    let device = Device::flex().autodiff();
    for (i, o, size, kernel, stride) in [
        (3, 8, 32, 3, 1),
        (3, 64, 32, 3, 1),
        (8, 8, 32, 3, 1),
        (8, 8, 9, 5, 1),
        (8, 8, 8, 3, 1),
        (8, 8, 4, 3, 1),
        (16, 16, 32, 3, 1),
        (8, 16, 32, 3, 2),
        (8, 16, 32, 1, 2),
        (16, 16, 16, 3, 1),
        (16, 32, 16, 3, 2),
        (32, 32, 8, 3, 1),
        (32, 64, 8, 3, 2),
        (64, 64, 4, 3, 1),
        (64, 128, 8, 1, 1),
        (96, 33, 4, 1, 1),
        (64, 64, 32, 3, 1),
        (48, 70, 17, 3, 1),
        (128, 160, 4, 3, 1),
        (256, 128, 9, 3, 2),
    ] {
        let case = Case {
            x: [16, i, size, size],
            weight: [o, i, kernel, kernel],
            options: ConvOptions::new([stride; 2], [kernel / 2; 2], [1, 1], 1),
            seed: 3,
        };
        let exact = run(&case, DType::F64, plain, &device);
        let fast = run(&case, DType::F32, conv2d, &device);
        println!("{case:?}");
        assert_close(&fast, &exact, TOLERANCE);
    }
}
