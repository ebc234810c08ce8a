//! Inside Burn's training loop: it is `SharpnessAware::step`, and what the loop offers goes on working.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
#[path = "../examples/burn_train/quiet.rs"]
mod quiet;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ParamGroup};
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{
    ModuleLearningRate, ModuleLrScheduler, ModuleLrSchedulerConfig,
};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::LossMetric;
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::{
    ExecutionStrategy, InferenceStep, Interrupter, Learner, LearningResult,
    MetricEarlyStoppingStrategy, MultiDeviceOptim, RegressionOutput, StoppingCondition,
    SupervisedTraining, TrainOutput, TrainStep,
};
use common::{Built, Net, assert_close, bits, device, momentum, net, plain};
use quiet::Quiet;
use xsam::method::{Method, MethodConfig, MethodSpec};
use xsam::train::SharpnessAwareModel;
use xsam::{
    EsamConfig, Friendly, FunctionalSamConfig, LookSamConfig, LookXsamConfig, MomentumSamConfig,
    RhoSchedule, SamConfig, SearchSchedule, SharpnessAware, StepReport, UsamConfig, XsamConfig,
};

const BATCHES: usize = 4;
const BATCH: usize = 8;

#[derive(Clone, Debug)]
struct Pairs(Tensor<2>, Tensor<2>);

#[derive(Clone)]
struct PairBatcher;

type Pair = ([f32; 4], [f32; 2]);

impl Batcher<Pair, Pairs> for PairBatcher {
    fn batch(&self, items: Vec<Pair>, device: &Device) -> Pairs {
        let inputs: Vec<f32> = items.iter().flat_map(|(x, _)| *x).collect();
        let targets: Vec<f32> = items.iter().flat_map(|(_, y)| *y).collect();
        Pairs(
            Tensor::from_data(TensorData::new(inputs, [items.len(), 4]), device),
            Tensor::from_data(TensorData::new(targets, [items.len(), 2]), device),
        )
    }
}

type Loader = Arc<dyn DataLoader<Pairs>>;

/// Batches in the same order in every epoch; a value of the third one may be replaced.
fn loader(spoilt: Option<f32>) -> Loader {
    let mut items: Vec<Pair> = (0..BATCHES * BATCH)
        .map(|i| {
            let wave = |k: usize| ((i * (2 * k + 3) + k) as f32).sin();
            ([wave(0), wave(1), wave(2), wave(3)], [wave(4), wave(5)])
        })
        .collect();
    if let Some(value) = spoilt {
        items[2 * BATCH].0[0] = value;
    }
    DataLoaderBuilder::new(PairBatcher)
        .batch_size(BATCH)
        .build(InMemDataset::new(items))
}

/// A model as Burn's guide has it.
#[derive(Module, Debug)]
struct Task {
    net: Net,
    #[module(skip)]
    optimized: Arc<AtomicUsize>,
}

impl Task {
    fn new() -> Self {
        Self {
            net: net(),
            optimized: Arc::default(),
        }
    }

    fn forward(&self, Pairs(inputs, targets): Pairs) -> RegressionOutput {
        let output = self.net.forward(inputs);
        let loss = (output.clone() - targets.clone()).square().mean();
        RegressionOutput::new(loss, output, targets)
    }
}

impl TrainStep for Task {
    type Input = Pairs;
    type Output = RegressionOutput;

    fn step(&self, batch: Pairs) -> TrainOutput<RegressionOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }

    fn optimize(
        self,
        optim: &mut ModuleOptimizer,
        lr: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        self.optimized.fetch_add(1, Ordering::Relaxed);
        optim.step(lr, self, gradients)
    }
}

impl InferenceStep for Task {
    type Input = Pairs;
    type Output = RegressionOutput;

    fn step(&self, batch: Pairs) -> RegressionOutput {
        self.forward(batch)
    }
}

type Wrapped = SharpnessAwareModel<Task>;
type AnyMethod = Box<dyn Method>;

/// Every method, and some with an interval or a schedule that the few steps here show.
fn every_method() -> Vec<AnyMethod> {
    let friendly = Friendly::default();
    let adaptive = SearchSchedule::Adaptive {
        shortest: 2,
        longest: 8,
        tolerance: 0.1,
    };
    let xsam = XsamConfig::new;
    // The loop makes its pass at the weights.
    let of_a_name = MethodSpec::NAMES
        .iter()
        .filter(|name| !["momentum-sam", "sampa", "bsam"].contains(*name))
        .filter_map(|name| MethodSpec::named(name))
        .filter(|method| !method.needs_logits() && !method.needs_samples());
    let others: [MethodSpec; 4] = [
        xsam().with_ascent_steps(2).with_friendly(friendly).into(),
        xsam().with_search(adaptive).with_parabola(true).into(),
        LookSamConfig::new().with_every(3).into(),
        LookXsamConfig::default().with_every(3).into(),
    ];
    let build = |spec: MethodSpec| spec.build().unwrap();
    of_a_name.chain(others).map(build).collect()
}

