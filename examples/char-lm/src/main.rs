//! Which character comes next in the Constitution of the United States.

use std::f64::consts::LN_2;
use std::process::ExitCode;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLoss;
use burn::nn::transformer::TransformerEncoderInput as EncoderInput;
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig as EncoderConfig};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, attention};
use burn::tensor::{Device, Int, Tensor, TensorData};
use xsam_lab::spec::{Preset, TaskSpec};
use xsam_lab::{
    Batches, Better, LossByLogits, Part, Rows, Score, Setup, Tally, Task, TaskError, scalar,
};

const TEXT: &[u8] = include_bytes!("../constitution.txt");
const WINDOW: usize = 64;
const CHARACTERS: usize = 128; // of ASCII
const SCORE: &str = "bits per character";

fn main() -> ExitCode {
    xsam_cli::program::<CharLm>(xsam_cli::package!())
}

#[derive(Module, Debug)]
struct Lm {
    characters: Embedding,
    positions: Embedding,
    transformer: TransformerEncoder,
    output: Linear,
}

xsam_lab::sections! {
    struct Sections { model: ModelSection }
    struct ModelSection { width: usize = 32, layers: usize = 1 }
}

impl TaskSpec for Sections {
    const LEARNED: &'static str = "constitution";
    const MODEL: &'static str = "transformer";
    const BATCH_SIZE: Option<usize> = Some(8);
}

struct CharLm {
    model: ModelSection,
    device: Device,
    rows: Rows<2, Int>, // windows of the text, each with the character after it
}

impl Task for CharLm {
    type Spec = Sections;
    type Model = Lm;
    type Batch = Tensor<2, Int>;
    type Output = Tensor<1>; // the loss

    const PRESETS: &'static [Preset] = &[Preset::new("text", include_str!("../compare.toml"))];

    fn scores() -> Vec<Score> {
        let meaning = "Bits that a character takes, given those before it in a window of 64";
        vec![Score::new(SCORE, Better::Lower, meaning)]
    }

    fn new(setup: &Setup<'_, Sections>) -> Result<Self, TaskError> {
        let windows: Vec<&[u8]> = TEXT.windows(WINDOW + 1).step_by(WINDOW).collect();
        // In an order that is the same for all seeds, so that the parts are.
        let order = xsam_lab::shuffled(windows.len(), 0, 0).into_iter();
        let ids = order.flat_map(|i| windows[i]).map(|id| i64::from(*id));
        let rows = TensorData::new(ids.collect(), [windows.len(), WINDOW + 1]);
        let rows = Tensor::<2, Int>::from_data(rows, &setup.place.device);
        Ok(Self {
            model: setup.spec.task.model.clone(),
            device: setup.place.device.clone(),
            rows: setup.rows(rows, windows.len() / 2, windows.len() / 4),
        })
    }

    fn model(&self) -> Result<Lm, TaskError> {
        let (device, width, layers) = (&self.device, self.model.width, self.model.layers);
        let transformer = EncoderConfig::new(width, 4 * width, 4, layers).with_dropout(0.0);
        Ok(Lm {
            characters: EmbeddingConfig::new(CHARACTERS, width).init(device),
            positions: EmbeddingConfig::new(WINDOW, width).init(device),
            transformer: transformer.with_norm_first(true).init(device),
            output: LinearConfig::new(width, CHARACTERS).init(device),
        })
    }

    fn steps(&self) -> usize {
        self.rows.steps()
    }

    fn batch(&self, epoch: usize, step: usize) -> Result<Tensor<2, Int>, TaskError> {
        Ok(self.rows.batch(epoch, step))
    }

    fn held_out(&self, part: Part) -> Result<Batches<'_, Tensor<2, Int>>, TaskError> {
        Ok(self.rows.held_out(part))
    }

    fn loss(&self, model: &Lm, windows: &Tensor<2, Int>, _: Option<u64>) -> (Tensor<1>, Tensor<1>) {
        loss_of(logits(model, windows), windows)
    }

    fn by_logits() -> Option<LossByLogits<Self>> {
        Some(LossByLogits {
            logits: |_, model, windows, _| logits(model, windows),
            loss: |_, logits, windows| loss_of(logits, windows),
        })
    }

    fn size(&self, windows: &Tensor<2, Int>) -> usize {
        windows.dims()[0] * WINDOW
    }

    fn tally(&self, windows: &Tensor<2, Int>, loss: Tensor<1>) -> Result<Tally, TaskError> {
        let size = self.size(windows);
        Ok(Tally::new(size, 0.0).with(SCORE, scalar(loss)? * size as f64 / LN_2))
    }
}

/// What the model makes of all but the last character of each window, `[characters, CHARACTERS]`.
fn logits(model: &Lm, windows: &Tensor<2, Int>) -> Tensor<2> {
    let (device, count) = (windows.device(), windows.dims()[0]);
    let read = windows.clone().narrow(1, 0, WINDOW);
    let x = model.characters.forward(read) + model.positions.weight.val().unsqueeze::<3>();
    let mask = attention::generate_autoregressive_mask(count, WINDOW, &device);
    let x = model
        .transformer
        .forward(EncoderInput::new(x).mask_attn(mask));
    model.output.forward(x).flatten(0, 1)
}

/// The loss of the characters that come next.
fn loss_of(logits: Tensor<2>, windows: &Tensor<2, Int>) -> (Tensor<1>, Tensor<1>) {
    let next = windows.clone().narrow(1, 1, WINDOW).flatten(0, 1);
    let loss = CrossEntropyLoss::new(None, &windows.device()).forward(logits, next);
    (loss.clone(), loss)
}
