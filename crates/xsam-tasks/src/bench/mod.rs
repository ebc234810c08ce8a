//! What a step of training costs: the same random batch again and again, timed.

mod images;
mod profile;
mod shared_out;
mod spec;
mod trainee;
mod transformer;

use std::sync::Arc;

use xsam::{AscentOver, SharpnessAware};
use xsam_kernels::{Kernels, set_kernels};

pub use images::ImageBench;
pub use profile::ProfileRow;
pub use shared_out::RankCost;
pub use spec::{BenchModel, BenchResult, BenchSpec};
pub use transformer::TransformerBench;

use xsam_lab::plan::MOST_TIMED;
use xsam_lab::spec::{MethodSpec, OptimizerSpec, Precision, SpecError, edited};
use xsam_lab::statistics::median;
use xsam_lab::tools::peak_mb;
use xsam_lab::{Error, Ranks, describe, method};

use crate::spec::{ModelName, OurSpec};
use shared_out::Counted;
use trainee::{Timed, Trainee};

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

/// Times steps of training in seconds: the passes, the method's arithmetic and the base optimizer, but
/// neither loading of data nor searches. A search is timed by itself.
///
/// # Errors
/// If `spec` cannot be, with the field and what it could be; if this build or this machine does not have the device; or
/// if a step fails.
pub fn bench(spec: &BenchSpec) -> Result<BenchResult, Error> {
    bench_on(&Ranks::default(), spec)
}

/// The same of a step that is shared out over `ranks`, all of which call it: each has as many items of the batch as the others.
///
/// # Errors
/// As [`bench()`], and if the batch cannot be split into so many.
pub fn bench_on(ranks: &Ranks, spec: &BenchSpec) -> Result<BenchResult, Error> {
    match &spec.model {
        BenchModel::Images(images) => {
            let variant = images.resolved()?;
            Ok(BenchResult {
                model: images.name.to_string(),
                width: variant.width,
                depth: variant.depth,
                ..measure(ranks, spec, images)?
            })
        }
        BenchModel::Transformer(sentences) => Ok(BenchResult {
            model: ModelName::Transformer.to_string(),
            tokens: Some(sentences.tokens),
            ..measure(ranks, spec, sentences)?
        }),
    }
}

/// Times the steps; which model it is, the result does not say.
fn measure<T: Timed>(ranks: &Ranks, spec: &BenchSpec, timed: &T) -> Result<BenchResult, Error> {
    let counted = ranks
        .collective()
        .map(|ranks| Arc::new(Counted::new(ranks.clone())));
    let plan = Plan {
        ranks: counted.clone(),
        ..Plan::new(spec, timed)?
    };
    if !spec.batch.is_multiple_of(ranks.size()) {
        let (batch, size) = (spec.batch, ranks.size());
        let message = format!("{batch} must be a multiple of the number of ranks, which is {size}");
        return Err(SpecError::new("batch", message).into());
    }
    set_kernels(spec.kernels);
    let place = &ranks.place(spec.device, spec.precision)?;
    let (model, batch) = timed.start(spec.batch / ranks.size(), place)?;
    let mut trainee = Trainee::<T> {
        place,
        optim: plan.optimizer(false)?,
        model,
        batch: [batch],
        steps: 0,
    };

    let mut seconds = Vec::with_capacity(spec.steps);
    let mut read_backs = 0;
    for i in 0..WARM_UP.saturating_add(spec.steps) {
        let taken;
        if let (WARM_UP, Some(counted)) = (i, &counted) {
            counted.take(1);
        }
        (trainee, taken) = trainee.step()?;
        if i >= WARM_UP {
            seconds.push(taken.seconds);
        }
        read_backs = taken.read_backs;
    }
    let shared_out = counted.map(|counted| counted.take(spec.steps));
    let median_s = median(seconds.iter().copied()).unwrap_or_default();
    // Before the search, whose optimizer is not the one that was timed.
    let peak_rss_mb = peak_mb();

    let mut rows = None;
    if spec.profile {
        let (result, times) = xsam_kernels::profile(|| {
            (0..spec.steps).try_fold((trainee, 0.0), |(trainee, seconds), _| {
                let (trainee, taken) = trainee.step()?;
                Ok::<_, Error>((trainee, seconds + taken.seconds))
            })
        });
        let seconds;
        (trainee, seconds) = result?;
        rows = Some(profile::rows(&times, spec.steps, seconds));
    }

    let mut search_s = None;
    if plan.searches() {
        trainee.optim = plan.optimizer(true)?;
        search_s = trainee.step()?.1.search;
    }
    // Ours are for single precision.
    let kernels = match spec.precision.is_half() {
        true => Kernels::Composed,
        false => spec.kernels,
    };
    Ok(BenchResult {
        side: "xsam",
        model: String::new(),
        method: plan.method.name().to_owned(),
        batch: spec.batch,
        width: None,
        depth: None,
        tokens: None,
        ascent_steps: plan.method.ascent_steps(),
        median_s,
        min_s: seconds.into_iter().fold(f64::INFINITY, f64::min),
        search_s,
        read_backs,
        peak_rss_mb,
        threads: rayon::current_num_threads(),
        precision: spec.precision,
        kernels: describe(spec.device, kernels),
        shared_out,
        profile: rows,
    })
}