fn optimizers() -> [ModuleOptimizer; 2] {
    let group = ParamGroup::from_predicate("last");
    let grouped = momentum().with_group(group, AdamConfig::new().build(), None);
    [momentum(), grouped]
}

const RHO: RhoSchedule = RhoSchedule::ProportionalToLr { full_at: 0.1 };

fn schedule(epochs: usize) -> ModuleLrScheduler {
    let linear = LinearLrSchedulerConfig::new(0.1, 0.02, epochs * BATCHES);
    ModuleLrSchedulerConfig::new(linear.into()).init().unwrap()
}

fn training(directory: &Path, loader: &Loader, epochs: usize) -> SupervisedTraining<Wrapped> {
    SupervisedTraining::new(directory, loader.clone(), loader.clone())
        .num_epochs(epochs)
        .with_application_logger(None)
        .renderer(Box::new(Quiet))
}

/// The task in a training of its own.
fn aware(task: Task, config: impl MethodConfig, training: &SupervisedTraining<Wrapped>) -> Wrapped {
    SharpnessAwareModel::new(task, config, training.interrupter()).unwrap()
}

/// With a schedule of rho, and clipping.
fn scheduled(task: Task, method: &AnyMethod, training: &SupervisedTraining<Wrapped>) -> Wrapped {
    let model = aware(task, Built(method.clone()), training);
    let model = model.with_rho_schedule(RHO).unwrap();
    model.with_clip_norm(0.5).unwrap()
}

/// The whole training of `task`, in the loop.
fn in_the_loop(task: Task, method: &AnyMethod, base: &ModuleOptimizer, epochs: usize) -> Wrapped {
    let directory = tempfile::tempdir().unwrap();
    let training = training(directory.path(), &loader(None), epochs);
    let model = scheduled(task, method, &training);
    finished(training.launch(Learner::new(model, base.clone(), schedule(epochs))))
}

fn finished(result: LearningResult<Wrapped>) -> Wrapped {
    assert!(result.error.is_none(), "{:?}", result.error);
    result.model
}

/// The same by hand.
fn by_hand(mut task: Task, method: &AnyMethod, base: &ModuleOptimizer, epochs: usize) -> Task {
    let loader = loader(None).to_device(&device());
    let mut optim = SharpnessAware::from_method(base.clone(), method.clone())
        .with_rho_schedule(RHO)
        .and_then(|optim| optim.with_clip_norm(0.5))
        .unwrap();
    let mut schedule = schedule(epochs);
    for _ in 0..epochs {
        optim.start_epoch();
        for batch in loader.iter() {
            let batch = batch.unwrap();
            let loss = |task: &Task| task.forward(batch.clone()).loss;
            task = optim.step(schedule.step(), task, loss).unwrap().model;
        }
    }
    task
}

/// A task with the weights and statistics of another, sharing nothing.
fn copy(task: &Task) -> Task {
    Task {
        optimized: Arc::default(),
        net: task.net.valid().train(),
    }
}

#[test]
fn the_loop_is_the_step_bit_for_bit() {
    for base in optimizers() {
        for method in every_method() {
            let task = Task::new();
            let expected = bits(&by_hand(copy(&task), &method, &base, 2));
            let model = in_the_loop(copy(&task), &method, &base, 2);
            assert_eq!(model.steps(), 2 * BATCHES as u64);
            assert_eq!(bits(model.model()), expected, "{method:?}");
            assert_ne!(bits(&task), expected);
        }
    }
}

#[test]
fn frozen_parameters_stay_and_another_is_tracked_in_searches() {
    let mut task = Task::new();
    task.net.last = task.net.last.freeze();
    let method = XsamConfig::new().build().unwrap();
    let expected = bits(&by_hand(copy(&task), &method, &momentum(), 2));
    let model = in_the_loop(copy(&task), &method, &momentum(), 2);
    assert_eq!(bits(model.model()), expected);
    assert_eq!(bits(&model.model().net.last), bits(&task.net.last));
    assert_ne!(bits(&model.model().net.first), bits(&task.net.first));
}

#[test]
fn gradient_checkpointing_changes_nothing() {
    let method = XsamConfig::new().build().unwrap();
    let task = Task::new();
    let expected = bits(&in_the_loop(copy(&task), &method, &momentum(), 2));

    let strategy = device().gradient_checkpointing();
    let checkpointed = Task {
        net: Net::new(&strategy, 0.0).load_record(task.net.valid().into_record()),
        optimized: Arc::default(),
    };
    let directory = tempfile::tempdir().unwrap();
    let training = training(directory.path(), &loader(None), 2).gradient_checkpointing();
    let model = scheduled(checkpointed, &method, &training);
    let model = training.launch(Learner::new(model, momentum(), schedule(2)));
    assert_eq!(bits(&finished(model)), expected);
}

