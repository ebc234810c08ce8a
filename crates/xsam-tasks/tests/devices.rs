//! Runs on a graphics card, against the same on the processor.
//!
//! For builds with the feature of a device, on a machine that has it:
//! `cargo test --release -p xsam-tasks --features webgpu --test devices`.
#![cfg(feature = "gpu")]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use common::{Spec, Trained, prepare};
use xsam::method::{Context, Evaluation, Method, MethodState, ParamVector, Update};
use xsam::optim::FusedSgdConfig;
use xsam::{RecordError, SharpnessAware, SharpnessAwareRecord, StepError};
use xsam_lab::files::Existing;
use xsam_lab::spec::{DeviceName, Precision};
use xsam_lab::{Metrics, StopSignal, check_device};
use xsam_names::Named;

/// Those of this build besides the processor.
fn devices() -> impl Iterator<Item = DeviceName> {
    let all = DeviceName::all().into_iter();
    all.filter(|name| *name != DeviceName::Cpu && name.is_built_in())
}

fn train(device: DeviceName, epochs: usize, directory: &Path, existing: Existing) -> Vec<Metrics> {
    let settings = [
        "data.subset=40",
        "model.name=mlp",
        "model.width=16",
        "method.name=xsam",
        "train.batch_size=20",
        &format!("train.epochs={epochs}"),
        "schedule.name=constant",
        &format!("train.device={device}"),
    ];
    let (spec, _) = Spec::parse("", &settings.map(str::to_owned)).unwrap();
    let run = prepare(spec, directory, existing).unwrap();
    run.train(&StopSignal::default(), &mut |_| {}).unwrap();
    Trained::load(directory).unwrap().rows
}

#[test]
fn a_run_has_the_losses_that_it_has_on_the_processor_and_goes_on() {
    let here = tempfile::tempdir().unwrap();
    let losses = |rows: Vec<Metrics>| -> Vec<f64> {
        rows.iter().map(|r| r.get("train_loss").unwrap()).collect()
    };
    let at = |name: DeviceName| here.path().join(name.to_string());
    let expected = losses(train(
        DeviceName::Cpu,
        4,
        &at(DeviceName::Cpu),
        Existing::Refuse,
    ));
    for device in devices() {
        check_device(device, Precision::F32).unwrap();
        train(device, 2, &at(device), Existing::Refuse);
        let found = losses(train(device, 4, &at(device), Existing::Resume));
        assert_eq!(found.len(), 4);
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-3 * expected,
                "{device}: {found} {expected}"
            );
        }
        // And the weights are had without the device.
        let trained = Trained::load_on(&at(device), Some(DeviceName::Cpu)).unwrap();
        assert_eq!(trained.spec.train.device, DeviceName::Cpu);
    }
}

/// Hands on the mean of all gradients so far: a method whose state has a vector.
#[derive(Clone, Debug, Default)]
struct Mean {
    sum: Option<ParamVector>,
    count: u64,
}

impl Method for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn update(&mut self, start: Evaluation, _step: &mut Context<'_>) -> Result<Update, StepError> {
        let sum = match self.sum.take() {
            Some(sum) => sum
                .beside(&start.gradient)
                .combine(1.0, &start.gradient, 1.0),
            None => start.gradient,
        };
        self.count += 1;
        let gradient = sum.clone().scale(1.0 / self.count as f64);
        self.sum = Some(sum);
        Ok(Update::new(gradient, None))
    }

    fn state(&self) -> MethodState {
        let state = MethodState::default().with_scalar("count", self.count);
        state.with_vector("sum", self.sum.clone())
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.count = state.scalar("count")?;
        self.sum = state.vector("sum").cloned();
        Ok(())
    }
}

#[derive(Module, Debug)]
struct Point {
    at: Param<Tensor<1>>,
}

/// Four steps on the device, each by an optimizer that was loaded from a record.
fn steps(device: &Device) -> Vec<f32> {
    let device = device.clone().autodiff();
    let target = Tensor::<1>::from_floats([1.0, -2.0, 3.0], &device);
    let start = Tensor::<1>::from_floats([0.5, 0.5, 0.5], &device);
    let new = || {
        let base = FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
        SharpnessAware::from_method(base, Box::new(Mean::default()))
    };
    let mut optim = new();
    let mut model = Point {
        at: Param::from_tensor(start),
    };
    for _ in 0..4 {
        let record = optim.to_record().unwrap().into_bytes().unwrap();
        optim = new();
        optim
            .load_record(SharpnessAwareRecord::from_bytes(record).unwrap())
            .unwrap();
        let loss = |m: &Point| (m.at.val() - target.clone()).square().sum();
        model = optim.step(0.05, model, loss).unwrap().model;
    }
    let reached = model.at.val();
    assert_eq!(reached.device(), device);
    reached.into_data().iter::<f32>().collect()
}

#[test]
fn records_of_optimizers_are_for_any_device() {
    let expected = steps(&Device::flex());
    for device in [
        #[cfg(feature = "webgpu")]
        Device::wgpu(Default::default()),
        #[cfg(feature = "vulkan")]
        Device::vulkan(Default::default()),
        #[cfg(feature = "cuda")]
        Device::cuda(0),
        #[cfg(feature = "rocm")]
        Device::rocm(0),
        #[cfg(feature = "metal")]
        Device::metal(Default::default()),
    ] {
        for (found, expected) in steps(&device).iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
