//! How flat the minimum of a run is.

mod memory;

use std::path::PathBuf;
use std::time::Instant;

use burn::module::{Module, ParamGroup, ParamId};
use serde::Serialize;
use xsam_flatness::{
    Density, DifferenceStep, Eigenpairs, Faithfulness, Hessian, Lanczos, Quadrature,
    Reorthogonalization, SampleMean, Sharpness, SharpnessReport, Surface, SymmetricOperator,
    available_memory, density, faithfulness, hutch_plus_plus, m_sharpness,
};
use xsam_weights::{parameter_count, state};

use crate::curvature::of_largest;
use crate::error::Error;
use crate::files;
use crate::json;
use crate::layout;
use crate::numbers::percent;
use crate::output::Output;
use crate::spec::{Precision, SpecError, TaskSpec};
use crate::subject::{Measure, Sample, Scene, Subject, measured, mode_name};
use crate::task::Task;
use crate::tasks::Tasks;
use memory::ITERATIONS_EACH;

pub use memory::MemoryUse;

/// Distances of the table of directions, in units of rho.
const DISTANCES: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

/// The most iterations, unless that many eigenvalues are wanted that it takes more.
const MOST_ITERATIONS: usize = 100;

/// The most products for a trace: its error has fallen to a thousandth long before.
const MOST_PRODUCTS: usize = 1_000_000;

/// What is measured of a minimum, and over which loss.
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
    /// The samples over which the loss is the mean.
    pub sample: Sample,
}

impl Default for FlatnessSpec {
    /// The five largest eigenvalues and the smallest one.
    fn default() -> Self {
        Self {
            top: 5,
            trace: None,
            density: false,
            sharpness: None,
            layers: false,
            sample: Sample::default(),
        }
    }
}

impl FlatnessSpec {
    fn check(&self) -> Result<(), SpecError> {
        self.sample.check()?;
        SpecError::unless(self.top >= 1, "top", self.top, "at least 1")?;
        SpecError::within("trace", self.trace.unwrap_or(3), 3..=MOST_PRODUCTS)?;
        let rho = self.sharpness.unwrap_or(1.0);
        let ok = rho.is_finite() && rho > 0.0;
        SpecError::unless(ok, "sharpness", rho, "finite and above 0")
    }

    /// Checks that a model of so many parameters has as many eigenvalues as are wanted.
    fn check_top(&self, parameters: usize) -> Result<(), SpecError> {
        if self.top < parameters {
            return Ok(());
        }
        let message = format!(
            "{} largest eigenvalues and a smallest one are more than the model has: {parameters}, one a parameter",
            self.top
        );
        Err(SpecError::new("top", message))
    }
}

/// A layer by itself: its block of the Hessian.
#[derive(Clone, Debug, Serialize)]
pub struct Layer {
    /// PyTorch's name of the layer.
    pub name: String,
    /// Number of learned values in the layer.
    pub parameters: usize,
    /// Largest eigenvalue of the layer's block of the Hessian.
    pub largest: f64,
    /// Whether it has converged.
    pub converged: bool,
    /// Trace of the layer's block of the Hessian.
    pub trace: SampleMean,
}

/// What is told while flatness is measured.
#[derive(Clone, Copy, Debug)]
pub enum FlatnessEvent<'a> {
    /// A measurement of this name begins.
    Stage(&'a str),
    /// Something that a person should know, in a sentence. It is in the report, too.
    Warning(&'a str),
}

/// Listens to a measurement.
type Listener<'a> = dyn FnMut(FlatnessEvent<'_>) + 'a;

