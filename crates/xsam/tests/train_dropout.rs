//! Dropout masks inside Burn's training loop. In a process of its own, as `dropout.rs`.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
#[path = "../examples/burn_train/quiet.rs"]
mod quiet;

use std::sync::{Arc, Mutex};

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn::train::{
    InferenceStep, Interrupter, Learner, RegressionOutput, SupervisedTraining, TrainOutput,
    TrainStep,
};
use common::{Built, Net, alone, bits, copy, device, every_method, plain};
use quiet::Quiet;
use xsam::train::SharpnessAwareModel;
use xsam::{SharpnessAware, XsamConfig};

/// Which of the batches.
type Input = Tensor<2>;
type Mask = Vec<f64>;

/// Records the masks of its passes.
#[derive(Module, Debug)]
struct Task {
    net: Net,
    #[module(skip)]
    seen: Arc<Mutex<Vec<(f32, Mask)>>>,
}

impl Task {
    fn new() -> Self {
        Self {
            net: Net::new(&device(), 0.5),
            seen: Arc::default(),
        }
    }

    /// The masks by batch.
    fn masks(&self) -> Vec<Vec<Mask>> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let mut masks = vec![Vec::new(); BATCHES];
        for (batch, mask) in seen {
            masks[batch as usize].push(mask);
        }
        masks
    }

    fn forward(&self, inputs: Tensor<2>) -> RegressionOutput {
        let outputs = self.net.forward(inputs.clone());
        let loss = outputs.clone().square().mean();
        RegressionOutput::new(loss, outputs.clone(), outputs)
    }
}

impl TrainStep for Task {
    type Input = Input;
    type Output = RegressionOutput;

    fn step(&self, batch: Input) -> TrainOutput<RegressionOutput> {
        let number = batch.clone().slice([0..1, 0..1]).into_scalar::<f32>();
        let output = self.forward(batch);
        let mask = self
            .net
            .dropout
            .forward(Tensor::<2>::ones([8, 8], &device()));
        let mask = mask.into_data().iter::<f64>().collect();
        self.seen.lock().unwrap().push((number, mask));
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Task {
    type Input = Input;
    type Output = RegressionOutput;

    fn step(&self, batch: Input) -> RegressionOutput {
        self.forward(batch)
    }
}

const BATCHES: usize = 4;
const BATCH: usize = 8;

#[derive(Clone)]
struct Rows;

impl Batcher<usize, Input> for Rows {
    fn batch(&self, items: Vec<usize>, device: &Device) -> Input {
        let number = (items[0] / BATCH) as f32;
        let row = |i: usize| [number, (i as f32).sin(), (i as f32).cos(), 1.0];
        let rows: Vec<f32> = items.iter().flat_map(|i| row(*i)).collect();
        Tensor::<1>::from_floats(&rows[..], device).reshape([items.len(), 4])
    }
}

/// An epoch in the loop.
fn in_the_loop(
    task: Task,
    accumulated: usize,
    wrap: impl FnOnce(Task, Interrupter) -> SharpnessAwareModel<Task>,
) -> Task {
    let directory = tempfile::tempdir().unwrap();
    let items = InMemDataset::new((0..BATCHES * BATCH).collect());
    let loader = DataLoaderBuilder::new(Rows).batch_size(BATCH).build(items);
    let training = SupervisedTraining::new(directory.path(), loader.clone(), loader)
        .num_epochs(1)
        .grads_accumulation(accumulated)
        .with_application_logger(None)
        .renderer(Box::new(Quiet));
    let model = wrap(task, training.interrupter());
    let result = training.launch(Learner::new(model, plain(), 0.05));
    assert!(result.error.is_none(), "{:?}", result.error);
    result.model.into_model()
}

#[test]
fn all_passes_over_a_batch_have_the_same_masks_in_the_loop_unless_asked_otherwise() {
    let _alone = alone();
    // The loop makes its pass at the weights.
    let methods = every_method().into_iter();
    for method in methods.filter(|method| method.begins_at_the_weights()) {
        for accumulated in [1, 2] {
            let task = in_the_loop(Task::new(), accumulated, |task, interrupter| {
                SharpnessAwareModel::new(task, Built(method.clone()), interrupter).unwrap()
            });
            let masks = task.masks();
            assert!(masks.iter().flatten().count() >= BATCHES);
            for batch in &masks {
                assert!(batch.iter().all(|mask| mask == &batch[0]), "{method:?}");
            }
            for (i, batch) in masks.iter().enumerate() {
                assert!(masks[..i].iter().all(|other| other[0] != batch[0]));
            }
        }
    }
    let task = in_the_loop(Task::new(), 1, |task, interrupter| {
        let model = SharpnessAwareModel::new(task, XsamConfig::new(), interrupter);
        model.unwrap().with_fresh_dropout()
    });
    let masks = task.masks().concat();
    for (i, mask) in masks.iter().enumerate() {
        assert!(!masks[..i].contains(mask));
    }
}

#[test]
fn the_loop_is_the_step_with_dropout_too() {
    let _alone = alone();
    let device = device();
    let start = Task::new();
    // Weights are drawn when they are first looked at: before the generator is seeded, and not after it the first time alone.
    let begin = bits(&start);
    let from_start = || Task {
        net: copy(&start.net),
        seen: Arc::default(),
    };
    for seed in [None, Some(7)] {
        device.seed(3);
        let trained = in_the_loop(from_start(), 1, |task, interrupter| {
            let model = SharpnessAwareModel::new(task, XsamConfig::new(), interrupter).unwrap();
            match seed {
                Some(seed) => model.with_replay_dropout(seed),
                None => model,
            }
        });

        device.seed(3);
        let optim = SharpnessAware::new(plain(), XsamConfig::new()).unwrap();
        let mut optim = match seed {
            Some(seed) => optim.with_replay_dropout(seed),
            None => optim,
        };
        let mut task = from_start();
        for number in 0..BATCHES {
            let batch = Rows.batch((number * BATCH..(number + 1) * BATCH).collect(), &device);
            let loss = |task: &Task| task.forward(batch.clone()).loss;
            task = optim.step(0.05, task, loss).unwrap().model;
        }
        assert_eq!(bits(&trained), bits(&task));
        assert_ne!(bits(&trained), begin);
    }
}
