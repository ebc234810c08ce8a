//! What a step of training costs: the same random batch again and again, timed.

mod images;
mod profile;
mod transformer;

use std::time::Instant;

use burn::module::Module;
use burn::tensor::Tensor;
use serde::Serialize;
use xsam::SharpnessAware;
use xsam_kernels::{Kernels, set_kernels};

pub use images::ImageBench;
pub use profile::ProfileRow;
pub use transformer::TransformerBench;

use xsam_lab::plan::MOST_TIMED;
use xsam_lab::spec::{DeviceName, MethodSpec, OptimizerSpec, Precision, SpecError, edited};
use xsam_lab::statistics::median;
use xsam_lab::tools::{Parts, PassTimes, peak_mb};
use xsam_lab::{Error, Place, describe, method};

use crate::spec::{ModelName, OurSpec};

/// Steps before the first timed one: buffers are allocated, caches filled.
const WARM_UP: usize = 2;

/// The weights hardly move at this learning rate. At a usual one a few steps fit the only batch
/// there is, gradients fall to denormal numbers, and those are slow.
const LEARNING_RATE: f64 = 1e-4;

/// A position on XSAM's arc that is none of its ends. At 1, where an untrained XSAM stands, the
/// update is the gradient as it is, and a step would be timed that training seldom takes.
const ALPHA: f64 = 1.2;

/// The most values in a batch: 8 GiB in single precision.
const MOST_VALUES: usize = 1 << 31;

/// Seed of weights and batch.
const SEED: u64 = 1;

/// What [`bench()`] measures.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchSpec {
    /// The model and what it is given.
    pub model: BenchModel,
    /// The method. The fields of its search (`alpha`, `search`, `grid`, `rho_max`) are not used.
    pub method: MethodSpec,
    /// Images in the batch, or pairs of sentences.
    pub batch: usize,
    /// Timed steps, after two that are not.
    pub steps: usize,
    /// The kernels that compute.
    pub kernels: Kernels,
    /// Where to compute, in single precision.
    pub device: DeviceName,
    /// Whether to tell, from as many further steps, what takes their time.
    pub profile: bool,
}

/// A model whose steps are timed, and what it is given.
#[derive(Clone, Debug, PartialEq)]
pub enum BenchModel {
    /// An image classifier, trained by SGD with momentum and weight decay.
    Images(ImageBench),
    /// The Transformer, trained by AdamW.
    Transformer(TransformerBench),
}

impl BenchModel {
    /// Checks all that does not depend on the batch, and that a batch of that size can be.
    fn check(&self, batch: usize) -> Result<(), SpecError> {
        match self {
            Self::Images(images) => images.check(batch),
            Self::Transformer(sentences) => sentences.check(batch),
        }
    }

    fn name(&self) -> ModelName {
        match self {
            Self::Images(images) => ModelName::Image(images.name),
            Self::Transformer(_) => ModelName::Transformer,
        }
    }

    /// Its width, if it can be scaled.
    fn width(&self) -> Option<usize> {
        match self {
            Self::Images(images) => images.resolved_width(),
            Self::Transformer(_) => None,
        }
    }

    /// Tokens of each sentence, if that is what it is given.
    fn tokens(&self) -> Option<usize> {
        match self {
            Self::Images(_) => None,
            Self::Transformer(sentences) => Some(sentences.tokens),
        }
    }

    /// Its base optimizer.
    fn optimizer(&self) -> OptimizerSpec {
        match self {
            Self::Images(_) => images::optimizer(),
            Self::Transformer(_) => transformer::optimizer(),
        }
    }
}

