//! How flat the minimum of a run is.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::{Module, ParamGroup};
use serde::Serialize;
use xsam_data::Dataset;
use xsam_flatness::{
    Density, DifferenceStep, Eigenpairs, Estimate, Faithfulness, Hessian, Lanczos, LossSurface,
    Mode, Quadrature, Reorthogonalization, Sharpness, SharpnessReport, SymmetricOperator, Wanted,
    available_memory, density, faithfulness, hutch_plus_plus,
};
use xsam_kernels::set_kernels;
use xsam_models::{cast, parameter_count, state};

use crate::device::Place;
use crate::error::Error;
use crate::files;
use crate::names::named;
use crate::spec::{ModelName, Precision, SpecError};
use crate::task::{Classification, SampleSizes, Task, Translation};
use crate::trained::{Trained, TrainedModel};

/// File that the report is written to, in the run's directory.
const FILE: &str = "flatness.json";

/// Distances of the table of directions, in units of rho.
const DISTANCES: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatnessSpec {
    /// How many of the largest eigenvalues of the Hessian, besides the smallest one.
    pub top: usize,
    /// Products with the Hessian for its trace; none if `None`.
    pub trace: Option<usize>,
    /// Whether the density of the eigenvalues is measured.
    pub density: bool,
    /// The distance for sharpness and the table of directions; neither if `None`.
    pub sharpness: Option<f64>,
    /// Whether each layer is looked at by itself.
    pub layers: bool,
    /// Samples of the training data: images, or pairs of sentences.
    pub samples: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// Whether the model computes as in training: statistics of the batch, dropout.
    pub training: bool,
    /// Number format, if it is not to be the run's.
    pub precision: Option<Precision>,
    /// Decides which samples, and all that is random in the measurements.
    pub seed: u64,
}

impl Default for FlatnessSpec {
    /// The five largest eigenvalues and the smallest one, over 1,024 samples in evaluation mode.
    fn default() -> Self {
        Self {
            top: 5,
            trace: None,
            density: false,
            sharpness: None,
            layers: false,
            samples: 1024,
            batch: 128,
            training: false,
            precision: None,
            seed: 0,
        }
    }
}

impl FlatnessSpec {
    fn check(&self) -> Result<(), SpecError> {
        for (key, value) in [
            ("top", self.top),
            ("samples", self.samples),
            ("batch", self.batch),
        ] {
            SpecError::unless(value >= 1, key, value, "at least 1")?;
        }
        if let Some(products) = self.trace {
            SpecError::unless(products >= 3, "trace", products, "at least 3 products")?;
        }
        if let Some(rho) = self.sharpness {
            let ok = rho.is_finite() && rho > 0.0;
            SpecError::unless(ok, "sharpness", rho, "finite and above 0")?;
        }
        Ok(())
    }
}

