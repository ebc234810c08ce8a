//! Sharpness over time: what is measured after epochs, and that the run is as it is without.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::fs;
use std::iter;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{Module, Param};
use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{Tensor, TensorData};
use xsam_lab::files::Existing;
use xsam_lab::plan::measure;
use xsam_lab::spec::{Spec, TaskSpec};
use xsam_lab::{
    Batches, Metrics, Part, Place, Run, RunSummary, SampleSizes, Setup, Status, StopSignal, Task,
    TaskError, Tasks, sections,
};

/// Runs draw from the random numbers of the one device that a process has.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

sections! {
    struct Own {
        data: Nothing,
        model: Nothing,
    }

    struct Nothing {}
}

impl TaskSpec for Own {}

const STEPS: usize = 4;
const ROWS: usize = 16;

/// A network with all that a measurement could disturb: running statistics, and random numbers of the device.
#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: BatchNorm,
    dropout: Dropout,
    last: Linear,
}

#[derive(Debug)]
struct Fit {
    place: Place,
    seed: u64,
}

thread_local! {
    /// Who is asked to stop as soon as something is measured.
    static ASKED: RefCell<Option<StopSignal>> = const { RefCell::new(None) };
}

impl Fit {
    fn rows(&self, from: usize, to: usize) -> (Tensor<2>, Tensor<2>) {
        let row = |i: usize| (0..4).map(move |j| (i as f64 * (j as f64 + 1.3)).sin());
        let inputs: Vec<f64> = (from..to).flat_map(row).collect();
        let targets = inputs.chunks(4).map(|x| x[0] * x[1] + x[2]);
        let targets: Vec<f64> = targets.collect();
        let tensor = |values: Vec<f64>, width| {
            let data = TensorData::new(values, [to - from, width]);
            Tensor::<2>::from_data(data, self.place.floats())
        };
        (tensor(inputs, 4), tensor(targets, 1))
    }
}

impl Task for Fit {
    type Spec = Own;
    type Model = Net;
    type Batch = (Tensor<2>, Tensor<2>);
    type Output = ();

    fn new(setup: &Setup<'_, Own>) -> Result<Self, TaskError> {
        Ok(Self {
            place: setup.place.clone(),
            seed: setup.seed(),
        })
    }

    fn model(&self) -> Result<Net, TaskError> {
        let device = &self.place.device;
        device.seed(self.seed);
        Ok(Net {
            first: LinearConfig::new(4, 8).init(device),
            norm: BatchNormConfig::new(8).init(device),
            dropout: DropoutConfig::new(0.3).init(),
            last: LinearConfig::new(8, 1).init(device),
        })
    }

    fn steps(&self) -> usize {
        STEPS
    }

    fn batch(&self, epoch: usize, step: usize) -> Result<Self::Batch, TaskError> {
        let step = (step + epoch) % STEPS;
        Ok(self.rows(step * ROWS, (step + 1) * ROWS))
    }

    fn loss(&self, model: &Net, batch: &Self::Batch, _noise: Option<u64>) -> (Tensor<1>, ()) {
        let hidden = model
            .norm
            .forward(tanh(model.first.forward(batch.0.clone())));
        let out = model.last.forward(model.dropout.forward(hidden));
        let loss = MseLoss::new();
        (loss.forward(out, batch.1.clone(), Reduction::Mean), ())
    }

    fn held_out(&self, _part: Part) -> Result<Batches<'_, Self::Batch>, TaskError> {
        let (inputs, targets) = self.rows(200, 232);
        let batch = (inputs.inner(), targets.inner());
        Ok(Box::new([Ok(batch)].into_iter()))
    }

    fn sample(
        &self,
        sizes: SampleSizes,
        seed: u64,
    ) -> Result<Vec<(Self::Batch, usize)>, TaskError> {
        assert_eq!((sizes.all, sizes.batch, seed), (1024, 128, self.seed));
        ASKED.with_borrow_mut(|asked| asked.take().inspect(StopSignal::stop));
        let halves = [(0, ROWS), (ROWS, 3 * ROWS)];
        Ok(halves.map(|(a, b)| (self.rows(a, b), b - a)).into())
    }
}

/// Half the sum of the squares of the weights, each times its curvature.
const CURVATURES: [f64; 3] = [7.0, 2.0, 0.5];

#[derive(Module, Debug)]
struct Bowl {
    weights: Param<Tensor<1>>,
}

#[derive(Debug)]
struct Quadratic(Place);

impl Task for Quadratic {
    type Spec = Own;
    type Model = Bowl;
    type Batch = Tensor<1>;
    type Output = ();

    fn new(setup: &Setup<'_, Own>) -> Result<Self, TaskError> {
        Ok(Self(setup.place.clone()))
    }