/// What a step costs, as [`bench()`] found it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchResult {
    /// `xsam`, to tell these lines from those of another program.
    pub side: &'static str,
    /// The model.
    pub model: String,
    /// The method.
    pub method: String,
    /// Images in the batch, or pairs of sentences.
    pub batch: usize,
    /// Width of a model that can be scaled.
    pub width: Option<usize>,
    /// Tokens of each sentence, if that is what the batch is made of.
    pub tokens: Option<usize>,
    /// Ascent steps of a method that ascends.
    pub ascent_steps: Option<usize>,
    /// Median seconds of a step.
    pub median_s: f64,
    /// Least seconds of a step.
    pub min_s: f64,
    /// Seconds of one search of 21 candidates, measured directly: from its first forward pass to
    /// its last, the making of the candidates between them included. Nothing for a method that does
    /// not search.
    pub search_s: Option<f64>,
    /// Most memory the process has held up to the last timed step, in 10^6 bytes; nothing where the
    /// system does not tell.
    pub peak_rss_mb: Option<f64>,
    /// Threads that compute.
    pub threads: usize,
    /// The kernels that computed, with the instruction set that they found, as in `fast (avx2)`, or the device, as in
    /// `composed (cuda)`.
    pub kernels: String,
    /// What takes the time of a step, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Vec<ProfileRow>>,
}

impl Default for BenchSpec {
    fn default() -> Self {
        Self {
            model: BenchModel::Images(ImageBench::default()),
            method: MethodSpec::default(),
            batch: 32,
            steps: 10,
            device: DeviceName::Cpu,
            kernels: Kernels::Fast,
            profile: false,
        }
    }
}

/// Times steps of training in seconds: the passes, the method's arithmetic and the base optimizer, but
/// neither loading of data nor searches. A search is timed by itself.
///
/// # Errors
/// If `spec` cannot be, with the field and what it could be; if this build or this machine does not have the device; or
/// if a step fails.
pub fn bench(spec: &BenchSpec) -> Result<BenchResult, Error> {
    let plan = Plan::new(spec)?;
    set_kernels(spec.kernels);
    let place = Place::new(spec.device, Precision::F32)?;
    match &spec.model {
        BenchModel::Images(images) => {
            let (model, loss) = images.start(spec.batch, &place)?;
            measure(spec, &plan, place, model, loss)
        }
        BenchModel::Transformer(sentences) => {
            let (model, loss) = sentences.start(spec.batch, &place)?;
            measure(spec, &plan, place, model, loss)
        }
    }
}

/// Times the steps of `model`, whose `loss` is that of the batch; it is told which step it is.
fn measure<M: Module>(
    spec: &BenchSpec,
    plan: &Plan,
    place: Place,
    model: M,
    loss: impl Fn(&M, usize) -> Tensor<1>,
) -> Result<BenchResult, Error> {
    let mut trainee = Trainee {
        place,
        optim: plan.optimizer(false)?,
        model,
        loss,
        steps: 0,
    };

    let mut seconds = Vec::with_capacity(spec.steps);
    for i in 0..WARM_UP.saturating_add(spec.steps) {
        let taken;
        (trainee, taken, _) = trainee.step()?;
        if i >= WARM_UP {
            seconds.push(taken);
        }
    }
    let median_s = median(seconds.iter().copied()).unwrap_or_default();
    // Before the search, whose optimizer is not the one that was timed.
    let peak_rss_mb = peak_mb();

    let mut rows = None;
    if spec.profile {
        let (result, times) = xsam_kernels::profile(|| {
            (0..spec.steps).try_fold((trainee, 0.0), |(trainee, seconds), _| {
                let (trainee, taken, _) = trainee.step()?;
                Ok::<_, Error>((trainee, seconds + taken))
            })
        });
        let seconds;
        (trainee, seconds) = result?;
        rows = Some(profile::rows(&times, spec.steps, seconds));
    }

    let mut search_s = None;
    if plan.searches() {
        trainee.optim = plan.optimizer(true)?;
        (_, _, search_s) = trainee.step()?;
    }
    Ok(BenchResult {
        side: "xsam",
        model: spec.model.name().to_string(),
        method: plan.method.name().to_owned(),
        batch: spec.batch,
        width: spec.model.width(),
        tokens: spec.model.tokens(),
        ascent_steps: plan.method.ascent_steps(),
        median_s,
        min_s: seconds.into_iter().fold(f64::INFINITY, f64::min),
        search_s,
        peak_rss_mb,
        threads: rayon::current_num_threads(),
        kernels: describe(spec.device, spec.kernels),
        profile: rows,
    })
}

