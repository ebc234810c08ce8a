//! Mixed precision: inputs in half precision, parameters in single, against all of it in single.

use crate::common::{assert_close, gradient, numbers, read};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Bool, DType, Device, FloatDType, Int, Tensor};
use xsam_kernels::{
    BatchNormParams, BatchNormStatistics, BatchNormTail, FeatureStack, attention, avg_pool2d,
    batch_norm_inference, batch_norm_train, bias_gelu, bias_relu, conv2d, cross_entropy, dropout,
    dropout_add, global_avg_pool, layer_norm, linear, max_pool2d, softmax, tied_linear,
};

/// Half formats, and how far from single precision a few operations with them may lead: some of their roundings.
const FORMATS: [(FloatDType, f64); 2] = [(FloatDType::F16, 0.01), (FloatDType::BF16, 0.08)];

/// Inputs and parameters of an operation, and what it makes of them.
type Operation<'a> = &'a dyn Fn([Tensor<4>; 2], [Tensor<1>; 2]) -> Tensor<4>;

/// The output of an operation on `[4, 6, 5, 5]`, in what format, and the gradients of two inputs and two parameters.
fn run(operation: Operation<'_>, format: FloatDType) -> (Vec<f64>, DType, [Vec<f64>; 4]) {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    // Of values that half precision has, so that the formats differ in the operation alone.
    let rounded = |seed| numbers([4, 6, 5, 5], seed, at).cast(FloatDType::BF16);
    let inputs = [1, 2].map(|seed| rounded(seed).cast(format).require_grad());
    let parameters = [3, 4].map(|seed| numbers([6], seed, at).require_grad());
    let output = operation(inputs.clone(), parameters.clone());
    let dtype = output.dtype();
    let weights = numbers(output.dims(), 5, at);
    let gradients = (output.clone().cast(FloatDType::F32) * weights)
        .sum()
        .backward();
    for parameter in &parameters {
        if let Some(gradient) = parameter.grad(&gradients) {
            assert_eq!(gradient.dtype(), DType::F32);
        }
    }
    let of_input = |x: &Tensor<4>| x.grad(&gradients).map_or_else(Vec::new, read);
    let of_parameter = |x: &Tensor<1>| x.grad(&gradients).map_or_else(Vec::new, read);
    let [a, b] = &inputs;
    let [c, d] = &parameters;
    let found = [of_input(a), of_input(b), of_parameter(c), of_parameter(d)];
    (read(output), dtype, found)
}

fn check(name: &str, operation: Operation<'_>) {
    let (expected, _, expected_gradients) = run(operation, FloatDType::F32);
    for (format, tolerance) in FORMATS {
        let (found, dtype, gradients) = run(operation, format);
        assert_eq!(dtype, DType::from(format), "{name}");
        assert_close(name, &found, &expected, tolerance, 0.1);
        for (found, expected) in gradients.iter().zip(&expected_gradients) {
            assert_close(name, found, expected, tolerance, 0.1);
        }
    }
}

fn norm([weight, bias]: [Tensor<1>; 2]) -> BatchNormParams {
    BatchNormParams {
        weight,
        bias,
        epsilon: 1e-5,
    }
}

fn rows(x: Tensor<4>) -> Tensor<2> {
    x.reshape([100, 6])
}

fn back(x: Tensor<2>) -> Tensor<4> {
    let [rows, columns] = x.dims();
    x.reshape([rows, columns, 1, 1])
}

#[test]
fn an_operation_computes_in_the_format_of_its_input() {
    let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    check("conv2d", &|[x, _], [weight, _]| {
        let filters = weight.reshape([1, 6, 1, 1]).expand([3, 6, 3, 3]);
        conv2d(x, filters, options())
    });
    check("linear", &|[x, _], [weight, bias]| {
        let weight = weight.reshape([6, 1]).expand([6, 6]);
        back(linear(rows(x), weight, Some(bias)))
    });
    check("tied_linear", &|[x, _], [table, _]| {
        back(tied_linear(rows(x), table.reshape([1, 6]).expand([4, 6])))
    });
    check("bias_gelu", &|[x, _], [bias, _]| {
        back(bias_gelu(rows(x), bias))
    });
    check("bias_relu", &|[x, _], [bias, _]| {
        // Far from the kink, which rounding would cross.
        let far = Tensor::<1>::from_floats([2.0, -2.0, 2.0, -2.0, 2.0, 2.0], &x.device());
        back(bias_relu(rows(x), bias * 0.3 + far))
    });
    check("batch_norm_train", &|[x, residual], parameters| {
        let tail = BatchNormTail {
            residual: Some(residual),
            relu: true,
        };
        let (output, statistics) = batch_norm_train(x, norm(parameters), tail);
        assert_eq!(statistics.mean.dtype(), DType::F32);
        output
    });
    check("batch_norm_inference", &|[x, _], parameters| {
        let [mean, variance] = parameters.clone();
        let statistics = BatchNormStatistics {
            mean,
            variance: variance * 0.1 + 1.0,
        };
        batch_norm_inference(x, norm(parameters), statistics, BatchNormTail::default())
    });
    check("feature stack", &|[x, y], [weight, bias]| {
        let mut stack = FeatureStack::new(x);
        stack.push(y);
        let twice = |x: Tensor<1>| Tensor::cat(vec![x.clone(), x], 0);
        stack
            .batch_norm_train(norm([twice(weight), twice(bias)]), true)
            .0
    });
    check("layer_norm", &|[x, _], [weight, bias]| {
        back(layer_norm(rows(x), weight, bias, 1e-5))
    });
    check("softmax", &|[x, _], _| back(softmax(rows(x))));
    check("attention", &|[x, y], _| {
        let device = x.device();
        let mask = Tensor::<2, Int>::ones([4, 5], &device).tril(2).bool();
        let mask: Tensor<2, Bool> = mask.bool_not();
        attention(x.clone(), y, x, Some(mask), 0.4, false)
    });
    check("causal attention", &|[x, y], _| {
        attention(x, y.clone(), y, None, 2.0, true)
    });
    check("global_avg_pool", &|[x, _], _| back(global_avg_pool(x)));
    check("max_pool2d", &|[x, _], _| {
        max_pool2d(x, [2, 2], [2, 2], [0, 0])
    });
    check("avg_pool2d", &|[x, _], _| {
        avg_pool2d(x, [2, 2], [2, 2], [0, 0], true)
    });
    check("dropout", &|[x, _], _| dropout(x, 0.3, 7));
    check("dropout_add", &|[x, y], _| dropout_add(x, y, 0.3, 7));
}

#[test]
fn the_loss_is_in_single_precision() {
    let device = Device::flex().autodiff();
    let targets = Tensor::<1, Int>::from_ints([0, 2, 1, 3, 3], &device);
    let loss = |format| {
        let logits = numbers([5, 4], 1, (&device, DType::F32)) * 300.0;
        let logits = logits.cast(FloatDType::BF16).cast(format).require_grad();
        let loss = cross_entropy(logits.clone(), targets.clone(), 0.1);
        assert_eq!(loss.dtype(), DType::F32);
        (read(loss.clone()), gradient(&logits, &loss.backward()))
    };
    let (expected, gradients) = loss(FloatDType::F32);
    for (format, tolerance) in FORMATS {
        let (found, of_logits) = loss(format);
        assert_close("loss", &found, &expected, 1e-6, 0.0);
        assert_close("gradient", &of_logits, &gradients, tolerance, 0.0);
    }
}