/// A spec whose values have been checked.
struct Plan {
    method: MethodSpec,
    precision: Precision,
    optimizer: OptimizerSpec,
    /// How many there will be.
    steps: usize,
    ranks: Option<Arc<Counted>>,
}

impl Plan {
    fn new(spec: &BenchSpec, timed: &impl Timed) -> Result<Self, SpecError> {
        SpecError::within("batch", spec.batch, 1..=usize::MAX)?;
        SpecError::within("steps", spec.steps, 1..=MOST_TIMED)?;
        timed.check(spec.batch)?;
        let plan = Self {
            method: spec.method.clone(),
            precision: spec.precision,
            optimizer: timed.optimizer(),
            steps: WARM_UP.saturating_add(spec.steps),
            ranks: None,
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
        spec.train.precision = self.precision;
        let optim = method::optimizer(&spec, self.steps)?;
        match &self.ranks {
            Some(ranks) => optim
                .with_collective(ranks.clone(), AscentOver::All)
                .map_err(|error| SpecError::new(error.field, error.to_string())),
            None => Ok(optim),
        }
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
    use xsam_lab::Place;
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
            ("functional-sam", Some(1)),
            ("esam", None),
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
        let plan = Plan::new(&tiny(XsamConfig::new()), &images()).unwrap();
        let timed = plan.method_searching(false).unwrap();
        assert_eq!(timed, XsamConfig::new().with_alpha(ALPHA).into());
        let searching = plan.method_searching(true).unwrap();
        assert_eq!(searching, XsamConfig::new().into());
    }

    #[test]
    fn a_search_costs_less_than_the_step_it_is_in() {
        let spec = tiny(XsamConfig::new());
        let images = images();
        let plan = Plan::new(&spec, &images).unwrap();
        let place = &Place::new(spec.device, Precision::F32).unwrap();
        let (model, batch) = images.start(spec.batch, place).unwrap();
        let trainee = Trainee::<ImageBench> {
            optim: plan.optimizer(true).unwrap(),
            model,
            batch: [batch],
            place,
            steps: 0,
        };
        let (trainee, taken) = trainee.step().unwrap();
        assert!(
            taken
                .search
                .is_some_and(|search| 0.0 < search && search < taken.seconds)
        );
        let (_, taken) = trainee.step().unwrap();
        assert_eq!(taken.search, None, "the next one is due in the next epoch");
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
        assert!(
            with(|images| images.variant.width = Some(0)).contains("`width`: width = 0 is outside")
        );
        let large = with(|images| images.variant.width = Some(16_384));
        assert!(
            large.contains("`width`: small_cnn of these sizes has"),
            "{large}"
        );
    }
}