/// A spec whose values have been checked.
struct Plan {
    method: MethodSpec,
    optimizer: OptimizerSpec,
}

impl Plan {
    fn new(spec: &BenchSpec) -> Result<Self, SpecError> {
        SpecError::within("batch", spec.batch, 1..=usize::MAX)?;
        SpecError::within("steps", spec.steps, 1..=MOST_TIMED)?;
        spec.model.check(spec.batch)?;
        let plan = Self {
            method: spec.method.clone(),
            optimizer: spec.model.optimizer(),
        };
        let method = plan.method_searching(false)?;
        Ok(Self { method, ..plan })
    }

    /// Whether alpha is searched for.
    fn searches(&self) -> bool {
        self.method.fields().contains(&"search")
    }

    /// The method with a search in every epoch, or with a fixed alpha.
    fn method_searching(&self, search: bool) -> Result<MethodSpec, SpecError> {
        let method = edited(&self.method, |fields| {
            fields.remove("search");
            match self.searches() && !search {
                true => fields.insert("alpha".to_owned(), ALPHA.into()),
                false if self.searches() => fields.remove("alpha"),
                false => None,
            };
        })?;
        method::build(&method)?;
        Ok(method)
    }

    fn optimizer(&self, search: bool) -> Result<SharpnessAware, SpecError> {
        let mut spec = OurSpec::default();
        spec.method = self.method_searching(search)?;
        spec.optimizer = self.optimizer.clone();
        method::optimizer(&spec)
    }
}

/// A model in the middle of training.
struct Trainee<M, L> {
    place: Place,
    optim: SharpnessAware,
    model: M,
    loss: L,
    steps: usize,
}

impl<M: Module, L: Fn(&M, usize) -> Tensor<1>> Trainee<M, L> {
    /// A step, the seconds it took, and those of the search in it if there was one.
    fn step(mut self) -> Result<(Self, f64, Option<f64>), Error> {
        self.steps += 1;
        let mut passes = PassTimes::default();
        let start = Instant::now();
        let step = self
            .optim
            .step(LEARNING_RATE, self.model, |model: &M| {
                passes.of(|| (self.loss)(model, self.steps))
            })
            .map_err(|failure| Error::Step {
                epoch: 1,
                step: self.steps,
                source: failure.into(),
                before: String::new(),
            })?;
        let synced = self.place.device.sync();
        let seconds = start.elapsed().as_secs_f64();
        synced.map_err(|error| Error::Device(error.to_string()))?;
        self.model = step.model;
        let search = passes.of_search(&step.report, Parts::WHOLE);
        Ok((self, seconds, search))
    }
}

