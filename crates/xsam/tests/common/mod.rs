//! Small models and helpers that the test files share.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig, decay::WeightDecayConfig};
use burn::tensor::{Bytes, DType, Device, FloatDType, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};
use xsam::method::{Method, MethodConfig, MethodSpec};
use xsam::{
    AsamConfig, BsamConfig, ConfigError, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig,
    LookXsamConfig, LookbehindSamConfig, LossOutput, MsamConfig, SamConfig, Scaling,
    SearchSchedule, SgdOnlyConfig, SharpnessAware, SharpnessAwareRecord, Step, WsamConfig,
    XsamConfig,
};

pub mod by_hand;
pub mod samples;

pub fn device() -> Device {
    Device::flex().autodiff()
}

/// A free vector of weights, split over two parameters of different rank.
#[derive(Module, Debug)]
pub struct Point {
    pub first: Param<Tensor<1>>,
    pub second: Param<Tensor<2>>,
}

impl Point {
    /// `values` in f64; the first `split` of them in the first parameter.
    pub fn new(values: &[f64], split: usize) -> Self {
        Self::with_dtype(values, split, DType::F64)
    }

    pub fn with_dtype(values: &[f64], split: usize, dtype: DType) -> Self {
        let (a, b) = values.split_at(split);
        let tensor = |v: &[f64]| TensorData::new(v.to_vec(), [v.len()]);
        let device = device();
        let options = (&device, dtype);
        Self {
            first: Param::from_tensor(Tensor::from_data(tensor(a), options)),
            second: Param::from_tensor(
                Tensor::<1>::from_data(tensor(b), options).reshape([1, b.len()]),
            ),
        }
    }

    pub fn joined(&self) -> Tensor<1> {
        let second = self.second.val();
        let n = second.dims()[1];
        Tensor::cat(vec![self.first.val(), second.reshape([n])], 0)
    }

    pub fn values(&self) -> Vec<f64> {
        self.joined().into_data().iter::<f64>().collect()
    }

    pub fn constant(&self, values: &[f64]) -> Tensor<1> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Tensor::from_data(data, (&device(), self.first.val().dtype()))
    }

    /// `sum a_i w_i^2 / 2`.
    pub fn quadratic(&self, curvature: &[f64]) -> Tensor<1> {
        (self.joined().square() * self.constant(curvature) * 0.5).sum()
    }

    /// `sum c_i w_i`.
    pub fn linear(&self, gradient: &[f64]) -> Tensor<1> {
        (self.joined() * self.constant(gradient)).sum()
    }

    /// The same weights in single precision.
    pub fn in_single(&self) -> Self {
        Self {
            first: in_single(&self.first),
            second: in_single(&self.second),
        }
    }
}

fn in_single<const D: usize>(parameter: &Param<Tensor<D>>) -> Param<Tensor<D>> {
    let cast = |t: Tensor<D>| t.cast(FloatDType::F32).detach().require_grad();
    parameter.clone().map(cast)
}

/// A net with batch norm and dropout. No bias stands before the norm: its gradient would be nothing but rounding.
#[derive(Module, Debug)]
pub struct Net {
    pub first: Linear,
    pub norm: BatchNorm,
    pub dropout: Dropout,
    pub last: Linear,
}

impl Net {
    pub fn new(device: &Device, dropout: f64) -> Self {
        Self {
            first: LinearConfig::new(4, 8).with_bias(false).init(device),
            norm: BatchNormConfig::new(8).init(device),
            dropout: DropoutConfig::new(dropout).init(),
            last: LinearConfig::new(8, 2).init(device),
        }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = burn::tensor::activation::relu(self.norm.forward(self.first.forward(x)));
        self.last.forward(self.dropout.forward(x))
    }

    pub fn loss(&self, (x, y): &(Tensor<2>, Tensor<2>)) -> Tensor<1> {
        (self.forward(x.clone()) - y.clone()).square().mean()
    }
}

/// Inputs and targets.
pub type Batch = (Tensor<2>, Tensor<2>);