#[test]
fn the_models_own_optimization_is_in_use() {
    let model = in_the_loop(Task::new(), &every_method()[1], &plain(), 1);
    assert_eq!(model.model().optimized.load(Ordering::Relaxed), BATCHES);
}

#[test]
fn a_search_is_made_in_every_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let training = training(directory.path(), &loader(None), 3);
    let reports: Arc<Mutex<Vec<StepReport>>> = Arc::default();
    let seen = Arc::clone(&reports);
    let model = aware(Task::new(), XsamConfig::new(), &training);
    let model = model.with_observer(move |report| seen.lock().unwrap().push(report.clone()));
    finished(training.launch(Learner::new(model, momentum(), 0.05)));
    let reports = reports.lock().unwrap();
    let searched = reports.iter().map(|report| report.search.is_some());
    let searched: Vec<_> = searched.collect();
    let first: Vec<_> = (0..3 * BATCHES).map(|i| i % BATCHES == 0).collect();
    assert_eq!(searched, first);
    assert_eq!(reports[0].passes.gradients, 2);
    assert_eq!(reports[0].passes.losses, 21);
}

/// How far sums and means may differ: they round at other places.
const ROUNDING: f64 = 1e-6;

#[test]
fn accumulation_is_a_step_on_all_batches_together() {
    let lr = 0.05;
    for method in every_method() {
        let task = Task::new();
        let directory = tempfile::tempdir().unwrap();
        let training = training(directory.path(), &loader(None), 2).grads_accumulation(2);
        let model = aware(copy(&task), Built(method.clone()), &training);
        let model = finished(training.launch(Learner::new(model, plain(), lr)));
        assert_eq!(model.steps(), BATCHES as u64);

        // Burn sums the gradients of two batches, `step_accumulated` takes their mean.
        // The length of the sum is that of an unnormalized ascent.
        let of_mean = match method.name() {
            "usam" => UsamConfig::new()
                .with_rho(2.0 * UsamConfig::new().rho)
                .build()
                .unwrap(),
            _ => method.clone(),
        };
        let mut optim = SharpnessAware::from_method(plain(), of_mean);
        let loader = loader(None).to_device(&device());
        let mut expected = copy(&task);
        for _ in 0..2 {
            optim.start_epoch();
            let batches: Vec<_> = loader.iter().map(Result::unwrap).collect();
            for parts in batches.chunks(2) {
                let loss = |task: &Task, batch: &Pairs| task.forward(batch.clone()).loss;
                let step = optim.step_accumulated(2.0 * lr, expected, parts, loss);
                expected = step.unwrap().model;
            }
        }
        let values = |task: &Task| -> Vec<f64> {
            bits(task)
                .concat()
                .into_iter()
                .map(f64::from_bits)
                .collect()
        };
        assert_close(&values(model.model()), &values(&expected), ROUNDING);
    }
}

#[test]
fn a_resumed_training_equals_an_uninterrupted_one() {
    let epochs = 4;
    for method in every_method() {
        for base in optimizers() {
            let task = Task::new();
            let directory = tempfile::tempdir().unwrap();
            let train = |task: Task, until: usize, from: Option<usize>| {
                let mut training = training(directory.path(), &loader(None), until)
                    .with_checkpointing_strategy(KeepLastNCheckpoints::new(epochs))
                    .with_default_checkpointers();
                if let Some(epoch) = from {
                    training = training.checkpoint(epoch);
                }
                let model = aware(task, Built(method.clone()), &training);
                let learner = Learner::new(model, base.clone(), schedule(epochs));
                finished(training.launch(learner))
            };
            let whole = train(copy(&task), epochs, None);
            let begun = train(copy(&task), 2, None);
            assert_ne!(bits(begun.model()), bits(whole.model()));
            let resumed = train(Task::new(), epochs, Some(2));
            assert_eq!(bits(resumed.model()), bits(whole.model()), "{method:?}");
            assert_eq!(resumed.steps(), whole.steps());
            let alpha = |model: &Wrapped| model.method_state().scalar::<f64>("alpha").ok();
            assert_eq!(alpha(&resumed), alpha(&whole));
        }
    }
}