/// What was found at a minimum, and how it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct FlatnessReport {
    /// Directory of the run whose weights these are.
    pub run: PathBuf,
    /// The checkpoint that was looked at.
    pub checkpoint: PathBuf,
    /// Epochs that the model has been trained for.
    pub epochs: usize,
    /// Name of the model.
    pub model: String,
    /// Learned values of the model.
    pub parameters: usize,
    /// Items that the loss is a mean over.
    pub samples: usize,
    /// Mode the model was in: `evaluation` or `training`.
    pub mode: &'static str,
    /// Number format of weights and products.
    pub precision: Precision,
    /// What a person should know of the measurement, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Loss at the weights, over the sample.
    pub loss: f64,
    /// The norm of its gradient.
    pub grad_norm: f64,
    /// Step of the differences that second derivatives are.
    pub step: f64,
    /// By how much a step twice as long changes the product with the first eigenvector, as a share of it: three times
    /// what the step itself does, or so.
    pub discretization: f64,
    /// Eigenvalues of the Hessian: the largest, and last the smallest.
    pub eigenvalues: Eigenpairs,
    /// Memory while they were computed, where the system tells.
    pub memory: Option<MemoryUse>,
    /// Trace of the Hessian, estimated.
    pub trace: Option<SampleMean>,
    /// The density of its eigenvalues.
    pub density: Option<Density>,
    /// By how much the loss rises.
    pub sharpness: Option<SharpnessReport>,
    /// By how much the loss of a batch rises along its own gradient, on average over the batches.
    pub m_sharpness: Option<SampleMean>,
    /// How high it gets in the direction of each method.
    pub directions: Option<Faithfulness>,
    /// The same for the block of each layer, in the order of the model.
    pub layers: Option<Vec<Layer>>,
    /// Seconds that the measurement took.
    pub seconds: f64,
}

/// Measures the flatness of a trained model: of its training loss, on some of its training data without augmentation.
/// The report is written to `flatness.json` in the run's directory; that of a file of weights in `NAME.flatness` beside the
/// file. `listener` is told what is measured next.
///
/// # Errors
/// If the spec cannot be, the model or its data cannot be loaded, the data are not those of the run, somebody else is
/// measuring its flatness, or something is not finite.
pub fn flatness<L: Tasks>(
    subject: &Subject<L::Spec>,
    spec: &FlatnessSpec,
    listener: &mut Listener<'_>,
) -> Result<FlatnessReport, Error> {
    spec.check()?;
    listener(FlatnessEvent::Stage("loading model and data"));
    // The run may be under way: only its measurements are not made twice at once.
    let _output = Output::of_results(&subject.directory()?, "flatness")?;
    let measurement = Flatness {
        spec,
        listener: &mut *listener,
    };
    let report = measured::<L, _>(subject, &spec.sample, measurement)?;
    report.write()?;
    Ok(report)
}

impl FlatnessReport {
    /// Writes it to its file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self) -> Result<(), Error> {
        let path = self.run.join(layout::FLATNESS);
        let text = json::pretty(self).map_err(|e| Error::damaged(&path, e))?;
        files::write(&path, &text)
    }
}

/// The measurements that a spec asks for.
struct Flatness<'a> {
    spec: &'a FlatnessSpec,
    listener: &'a mut Listener<'a>,
}

/// What of a product with the Hessian may change with twice the step of its differences.
const COARSE: f64 = 0.1;

/// That the eigenvalues are not to be relied on, and what helps.
fn coarse(discretization: f64, precision: Precision) -> String {
    let share = percent(discretization, 0);
    let help = match precision {
        Precision::F64 => "use a smooth activation, such as GELU, or the rectifier of xsam-kernels",
        _ => "--precision f64 takes differences over a far smaller step",
    };
    format!(
        "the eigenvalues are not to be relied on: over twice the step, a product with the Hessian is another by {share}, as \
         where the loss has the kinks of rectifiers or max pools; {help}"
    )
}