/// A layer by itself: its block of the Hessian.
#[derive(Clone, Debug, Serialize)]
pub struct Layer {
    /// PyTorch's name of the layer.
    pub name: String,
    /// Its learned values.
    pub parameters: usize,
    /// The largest eigenvalue.
    pub largest: f64,
    /// Whether it has converged.
    pub converged: bool,
    /// The trace.
    pub trace: Estimate,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct FlatnessReport {
    /// The run.
    pub run: PathBuf,
    /// The checkpoint that was looked at.
    pub checkpoint: PathBuf,
    /// Epochs that the model has been trained for.
    pub epochs: usize,
    /// The model.
    #[serde(with = "named")]
    pub model: ModelName,
    /// Learned values of the model.
    pub parameters: usize,
    /// Images, or tokens of pairs of sentences, that the loss is a mean over.
    pub samples: usize,
    /// `evaluation` or `training`.
    pub mode: &'static str,
    /// Number format.
    #[serde(with = "named")]
    pub precision: Precision,
    /// The loss.
    pub loss: f64,
    /// The norm of its gradient.
    pub grad_norm: f64,
    /// Step of the differences that second derivatives are.
    pub step: f64,
    /// How far the product with the first eigenvector depends on the step, as a share of it.
    pub discretization: f64,
    /// Eigenvalues of the Hessian: the largest, and last the smallest.
    pub eigenvalues: Eigenpairs,
    /// Its trace.
    pub trace: Option<Estimate>,
    /// The density of its eigenvalues.
    pub density: Option<Density>,
    /// By how much the loss rises.
    pub sharpness: Option<SharpnessReport>,
    /// How high it gets in the direction of each method.
    pub directions: Option<Faithfulness>,
    /// Layer by layer.
    pub layers: Option<Vec<Layer>>,
    /// What it took.
    pub seconds: f64,
}

/// Measures the flatness of the run, or of the checkpoint, in `directory`: of its training loss, on some of its training
/// data without augmentation. The report is written to `flatness.json` in the run's directory; `listener` is told
/// what is measured next.
///
/// # Errors
/// If the spec cannot be, the model or its data cannot be loaded, or something is not finite.
pub fn flatness(
    directory: &Path,
    spec: &FlatnessSpec,
    listener: &mut dyn FnMut(&str),
) -> Result<FlatnessReport, Error> {
    spec.check()?;
    listener("loading model and data");
    let trained = Trained::load(directory)?;
    let run = &trained.spec;
    set_kernels(run.train.kernels);
    let precision = spec.precision.unwrap_or(run.train.precision);
    let place = Place::new(run.train.device, precision);
    let subject = Subject {
        trained: &trained,
        precision,
    };
    let report = match (run.data.load()?, &trained.model) {
        (Dataset::Images(splits), TrainedModel::Classifier(model)) => {
            let task = Classification::new(run, splits, place.clone())?;
            let model = cast(model.clone(), place.dtype);
            measure(&subject, &task, &model, spec, listener)?
        }
        (Dataset::Text(text), TrainedModel::Translator(model, _)) => {
            let task = Translation::new(run, text, place.clone())?;
            task.keep(&trained.run)?;
            let model = cast(model.clone(), place.dtype);
            measure(&subject, &task, &model, spec, listener)?
        }
        _ => {
            let path = trained.run.join(crate::summary::SPEC_FILE);
            return Err(Error::damaged(&path, "its data are not for its model"));
        }
    };
    let path = report.run.join(FILE);
    let text = serde_json::to_string_pretty(&report).map_err(|e| Error::damaged(&path, e))?;
    files::write(&path, &text)?;
    Ok(report)
}

/// What is looked at.
struct Subject<'a> {
    trained: &'a Trained,
    precision: Precision,
}

