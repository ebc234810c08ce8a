//! Burn's own training loop, as in the guide of Burn, on digits: what makes it sharpness-aware are the three lines that are
//! marked.
//!
//! ```sh
//! cargo build --release --workspace --features xsam/train --example burn_train
//! target/release/examples/burn_train
//! target/release/examples/burn_train --epochs 3
//! target/release/examples/burn_train --resume 3
//! ```
//!
//! The first trains 6 epochs. The second stops after 3, and the third goes on from its checkpoint: to the same alpha and
//! weights as the first. Checkpoints and metrics are in `runs/burn_train`.
#![allow(clippy::print_stdout)]

#[path = "../digits/mod.rs"]
mod digits;
mod quiet;

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::optim::AdamConfig;
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrSchedulerConfig;
use burn::store::ModuleRecord;
use burn::tensor::Device;
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{
    ClassificationOutput, InferenceStep, Interrupter, Learner, SupervisedTraining, TrainOutput,
    TrainStep,
};
use digits::{Batch, Net, whole};
use quiet::Quiet;
use xsam::XsamConfig;
use xsam::train::SharpnessAwareModel; // 1

const EPOCHS: usize = 6;
const BATCH: usize = 100;
const DIRECTORY: &str = "runs/burn_train";

/// Pixels of an image, and which digit it is.
type Digit = (Vec<f32>, i64);

struct DigitBatcher;

impl Batcher<Digit, Batch> for DigitBatcher {
    fn batch(&self, digits: Vec<Digit>, device: &Device) -> Batch {
        let (pixels, labels): (Vec<_>, Vec<_>) = digits.into_iter().unzip();
        Batch::new(pixels.concat(), labels, device)
    }
}

impl Net {
    fn classify(&self, batch: Batch) -> ClassificationOutput {
        let logits = self.forward(batch.images.clone());
        ClassificationOutput::new(self.loss(&batch), logits, batch.targets)
    }
}

impl TrainStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.classify(batch)
    }
}

/// Loads images in a fixed order. Burn's loader would begin its shuffling anew where a training is resumed; without it
/// a resumed training is the same, number for number.
fn loader(
    images: &xsam_data::Images,
    normalization: &xsam_data::Normalization,
) -> Result<std::sync::Arc<dyn burn::data::dataloader::DataLoader<Batch>>, Box<dyn Error>> {
    let order = xsam_data::order(images.len(), 42, 0);
    let (pixels, labels) = xsam_data::gather(images, normalization, &order)?;
    let images = pixels
        .chunks(images.pixels_per_image())
        .map(<[f32]>::to_vec);
    let digits: Vec<Digit> = images.zip(labels).collect();
    Ok(DataLoaderBuilder::new(DigitBatcher)
        .batch_size(BATCH)
        .build(InMemDataset::new(digits)))
}

/// The number after `name` on the command line.
fn argument(name: &str) -> Result<Option<usize>, Box<dyn Error>> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    match (arguments.next(), arguments.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(number)) => Ok(Some(number.parse()?)),
        (Some(_), None) => Err(format!("{name} takes a number of epochs").into()),
    }
}

fn alpha(model: &SharpnessAwareModel<Net>) -> Result<f64, Box<dyn Error>> {
    Ok(model.method_state().scalar("alpha")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let epochs = argument("--epochs")?.unwrap_or(EPOCHS);
    let resume = argument("--resume")?;
    let device = Device::flex().autodiff();
    device.seed(1);
    let splits = xsam_data::digits()?;
    let steps_an_epoch = splits.train.len().div_ceil(BATCH);

    let mut training = SupervisedTraining::new(
        DIRECTORY,
        loader(&splits.train, &splits.normalization)?,
        loader(&splits.validation, &splits.normalization)?,
    )
    .metrics((AccuracyMetric::new(), LossMetric::new()))
    .with_checkpointing_strategy(KeepLastNCheckpoints::new(EPOCHS))
    .with_default_checkpointers()
    .num_epochs(epochs)
    .summary();
    if cfg!(not(feature = "tui")) {
        training = training.renderer(Box::new(Quiet));
    }
    if let Some(epoch) = resume {
        let path = Path::new(DIRECTORY).join(format!("checkpoint/model-{epoch}.bpk"));
        let record = ModuleRecord::load(path)?;
        let model = SharpnessAwareModel::new(Net::new(10, &device), xsam(), Interrupter::new())?;
        let model = model.try_load_record(record)?;
        println!(
            "resumed after epoch {epoch}, {} steps, alpha {:.2}",
            model.steps(),
            alpha(&model)?
        );
        training = training.checkpoint(epoch);
    }

    let model = Net::new(10, &device);
    let model = SharpnessAwareModel::new(model, xsam(), training.interrupter())?; // 2
    let made = AtomicUsize::new(resume.unwrap_or_default() * steps_an_epoch);
    let model = model.with_observer(move |report| {
        let made = made.fetch_add(1, Ordering::Relaxed);
        if let (Some(alpha), true) = (report.alpha, report.search.is_some()) {
            let (epoch, loss) = (made / steps_an_epoch + 1, report.loss);
            println!("epoch {epoch}: alpha {alpha:.2}, loss {loss:.4}");
        }
    });
    let lr = LinearLrSchedulerConfig::new(0.01, 0.001, EPOCHS * steps_an_epoch);
    let lr = ModuleLrSchedulerConfig::new(lr.into()).init()?;
    let result = training.launch(Learner::new(model, AdamConfig::new().init(), lr));
    if let Some(error) = result.error {
        return Err(error.to_string().into());
    }

    let (steps, alpha) = (result.model.steps(), alpha(&result.model)?);
    let model = result.model.into_model(); // 3
    let test = whole(&splits.test, &splits.normalization, &device)?;
    let weights = model.head.weight.val().sum().try_into_scalar::<f64>()?;
    println!("after {steps} steps: alpha {alpha:.2}, sum of the head's weights {weights:.6}");
    println!("test accuracy {:.1} %", 100.0 * model.accuracy(&test)?);
    Ok(())
}

fn xsam() -> XsamConfig {
    XsamConfig::new().with_rho(0.1)
}