    fn model(&self) -> Result<Bowl, TaskError> {
        let weights = Param::from_tensor(Tensor::ones([3], &self.0.device));
        Ok(Bowl { weights })
    }

    fn steps(&self) -> usize {
        1
    }

    fn batch(&self, _epoch: usize, _step: usize) -> Result<Tensor<1>, TaskError> {
        Ok(Tensor::from_data(CURVATURES, self.0.floats()))
    }

    fn loss(&self, model: &Bowl, batch: &Tensor<1>, _noise: Option<u64>) -> (Tensor<1>, ()) {
        let squares = model.weights.val().square() * batch.clone();
        (squares.sum().mul_scalar(0.5), ())
    }

    fn held_out(&self, _part: Part) -> Result<Batches<'_, Tensor<1>>, TaskError> {
        Ok(Box::new(iter::empty()))
    }
}

fn spec(more: &[&str]) -> Spec<Own> {
    common::spec(&[&["train.epochs=5"], more].concat())
}

fn train<L: Tasks<Spec = Own>>(
    spec: Spec<Own>,
    directory: &Path,
    existing: Existing,
) -> (RunSummary, Vec<Metrics>) {
    let summary = common::train::<L>(spec, directory, existing, usize::MAX);
    let rows = Metrics::read(&directory.join("metrics.csv")).unwrap();
    (summary, rows)
}

/// The rows of `metrics.csv` without the times and the memory that they took.
fn measured(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("metrics.csv")).unwrap();
    let line = |line: &str| line.rsplitn(4, ',').nth(3).unwrap().to_owned();
    text.lines().map(line).collect()
}

const COLUMNS: [&str; 3] = ["lambda_max", "lambda_max_residual", "highest_rise"];

#[test]
fn a_run_goes_as_it_does_without() {
    let _alone = alone();
    let here = tempfile::tempdir().unwrap();
    let of = |name: &str, more: &[&str]| {
        let directory = here.path().join(name);
        train::<Fit>(spec(more), &directory, Existing::Refuse).1
    };
    // What is not evaluated has its running statistics brought up to date by nobody else.
    let seldom = ["train.evaluate_every=5", "train.checkpoint_every=5"];
    for more in [&[][..], &seldom] {
        let name = more.len().to_string();
        let plain = of(&name, more);
        let every = [more, &["train.measure_every=2"]].concat();
        let measuring = of(&format!("{name}-measuring"), &every);
        for (epoch, (plain, measuring)) in (1..).zip(plain.iter().zip(&measuring)) {
            let due = epoch == 2 || epoch == 4 || epoch == 5;
            for column in COLUMNS {
                assert_eq!(plain.get(column), None);
                assert_eq!(measuring.get(column).is_some(), due, "{epoch} {column}");
            }
            let same = [
                "lr",
                "train_loss",
                "validation_loss",
                "alpha",
                "psi",
                "grad_norm",
                "update_norm",
                "search_passes",
            ];
            for column in same {
                assert_eq!(plain.get(column), measuring.get(column), "{epoch} {column}");
            }
            if due {
                let [largest, residual, rise] = COLUMNS.map(|name| measuring.get(name).unwrap());
                assert!(largest > 0.0 && rise > 0.0, "{largest} {rise}");
                assert!(residual >= 0.0 && residual < 0.05 * largest, "{residual}");
            }
        }
    }
}

#[test]
fn a_resumed_run_measures_what_an_uninterrupted_one_does() {
    let _alone = alone();
    let here = tempfile::tempdir().unwrap();
    let spec = || spec(&["train.measure_every=2"]);
    let whole = here.path().join("whole");
    train::<Fit>(spec(), &whole, Existing::Refuse);
    for stop_at in [1, STEPS, STEPS + 1, 2 * STEPS, 2 * STEPS + 3] {
        let parted = here.path().join(format!("parted-{stop_at}"));
        let summary = common::train::<Fit>(spec(), &parted, Existing::Refuse, stop_at);
        assert_eq!(summary.status, Status::Interrupted);
        train::<Fit>(spec(), &parted, Existing::Resume);
        assert_eq!(measured(&parted), measured(&whole), "{stop_at}");
    }
}

#[test]
fn a_measurement_ends_when_it_is_asked_to_and_is_made_again() {
    let _alone = alone();
    let here = tempfile::tempdir().unwrap();
    let spec = || spec(&["train.measure_every=1", "train.epochs=2"]);
    let (whole, parted) = (here.path().join("whole"), here.path().join("parted"));
    train::<Fit>(spec(), &whole, Existing::Refuse);
    let stop = StopSignal::default();
    ASKED.set(Some(stop.clone()));
    let run = Run::prepare::<Fit>(spec(), &parted, Existing::Refuse).unwrap();
    let summary = run.train(&stop, &mut |_| {}).unwrap();
    // All steps of the epoch are done, and it is not.
    assert_eq!((summary.status, summary.epochs), (Status::Interrupted, 0));
    assert!(summary.warnings.is_empty(), "{:?}", summary.warnings);
    train::<Fit>(spec(), &parted, Existing::Resume);
    assert_eq!(measured(&parted), measured(&whole));
}