fn measure<T: Task>(
    subject: &Subject<'_>,
    task: &T,
    model: &T::Model,
    spec: &FlatnessSpec,
    listener: &mut dyn FnMut(&str),
) -> Result<FlatnessReport, Error> {
    let start = Instant::now();
    let sizes = SampleSizes {
        all: spec.samples,
        batch: spec.batch,
    };
    let (batches, counts): (Vec<T::Batch>, Vec<usize>) =
        task.sample(sizes, spec.seed)?.into_iter().unzip();
    let (mode, mode_name) = match spec.training {
        false => (Mode::Evaluation, "evaluation"),
        true => (Mode::Training, "training"),
    };
    let masks = |i: usize| spec.training.then_some(spec.seed ^ i as u64);
    let loss = |model: &T::Model, i: usize| task.plain_loss(model, &batches[i], masks(i));
    let mut surface = LossSurface::new(model, mode, &counts, loss)?.with_seed(spec.seed);

    let directions = match spec.sharpness {
        None => None,
        Some(rho) => {
            listener("loss in the directions of the methods");
            let settings = Sharpness::default();
            let distances = DISTANCES.map(|factor| factor * rho);
            let (steps, strong) = (settings.ascent_steps, settings.strong_steps);
            Some(faithfulness(&mut surface, &distances, rho, steps, strong)?)
        }
    };
    let sharpness = match spec.sharpness {
        None => None,
        Some(rho) => {
            listener("sharpness");
            let settings = Sharpness {
                rho,
                seed: spec.seed,
                ..Sharpness::default()
            };
            Some(settings.measure(&mut surface)?)
        }
    };

    let mut hessian = Hessian::new(&mut surface, None, DifferenceStep::Auto)?;
    listener("eigenvalues");
    let eigenvalues = lanczos(spec, &hessian).run(&mut hessian)?;
    let discretization = match eigenvalues.pairs.first() {
        Some(pair) => hessian.discretization(&pair.vector)?,
        None => 0.0,
    };
    let trace = match spec.trace {
        None => None,
        Some(products) => {
            listener("trace");
            Some(hutch_plus_plus(&mut hessian, products, spec.seed)?)
        }
    };
    let density = match spec.density {
        false => None,
        true => {
            listener("density of the eigenvalues");
            let quadrature = Quadrature {
                seed: spec.seed,
                ..Quadrature::default()
            };
            Some(density(&mut hessian, &quadrature)?)
        }
    };
    let (loss, grad_norm, step) = (hessian.loss(), hessian.grad_norm(), hessian.step());
    let layers = match spec.layers {
        false => None,
        true => Some(layers(model, &mut surface, spec, listener)?),
    };
    Ok(FlatnessReport {
        run: subject.trained.run.clone(),
        checkpoint: subject.trained.checkpoint.clone(),
        epochs: subject.trained.epochs(),
        model: subject.trained.spec.model.name,
        precision: subject.precision,
        parameters: parameter_count(model),
        samples: counts.iter().sum(),
        mode: mode_name,
        loss,
        grad_norm,
        step,
        discretization,
        eigenvalues,
        trace,
        density,
        sharpness,
        directions,
        layers,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// The Lanczos algorithm, keeping its vectors if there is memory for them.
fn lanczos(spec: &FlatnessSpec, operator: &dyn SymmetricOperator) -> Lanczos {
    let full = Lanczos {
        wanted: Wanted::Ends {
            largest: spec.top,
            smallest: 1,
        },
        seed: spec.seed,
        ..Lanczos::default()
    };
    let reorthogonalization = match available_memory() {
        Some(free) if full.bytes(operator) > free / 2 => Reorthogonalization::None,
        _ => Reorthogonalization::Full,
    };
    Lanczos {
        reorthogonalization,
        ..full
    }
}

fn layers<M: Module, F: FnMut(&M, usize) -> burn::tensor::Tensor<1>>(
    model: &M,
    surface: &mut LossSurface<M, F>,
    spec: &FlatnessSpec,
    listener: &mut dyn FnMut(&str),
) -> Result<Vec<Layer>, Error> {
    let mut groups: Vec<(String, Vec<burn::module::ParamId>)> = Vec::new();
    for entry in state::entries(model)
        .into_iter()
        .filter(|e| e.kind.is_learned())
    {
        let layer = entry.name.rsplit_once('.').map_or("", |(layer, _)| layer);
        match groups.last_mut() {
            Some((name, ids)) if name == layer => ids.push(entry.id),
            _ => groups.push((layer.to_owned(), vec![entry.id])),
        }
    }
    let mut layers = Vec::with_capacity(groups.len());
    for (name, ids) in groups {
        listener(&format!("layer {name}"));
        let group = ParamGroup::from_ids(ids);
        let mut hessian = Hessian::new(surface, Some(&group), DifferenceStep::Auto)?;
        let largest = Lanczos {
            wanted: Wanted::Ends {
                largest: 1,
                smallest: 0,
            },
            max_iterations: 30,
            tolerance: 1e-2,
            seed: spec.seed,
            ..Lanczos::default()
        };
        let found = largest.run(&mut hessian)?;
        let products = spec.trace.unwrap_or(15);
        layers.push(Layer {
            parameters: hessian.dimension(),
            largest: found.pairs.first().map_or(0.0, |pair| pair.value),
            converged: found.converged,
            trace: hutch_plus_plus(&mut hessian, products, spec.seed)?,
            name,
        });
    }
    Ok(layers)
}