#[test]
fn early_stopping_stops() {
    let directory = tempfile::tempdir().unwrap();
    let training = training(directory.path(), &loader(None), 9)
        .metrics((LossMetric::new(),))
        .early_stopping(MetricEarlyStoppingStrategy::new(
            &LossMetric::new(),
            Aggregate::Mean,
            Direction::Lowest,
            Split::Valid,
            StoppingCondition::NoImprovementSince { n_epochs: 1 },
        ));
    // Without running statistics of its own nothing changes at a learning rate of 0.
    let mut task = Task::new();
    task.net.norm = task.net.norm.freeze();
    let model = aware(task, XsamConfig::new(), &training);
    let model = finished(training.launch(Learner::new(model, momentum(), 0.0)));
    assert_eq!(model.steps(), 2 * BATCHES as u64);
}

#[test]
fn a_step_that_fails_stops_the_training_and_changes_no_weight() {
    let directory = tempfile::tempdir().unwrap();
    let training = training(directory.path(), &loader(Some(f32::NAN)), 3);
    let steps = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&steps);
    let task = Task::new();
    let model = aware(copy(&task), XsamConfig::new(), &training);
    let model = model.with_observer(move |_| {
        made.fetch_add(1, Ordering::Relaxed);
    });
    let result = training.launch(Learner::new(model, plain(), 0.1));
    let error = result.error.unwrap().to_string();
    assert!(error.contains("the loss at the weights is NaN"), "{error}");
    assert_eq!(steps.load(Ordering::Relaxed), 2);
    assert_eq!(result.model.steps(), 2);
    let values = bits(&result.model.model().net.first).concat();
    let finite = |value: u64| f64::from_bits(value).is_finite();
    assert!(values.into_iter().all(finite));
}

#[test]
fn several_devices_are_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let devices = vec![device(), device()];
    let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimSharded);
    let training =
        training(directory.path(), &loader(None), 2).with_training_strategy(strategy.into());
    let model = aware(Task::new(), SamConfig::new(), &training);
    let result = training.launch(Learner::new(model, plain(), 0.1));
    let error = result.error.unwrap().to_string();
    assert!(error.contains("several devices"), "{error}");
    assert_eq!(result.model.steps(), 0);
}

#[test]
#[should_panic(expected = "hand `training.interrupter()` of the training that is launched")]
fn an_interrupter_of_another_training_does_not_hide_failures() {
    let directory = tempfile::tempdir().unwrap();
    let training = training(directory.path(), &loader(Some(f32::NAN)), 3);
    let model = wrapped(SamConfig::new());
    training.launch(Learner::new(model, plain(), 0.1));
}

fn wrapped(config: impl MethodConfig) -> Wrapped {
    SharpnessAwareModel::new(Task::new(), config, Interrupter::new()).unwrap()
}

fn reread(record: ModuleRecord) -> ModuleRecord {
    ModuleRecord::from_bytes(record.into_bytes().unwrap()).unwrap()
}

#[test]
fn a_record_of_the_model_alone_begins_anew() {
    let task = Task::new();
    let record = reread(task.valid().into_record());
    let model = wrapped(XsamConfig::new()).try_load_record(record).unwrap();
    assert_eq!(bits(model.model()), bits(&task));
    assert_eq!(model.steps(), 0);
}

#[test]
fn records_that_do_not_fit_are_refused() {
    let record = reread(wrapped(XsamConfig::new()).into_record());
    let error = wrapped(SamConfig::new()).try_load_record(record.clone());
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("of method `xsam`, this optimizer runs `sam`"),
        "{message}"
    );

    // What the loader of a record is told of missing and unused tensors goes for the model's own, too.
    let first = reread(Task::new().net.first.into_record());
    let unfit = wrapped(XsamConfig::new());
    assert!(unfit.try_load_record(first).is_err());
    assert!(Task::new().try_load_record(record.clone()).is_err());
    let record = record.allow_unused(true);
    assert!(Task::new().try_load_record(record).is_ok());
}

#[test]
fn hyper_parameters_are_checked() {
    let error = SharpnessAwareModel::new(
        Task::new(),
        SamConfig::new().with_rho(f64::NAN),
        Interrupter::new(),
    );
    assert!(error.unwrap_err().to_string().starts_with("rho = NaN"));
    assert!(wrapped(SamConfig::new()).with_clip_norm(0.0).is_err());
    let elsewhere: MethodSpec = MomentumSamConfig::new().into();
    let in_two = FunctionalSamConfig::new().into();
    let by_samples = EsamConfig::new().into();
    for (method, expected) in [
        (
            elsewhere,
            "method = momentum-sam: must be one whose first pass",
        ),
        (
            in_two,
            "method = functional-sam: must be one that a loss is enough for",
        ),
        (
            by_samples,
            "method = esam: must be one that a mean loss is enough for",
        ),
    ] {
        let error = SharpnessAwareModel::new(Task::new(), method, Interrupter::new());
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
