//! Small models and helpers that the test files share.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig, decay::WeightDecayConfig};
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};
use xsam::method::{Method, MethodConfig, MethodSpec};
use xsam::{
    AsamConfig, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MsamConfig, SamConfig, Scaling, SearchSchedule, SgdOnlyConfig,
    SharpnessAware, WsamConfig, XsamConfig,
};

pub mod by_hand;

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
        let options = (&device(), dtype);
        Self {
            first: Param::from_tensor(Tensor::from_data(tensor(a), options)),
            second: Param::from_tensor(
                Tensor::<1>::from_data(tensor(b), (&device(), dtype)).reshape([1, b.len()]),
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
    pub fn linear(&self, slope: &[f64]) -> Tensor<1> {
        (self.joined() * self.constant(slope)).sum()
    }
}

/// A net with batch norm and dropout.
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
            first: LinearConfig::new(4, 8).init(device),
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

/// A batch of random inputs and targets.
pub fn batch(device: &Device) -> (Tensor<2>, Tensor<2>) {
    let normal = Distribution::Normal(0.0, 1.0);
    (
        Tensor::random([16, 4], normal, device),
        Tensor::random([16, 2], normal, device),
    )
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

/// The methods of these configs, with `$rho` in place of their own if it is some.
macro_rules! built {
    ($rho:expr; $($config:expr),* $(,)?) => {
        vec![$({
            let config = $config;
            let config = match $rho {
                Some(rho) => config.with_rho(rho),
                None => config,
            };
            config.build().unwrap()
        }),*]
    };
}

/// Six positions, 0, 0.4, .., 2.0: those of a search that a parabola refines.
pub fn coarse() -> Vec<f64> {
    XsamConfig::new().with_parabola(true).positions()
}

/// The methods that hand the base optimizer one gradient and leave everything else to it, in all their forms; with
/// `rho` in place of their own if it is some.
pub fn methods_of_one_gradient(rho: Option<f64>) -> Vec<Box<dyn Method>> {
    let (sam, xsam) = (SamConfig::new, XsamConfig::new);
    let adaptive_search = SearchSchedule::Adaptive {
        shortest: 1,
        longest: 4,
        tolerance: 0.05,
    };
    let friendly = Friendly {
        sigma: 0.8,
        lambda: 0.6,
    };
    let mut methods = built![
        rho;
        sam(),
        sam().with_ascent_steps(3),
        AsamConfig::new(),
        AsamConfig::new().with_adaptive(Scaling::Weights),
        xsam(),
        xsam().with_ascent_steps(3),
        xsam().with_adaptive(Scaling::Elementwise),
        xsam().with_adaptive(Scaling::Weights),
        xsam().with_friendly(friendly),
        xsam().with_parabola(true),
        xsam().with_search_batches(2),
        xsam().with_search(adaptive_search).with_grid(coarse()),
        GsamConfig::new(),
        GsamConfig::new().with_ascent_steps(2).with_adaptive(Scaling::Elementwise),
        WsamConfig::new().with_decoupled(false),
        WsamConfig::new().with_decoupled(false).with_ascent_steps(2),
        LookSamConfig::new().with_every(2),
        FriendlySamConfig::new(),
        FriendlySamConfig::new().with_ascent_steps(2).with_sigma(0.8).with_lambda(0.6),
        MsamConfig::new(),
        MsamConfig::new().with_adaptive(Scaling::Elementwise),
    ];
    methods.push(SgdOnlyConfig::new().build().unwrap());
    for config in [
        xsam(),
        xsam().with_friendly(friendly).with_search_batches(2),
    ] {
        let config = match rho {
            Some(rho) => config.with_rho(rho),
            None => config,
        };
        methods.push(LookXsamConfig::from(config).with_every(2).build().unwrap());
    }
    methods
}

/// WSAM where the sharpness goes past the base optimizer.
pub fn decoupled_wsam(rho: Option<f64>) -> Vec<Box<dyn Method>> {
    built![rho; WsamConfig::new(), WsamConfig::new().with_adaptive(Scaling::Elementwise)]
}

/// Ascent steps and alpha of the forms of Lookbehind-SAM, which has the base optimizer make several steps.
pub const LOOKBEHINDS: [(usize, f64); 3] = [(1, 0.5), (2, 0.5), (3, 0.8)];

pub fn lookbehind_sam(k: usize, alpha: f64, rho: Option<f64>) -> Box<dyn Method> {
    let config = LookbehindSamConfig::new();
    let mut methods = built![rho; config.with_ascent_steps(k).with_alpha(alpha)];
    methods.remove(0)
}

/// Every method in all its forms, with `rho` in place of their own if it is some.
pub fn every_method_with(rho: Option<f64>) -> Vec<Box<dyn Method>> {
    let mut methods = methods_of_one_gradient(rho);
    methods.extend(decoupled_wsam(rho));
    methods.extend(LOOKBEHINDS.map(|(k, alpha)| lookbehind_sam(k, alpha, rho)));
    for name in MethodSpec::NAMES {
        let mut spec = MethodSpec::named(name).unwrap();
        if let Some(rho) = rho {
            spec.set_rho(rho);
        }
        if !methods.iter().any(|method| method.name() == *name) {
            methods.push(spec.build().unwrap());
        }
    }
    methods
}

pub fn every_method() -> Vec<Box<dyn Method>> {
    every_method_with(None)
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
