//! Which character comes next in the Constitution of the United States.

use std::f64::consts::LN_2;
use std::process::ExitCode;

use burn::module::Module;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::transformer::TransformerEncoderInput as Input;
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig as Config};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use xsam_lab::spec::{Preset, TaskSpec};
use xsam_lab::{
    Better, HeldOut, Part, Rows, Score, Setup, Tally, Task, TaskError, scalar, sections, shuffled,
};

const TEXT: &str = include_str!("../constitution.txt");
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

impl Lm {
    /// Of characters `[windows, WINDOW]`, logits `[windows * WINDOW, characters]`.
    fn forward(&self, input: Tensor<2, Int>) -> Tensor<2> {
        let (device, windows) = (input.device(), input.dims()[0]);
        let positions = Tensor::<1, Int>::arange(0..WINDOW as i64, &device).unsqueeze();
        let x = self.characters.forward(input) + self.positions.forward(positions);
        let mask = generate_autoregressive_mask(windows, WINDOW, &device);
        let x = self.transformer.forward(Input::new(x).mask_attn(mask));
        self.output.forward(x).flatten(0, 1)
    }
}

sections! {
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
    /// Windows of the text, each with the character after it.
    rows: Rows<2, Int>,
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
        let ids = TEXT.as_bytes();
        let windows = (ids.len() - 1) / WINDOW;
        // In an order that is the same for all seeds, so that the parts are.
        let rows = shuffled(windows, 0, 0).into_iter();
        let rows = rows.flat_map(|i| &ids[i * WINDOW..=(i + 1) * WINDOW]);
        let rows = rows.map(|id| i64::from(*id)).collect();
        let rows = TensorData::new(rows, [windows, WINDOW + 1]);
        let rows = Tensor::<2, Int>::from_data(rows, &setup.place.device);
        Ok(Self {
            model: setup.spec.task.model.clone(),
            device: setup.place.device.clone(),
            rows: setup.rows(rows, windows / 2, windows / 4),
        })
    }

    fn model(&self) -> Result<Lm, TaskError> {
        let (device, width) = (&self.device, self.model.width);
        let transformer = Config::new(width, 4 * width, 4, self.model.layers).with_dropout(0.0);
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

    fn held_out(&self, part: Part) -> Result<HeldOut<'_, Tensor<2, Int>>, TaskError> {
        Ok(self.rows.held_out(part))
    }

    fn loss(&self, model: &Lm, windows: &Tensor<2, Int>, _: Option<u64>) -> (Tensor<1>, Tensor<1>) {
        let logits = model.forward(windows.clone().narrow(1, 0, WINDOW));
        let next = windows.clone().narrow(1, 1, WINDOW).flatten(0, 1);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = loss.forward(logits, next);
        (loss.clone(), loss)
    }

    fn size(&self, windows: &Tensor<2, Int>) -> usize {
        windows.dims()[0] * WINDOW
    }

    fn tally(&self, windows: &Tensor<2, Int>, loss: Tensor<1>) -> Result<Tally, TaskError> {
        let size = self.size(windows);
        Ok(Tally::new(size, 0.0).with(SCORE, scalar(loss)? * size as f64 / LN_2))
    }
}