#[test]
fn it_may_be_measured_from_some_epoch_on() {
    let _alone = alone();
    let here = tempfile::tempdir().unwrap();
    let longer = |more: &[&str], epochs: &str| spec(&[more, &[epochs]].concat());
    let run = here.path().join("run");
    train::<Fit>(longer(&[], "train.epochs=2"), &run, Existing::Refuse);
    let more = ["train.measure_every=1", "train.measure_rho=0.2"];
    let (_, rows) = train::<Fit>(longer(&more, "train.epochs=4"), &run, Existing::Resume);
    let known = rows.iter().map(|row| row.get("lambda_max").is_some());
    assert_eq!(known.collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn curvature_and_rise_of_a_known_loss_are_found() {
    let _alone = alone();
    let here = tempfile::tempdir().unwrap();
    for (method, rho, settings) in [
        ("sgd", 0.15, &["optimizer.weight_decay=0"][..]),
        ("sam", 0.15, &["method.rho=0.25"]),
        ("asam", 0.5, &["train.measure_rho=0.5", "method.rho=2.0"]),
    ] {
        let name = format!("method.name={method}");
        let all = [
            "train.epochs=1",
            "train.measure_every=7",
            "train.precision=f64",
            "optimizer.lr=1e-12",
            &name,
        ];
        let spec = common::spec(&[&all[..], settings].concat());
        let (_, rows) = train::<Quadratic>(spec, &here.path().join(method), Existing::Refuse);
        let [largest, residual, rise] = COLUMNS.map(|name| rows[0].get(name).unwrap());
        assert!((largest - 7.0).abs() < 1e-5, "{largest}");
        assert!(residual < 1e-4, "{residual}");
        // At weights of 1 the gradient is the curvatures. It rises no more than with the largest of them all the way.
        let norm = CURVATURES.iter().map(|c| c * c).sum::<f64>().sqrt();
        let along = CURVATURES.iter().map(|c| c.powi(3)).sum::<f64>() / (norm * norm);
        let least = norm * rho + 0.5 * rho * rho * along;
        let most = norm * rho + 0.5 * rho * rho * 7.0;
        let is_between = least - 1e-6 <= rise && rise <= most;
        assert!(is_between, "{least} {rise} {most}");
    }
}

#[test]
fn what_is_not_finite_is_told_and_the_run_goes_on() {
    let _alone = alone();
    let here = tempfile::tempdir().unwrap();
    let more = [
        "train.measure_every=1",
        "train.epochs=2",
        "train.measure_rho=1e30",
    ];
    let (summary, rows) = train::<Fit>(spec(&more), &here.path().join("run"), Existing::Refuse);
    assert_eq!(summary.status, Status::Finished);
    for row in rows {
        assert!(row.get("highest_rise").unwrap().is_nan());
        assert!(row.get("lambda_max").unwrap().is_finite());
    }
    assert_eq!(summary.warnings, ["after epoch 1 highest_rise is NaN"]);
}

#[test]
fn a_plan_measures_what_it_takes() {
    let _alone = alone();
    let here = tempfile::tempdir().unwrap();
    let of = |name: &str, more: &[&str]| {
        let directory = here.path().join(name);
        measure::<Fit>(&spec(more), Some(6), &directory).unwrap()
    };
    assert_eq!(of("without", &[]).sharpness, None);
    let found = of("with", &["train.measure_every=100"]).sharpness.unwrap();
    assert!(found.count == 3 && found.low_s > 0.0 && found.high_s.is_finite());
}

#[test]
fn ranges_are_checked_and_methods_are_measured_alike() {
    let refused = |setting: &str| spec(&[setting]).resolved().unwrap_err().to_string();
    assert_eq!(
        refused("train.measure_every=0"),
        "`train.measure_every`: 0 must be at least 1"
    );
    for rho in ["0.0", "-1.0", "inf"] {
        let said = refused(&format!("train.measure_rho={rho}"));
        assert!(said.contains("`train.measure_rho`"), "{said}");
    }
    let rho = |more: &[&str]| spec(more).resolved().unwrap().train.measure_rho;
    assert_eq!(rho(&["method.rho=0.3"]), None);
    let measuring = "train.measure_every=3";
    assert_eq!(rho(&[measuring, "method.rho=0.3"]), Some(0.15));
    assert_eq!(rho(&[measuring, "method.name=sgd"]), Some(0.15));
    assert_eq!(rho(&[measuring, "train.measure_rho=0.1"]), Some(0.1));
}