/// Refuses a batch of more than [`MOST_VALUES`] values.
fn check_values(batch: usize, each: usize, what: &str) -> Result<(), SpecError> {
    if batch.checked_mul(each).is_some_and(|n| n <= MOST_VALUES) {
        return Ok(());
    }
    let message = format!("{batch} {what} are more than {MOST_VALUES} values");
    Err(SpecError::new("batch", message))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use xsam::{SamConfig, SgdOnlyConfig, XsamConfig};
    use xsam_models::ClassifierName as ImageModel;

    use super::*;

    fn tiny(method: impl Into<MethodSpec>) -> BenchSpec {
        BenchSpec {
            model: BenchModel::Images(images()),
            method: method.into(),
            batch: 4,
            steps: 3,
            ..BenchSpec::default()
        }
    }

    fn images() -> ImageBench {
        ImageBench {
            name: ImageModel::SmallCnn,
            image_size: 8,
            ..ImageBench::default()
        }
    }

    #[test]
    fn every_method_is_timed_and_only_xsam_searches() {
        for (method, ascent_steps) in [
            ("sgd", None),
            ("sam", Some(1)),
            ("asam", Some(1)),
            ("xsam", Some(1)),
        ] {
            let spec = MethodSpec::named(method).unwrap();
            let result = bench(&tiny(spec)).unwrap();
            assert!(0.0 < result.min_s && result.min_s <= result.median_s);
            assert_eq!(result.width, Some(8));
            assert_eq!(result.ascent_steps, ascent_steps);
            assert_eq!(result.search_s.is_some(), method == "xsam");
        }
    }

    #[test]
    fn a_profile_has_every_operation_of_a_step() {
        let mut spec = tiny(XsamConfig::new());
        assert_eq!(bench(&spec).unwrap().profile, None);
        spec.profile = true;
        let rows = bench(&spec).unwrap().profile.unwrap();
        let calls = |operation| rows.iter().find(|row| row.operation == operation)?.calls;
        // Two passes over two layers; the first layer's input has no gradient.
        assert_eq!(calls("convolution, forward"), Some(4));
        assert_eq!(calls("convolution, data gradient"), Some(2));
        assert_eq!(calls("convolution, weight gradient"), Some(4));
        assert_eq!(calls("cross entropy, backward"), Some(2));
        assert!(calls("base optimizer").is_some_and(|calls| calls > 0));
        assert!(rows.iter().all(|row| row.seconds > 0.0));
    }

    #[test]
    fn a_timed_step_of_xsam_has_all_its_arithmetic_and_no_search() {
        let plan = Plan::new(&tiny(XsamConfig::new())).unwrap();
        let timed = plan.method_searching(false).unwrap();
        assert_eq!(timed, XsamConfig::new().with_alpha(ALPHA).into());
        let searching = plan.method_searching(true).unwrap();
        assert_eq!(searching, XsamConfig::new().into());
    }

    #[test]
    fn a_search_costs_less_than_the_step_it_is_in() {
        let spec = tiny(XsamConfig::new());
        let plan = Plan::new(&spec).unwrap();
        let place = Place::new(spec.device, Precision::F32).unwrap();
        let (model, loss) = images().start(spec.batch, &place).unwrap();
        let trainee = Trainee {
            optim: plan.optimizer(true).unwrap(),
            model,
            loss,
            place,
            steps: 0,
        };
        let (trainee, taken, search) = trainee.step().unwrap();
        assert!(search.is_some_and(|search| 0.0 < search && search < taken));
        let (_, _, search) = trainee.step().unwrap();
        assert_eq!(search, None, "the next one is due in the next epoch");
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_allocated() {
        let with = |change: fn(&mut BenchSpec)| {
            let mut spec = tiny(SgdOnlyConfig::new());
            change(&mut spec);
            let error = bench(&spec).unwrap_err();
            assert!(error.is_usage());
            error.to_string()
        };
        assert!(with(|s| s.batch = 0).contains("`batch`: 0 must be at least 1"));
        assert!(with(|s| s.steps = 0).contains("`steps`: 0 must be at least 1"));
        assert!(with(|s| s.steps = usize::MAX).contains("must be at most 1000000"));
        assert!(with(|s| s.batch = usize::MAX).contains("more than 2147483648 values"));
        let endless = SamConfig::new().with_ascent_steps(1_000_000_000);
        let spec = BenchSpec {
            method: endless.into(),
            ..tiny(SgdOnlyConfig::new())
        };
        let error = bench(&spec).unwrap_err().to_string();
        assert!(error.contains("must be at most 1000"), "{error}");

        let with = |change: fn(&mut ImageBench)| {
            let mut images = images();
            change(&mut images);
            let model = BenchModel::Images(images);
            bench(&BenchSpec {
                model,
                ..tiny(SgdOnlyConfig::new())
            })
            .unwrap_err()
            .to_string()
        };
        assert!(with(|images| images.classes = 0).contains("classes = 0 is outside"));
        assert!(with(|images| images.width = Some(0)).contains("`width`: width = 0 is outside"));
        let large = with(|images| images.width = Some(16_384));
        assert!(
            large.contains("`width`: small_cnn of these sizes has"),
            "{large}"
        );
    }
}