impl Measure for Flatness<'_> {
    type Output = FlatnessReport;

    fn of<T: Task>(self, scene: &Scene<'_, T>) -> Result<FlatnessReport, Error> {
        let Self { spec, listener } = self;
        let mut warnings = scene.warnings();
        for warning in &warnings {
            listener(FlatnessEvent::Warning(warning));
        }
        let start = Instant::now();
        let seed = spec.sample.seed;
        spec.check_top(parameter_count(&scene.model))?;
        let mut surface = scene.surface()?;

        let (mut directions, mut sharpness, mut of_batches) = (None, None, None);
        if let Some(rho) = spec.sharpness {
            let settings = Sharpness {
                rho,
                seed,
                ..Sharpness::default()
            };
            listener(FlatnessEvent::Stage(
                "loss in the directions of the methods",
            ));
            let distances = DISTANCES.map(|factor| factor * rho);
            let (steps, strong) = (settings.ascent_steps, settings.strong_steps);
            let found = faithfulness(&mut surface, &distances, rho, steps, strong)?;
            directions = Some(found);
            listener(FlatnessEvent::Stage("sharpness"));
            sharpness = Some(settings.measure(&mut surface)?);
            of_batches = Some(m_sharpness(&mut surface, rho, 1)?);
        }

        let mut hessian = Hessian::new(&mut surface, None, DifferenceStep::Auto)?;
        spec.check_top(hessian.dimension())?;
        let lanczos = lanczos(spec, &hessian);
        let memory = MemoryUse::expected(&lanczos, &mut hessian)?;
        match &memory {
            None => listener(FlatnessEvent::Stage("eigenvalues")),
            Some(memory) => listener(FlatnessEvent::Stage(&format!(
                "eigenvalues; peak memory about {:.0} MB, at most {:.0}",
                memory.expected_mb, memory.most_mb
            ))),
        }
        let eigenvalues = lanczos.run(&mut hessian)?;
        let memory = memory.and_then(MemoryUse::observed);
        let discretization = match eigenvalues.pairs.first() {
            Some(pair) => hessian.discretization(&pair.vector)?,
            None => 0.0,
        };
        if discretization > COARSE {
            let warning = coarse(discretization, scene.precision);
            listener(FlatnessEvent::Warning(&warning));
            warnings.push(warning);
        }
        let trace = spec.trace.map(|products| {
            listener(FlatnessEvent::Stage("trace"));
            hutch_plus_plus(&mut hessian, products, seed)
        });
        let trace = trace.transpose()?;
        let density = spec.density.then(|| {
            listener(FlatnessEvent::Stage("density of the eigenvalues"));
            let quadrature = Quadrature {
                seed,
                ..Quadrature::default()
            };
            density(&mut hessian, &quadrature)
        });
        let density = density.transpose()?;
        let (loss, grad_norm, step) = (hessian.loss, hessian.grad_norm, hessian.step);
        let layers = (spec.layers).then(|| layers(&scene.model, &mut surface, spec, listener));
        let layers = layers.transpose()?;
        Ok(FlatnessReport {
            run: scene.trained.run.clone(),
            checkpoint: scene.trained.checkpoint.clone(),
            epochs: scene.trained.epochs(),
            model: scene.trained.spec.task.model_name(),
            precision: scene.precision,
            parameters: parameter_count(&scene.model),
            samples: scene.counts.iter().sum(),
            mode: mode_name(spec.sample.training),
            warnings,
            loss,
            grad_norm,
            step,
            discretization,
            eigenvalues,
            memory,
            trace,
            density,
            sharpness,
            m_sharpness: of_batches,
            directions,
            layers,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

/// The Lanczos algorithm, keeping its vectors if there is memory for them.
fn lanczos(spec: &FlatnessSpec, operator: &dyn SymmetricOperator) -> Lanczos {
    let full = Lanczos {
        largest: spec.top,
        smallest: 1,
        max_iterations: MOST_ITERATIONS.max(ITERATIONS_EACH * (spec.top + 1)),
        seed: spec.sample.seed,
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

/// Each layer of a model by itself, whose parameters follow one another.
fn layers<M: Module>(
    model: &M,
    surface: &mut dyn Surface,
    spec: &FlatnessSpec,
    listener: &mut Listener<'_>,
) -> Result<Vec<Layer>, Error> {
    let mut groups: Vec<(String, Vec<ParamId>)> = Vec::new();
    let entries = state::entries(model).into_iter();
    for entry in entries.filter(|entry| entry.kind.is_learned()) {
        let layer = entry.name.rsplit_once('.').map_or("", |(layer, _)| layer);
        match groups.last_mut() {
            Some((name, ids)) if name == layer => ids.push(entry.id),
            _ => groups.push((layer.to_owned(), vec![entry.id])),
        }
    }
    let mut layers = Vec::with_capacity(groups.len());
    for (name, ids) in groups {
        listener(FlatnessEvent::Stage(&format!("layer {name}")));
        let group = ParamGroup::from_ids(ids);
        let mut hessian = Hessian::new(surface, Some(&group), DifferenceStep::Auto)?;
        let largest = Lanczos {
            max_iterations: 30,
            tolerance: 1e-2,
            ..of_largest(1, spec.sample.seed)
        };
        let found = largest.run(&mut hessian)?;
        let products = spec.trace.unwrap_or(15);
        layers.push(Layer {
            parameters: hessian.dimension(),
            largest: found.pairs.first().map_or(0.0, |pair| pair.value),
            converged: found.converged,
            trace: hutch_plus_plus(&mut hessian, products, spec.sample.seed)?,
            name,
        });
    }
    Ok(layers)
}