/// Normal numbers, the same in every run of a test: each has a thread of its own.
fn normal<const D: usize>(shape: [usize; D], deviation: f64, device: &Device) -> Tensor<D> {
    thread_local! {
        static RANDOM: RefCell<ChaCha8Rng> = RefCell::new(ChaCha8Rng::seed_from_u64(0));
    }
    let normal = Normal::new(0.0, deviation).unwrap();
    let length = shape.iter().product();
    let values: Vec<f64> =
        RANDOM.with_borrow_mut(|random| normal.sample_iter(random).take(length).collect());
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A batch of random inputs and targets.
pub fn batch() -> Batch {
    batch_on(&device())
}

pub fn batch_on(device: &Device) -> Batch {
    (normal([16, 4], 1.0, device), normal([16, 2], 1.0, device))
}

/// A net without dropout.
pub fn net() -> Net {
    net_on(&device())
}

pub fn net_on(device: &Device) -> Net {
    let mut net = Net::new(device, 0.0);
    redraw(&mut net.first, device);
    redraw(&mut net.last, device);
    net
}

/// Gives a layer weights of the deviation that Burn's have, but not from the device's random numbers.
fn redraw(layer: &mut Linear, device: &Device) {
    let [inputs, outputs] = layer.weight.dims();
    let deviation = (3.0 * inputs as f64).sqrt().recip();
    layer.weight = Param::from_tensor(normal([inputs, outputs], deviation, device));
    if layer.bias.is_some() {
        layer.bias = Some(Param::from_tensor(normal([outputs], deviation, device)));
    }
}

/// Tests that draw from the device's random numbers, which those of one process share, take turns.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A copy that shares nothing.
pub fn copy<M: Module>(model: &M) -> M {
    model.valid().train()
}

/// A step that succeeds.
pub fn step<M: Module, L: LossOutput>(
    optim: &mut SharpnessAware,
    lr: f64,
    model: M,
    loss: impl FnMut(&M) -> L,
) -> Step<M, L::Output> {
    optim.step(lr, model, loss).unwrap()
}

/// The net after so many steps on one batch.
pub fn trained(optim: &mut SharpnessAware, start: Net, batch: &Batch, steps: usize) -> Net {
    (0..steps).fold(start, |model, _| {
        step(optim, 0.1, model, |m: &Net| m.loss(batch)).model
    })
}

/// The state of an optimizer as it is in a file.
pub fn recorded(optim: &SharpnessAware) -> Bytes {
    optim.to_record().unwrap().into_bytes().unwrap()
}

pub fn record(bytes: &Bytes) -> SharpnessAwareRecord {
    SharpnessAwareRecord::from_bytes(bytes.clone()).unwrap()
}

/// The optimizer with the state of another one.
pub fn resumed(mut optim: SharpnessAware, bytes: &Bytes) -> SharpnessAware {
    optim.load_record(record(bytes)).unwrap();
    optim
}

/// All float tensors of a module, running statistics too, as bits.
pub fn bits<M: Module>(module: &M) -> Vec<Vec<u64>> {
    struct Bits(Vec<Vec<u64>>);
    impl ModuleVisitor for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let data = param.val().into_data();
            self.0.push(data.iter::<f64>().map(f64::to_bits).collect());
        }
    }
    let mut bits = Bits(Vec::new());
    module.valid().visit(&mut bits);
    bits.0
}

pub fn plain() -> ModuleOptimizer {
    SgdConfig::new().init()
}

pub fn momentum() -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new().with_dampening(0.0)))
        .with_weight_decay(Some(WeightDecayConfig::new(1e-3)))
        .init()
}

/// The methods of these configs, with `rho` in place of their own if it is some.
fn built(specs: impl IntoIterator<Item = MethodSpec>, rho: Option<f64>) -> Vec<Box<dyn Method>> {
    let build = |mut spec: MethodSpec| {
        if let Some(rho) = rho {
            spec.set_rho(rho);
        }
        spec.build().unwrap()
    };
    specs.into_iter().map(build).collect()
}

/// Six positions, 0, 0.4, .., 2.0: those of a search that a parabola refines.
pub fn coarse() -> Vec<f64> {
    XsamConfig::new().with_parabola(true).positions()
}

/// The methods that hand the base optimizer one gradient and leave everything else to it, in all their forms; with
/// `rho` in place of their own if it is some.
pub fn methods_of_one_gradient(rho: Option<f64>) -> Vec<Box<dyn Method>> {
    let (sam, xsam) = (SamConfig::new, XsamConfig::new);
    let coupled = || WsamConfig::new().with_decoupled(false);
    let adaptive_search = SearchSchedule::Adaptive {
        shortest: 1,
        longest: 4,
        tolerance: 0.05,
    };
    let friendly = Friendly {
        sigma: 0.8,
        lambda: 0.6,
    };
    let averaged = xsam().with_friendly(friendly).with_search_batches(2);
    let methods = [
        SgdOnlyConfig::new().into(),
        sam().into(),
        sam().with_ascent_steps(3).into(),
        AsamConfig::new().into(),
        AsamConfig::new().with_adaptive(Scaling::Weights).into(),
        xsam().into(),
        xsam().with_ascent_steps(3).into(),
        xsam().with_adaptive(Scaling::Elementwise).into(),
        xsam().with_adaptive(Scaling::Weights).into(),
        xsam().with_friendly(friendly).into(),
        xsam().with_parabola(true).into(),
        xsam().with_search_batches(2).into(),
        xsam()
            .with_search(adaptive_search)
            .with_grid(coarse())
            .into(),
        GsamConfig::new().into(),
        GsamConfig::new()
            .with_ascent_steps(2)
            .with_adaptive(Scaling::Elementwise)
            .into(),
        coupled().into(),
        coupled().with_ascent_steps(2).into(),
        LookSamConfig::new().with_every(2).into(),
        FriendlySamConfig::new().into(),
        FriendlySamConfig::new()
            .with_ascent_steps(2)
            .with_sigma(friendly.sigma)
            .with_lambda(friendly.lambda)
            .into(),
        MsamConfig::new().into(),
        MsamConfig::new().with_adaptive(Scaling::Elementwise).into(),
        LookXsamConfig::from(xsam()).with_every(2).into(),
        LookXsamConfig::from(averaged).with_every(2).into(),
    ];
    built(methods, rho)
}

/// WSAM where the sharpness goes past the base optimizer.
pub fn decoupled_wsam(rho: Option<f64>) -> Vec<Box<dyn Method>> {
    let scaled = WsamConfig::new().with_adaptive(Scaling::Elementwise);
    built([WsamConfig::new().into(), scaled.into()], rho)
}

/// Ascent steps and alpha of the forms of Lookbehind-SAM, which has the base optimizer make several steps.
pub const LOOKBEHINDS: [(usize, f64); 3] = [(1, 0.5), (2, 0.5), (3, 0.8)];

pub fn lookbehind_sam(k: usize, alpha: f64, rho: Option<f64>) -> Box<dyn Method> {
    let config = LookbehindSamConfig::new();
    let config = config.with_ascent_steps(k).with_alpha(alpha);
    built([config.into()], rho).remove(0)
}

/// Every method that a mean loss is enough for, in all its forms, with `rho` in place of their own if it is some.
pub fn every_method_with(rho: Option<f64>) -> Vec<Box<dyn Method>> {
    let mut methods = methods_of_one_gradient(rho);
    methods.extend(decoupled_wsam(rho));
    methods.extend(LOOKBEHINDS.map(|(k, alpha)| lookbehind_sam(k, alpha, rho)));
    let has = |name: &str| methods.iter().any(|method| method.name() == name);
    let others: Vec<_> = MethodSpec::NAMES.iter().filter(|name| !has(name)).collect();
    let others = others
        .into_iter()
        .filter_map(|name| MethodSpec::named(name))
        .filter(|method| !method.needs_logits() && !method.needs_samples())
        .map(|method| match method {
            MethodSpec::Bsam(_) => calm().into(),
            method => method,
        });
    methods.extend(built(others, rho));
    methods
}

/// bSAM without noise, of which two optimizers would each draw their own, and without a decay of its own.
pub fn calm() -> BsamConfig {
    BsamConfig::new().with_samples(1e300).with_delta(0.0)
}

/// A method that has been built already, as a config.
pub struct Built(pub Box<dyn Method>);

impl MethodConfig for Built {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(self.0.clone())
    }
}

pub fn every_method() -> Vec<Box<dyn Method>> {
    every_method_with(None)
}

/// Every method in all its forms, around SGD with momentum.
pub fn every_optimizer() -> Vec<SharpnessAware> {
    let methods = every_method().into_iter();
    let around = |method| SharpnessAware::from_method(momentum(), method);
    methods.map(around).collect()
}

/// The same without those whose first pass is not at the weights.
pub fn optimizers_at_the_weights() -> Vec<SharpnessAware> {
    let mut optimizers = every_optimizer();
    optimizers.retain(|optim| !["momentum-sam", "sampa", "bsam"].contains(&optim.method()));
    optimizers
}

/// Whether a method makes a second pass in its first step.
pub fn ascends(optim: &SharpnessAware) -> bool {
    !["sgd", "momentum-sam", "sampa"].contains(&optim.method())
}

pub fn optimizer(config: impl MethodConfig) -> SharpnessAware {
    SharpnessAware::new(plain(), config).unwrap()
}

/// The same loss, whose backward pass overflows in single precision where the scale is above 128: the gradient comes
/// by way of a number 2^120 times as large. All factors are powers of two, so nothing is rounded.
pub fn overflowing(loss: Tensor<1>) -> Tensor<1> {
    let huge = 2f64.powi(120);
    loss.div_scalar(huge).mul_scalar(huge)
}

pub fn assert_close(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (a, e) in actual.iter().zip(expected) {
        assert!((a - e).abs() <= tolerance, "{actual:?} is not {expected:?}");
    }
}
