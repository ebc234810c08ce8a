//! How far diabetes has gone a year on, from ten measurements of each of 442 patients (Efron et al. 2004).

use std::process::ExitCode;

use burn::module::Module;
use burn::nn::{Gelu, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use xsam_lab::spec::{Preset, TaskSpec};
use xsam_lab::{
    Average, Batches, Better, Part, Rows, Score, Setup, Tally, Task, TaskError, scalar, sections,
    shuffled,
};

const INPUTS: usize = 10;
const TRAIN: usize = 282;
const VALIDATION: usize = 80;

fn main() -> ExitCode {
    xsam_cli::program::<Diabetes>(xsam_cli::package!())
}

#[derive(Module, Debug)]
struct Mlp {
    layers: [Linear; 3],
}

sections! {
    struct Sections { model: ModelSection }
    struct ModelSection { width: usize = 64 }
}

impl TaskSpec for Sections {
    const LEARNED: &'static str = "diabetes";
    const MODEL: &'static str = "mlp";
    const BATCH_SIZE: Option<usize> = Some(32);
}

struct Diabetes {
    width: usize,
    device: Device,
    /// A row for each patient, the target in its last column; standardised by those to train on.
    rows: Rows<2>,
    /// Standard deviation of the target, which is learned in this unit.
    unit: f64,
}

impl Task for Diabetes {
    type Spec = Sections;
    type Model = Mlp;
    type Batch = Tensor<2>;
    type Output = Tensor<2>; // squared errors

    const PRESETS: &'static [Preset] = &[Preset::new("diabetes", include_str!("../compare.toml"))];

    fn scores() -> Vec<Score> {
        let score = Score::new("error", Better::Lower, "Root of the mean squared error");
        vec![score.with_average(Average::RootMean).with_digits(2)]
    }

    fn new(setup: &Setup<'_, Sections>) -> Result<Self, TaskError> {
        let table = smartcore::dataset::diabetes::load_dataset();
        // In an order that is the same for all seeds, so that the parts are.
        let rows = shuffled(table.num_samples, 0, 0).into_iter().flat_map(|i| {
            let inputs = &table.data[i * INPUTS..][..INPUTS];
            inputs.iter().copied().chain([table.target[i] as f32])
        });
        let rows = TensorData::new(rows.collect(), [table.num_samples, INPUTS + 1]);
        let rows = Tensor::<2>::from_data(rows, setup.place.inner().floats());
        let (variance, mean) = rows.clone().slice(0..TRAIN).var_mean(0);
        let deviation = variance.sqrt();
        let scaled = (rows - mean) / deviation.clone();
        Ok(Self {
            width: setup.spec.task.model.width,
            device: setup.place.device.clone(),
            rows: setup.rows(scaled, TRAIN, VALIDATION),
            unit: scalar(deviation.narrow(1, INPUTS, 1).flatten(0, 1))?,
        })
    }

    fn model(&self) -> Result<Mlp, TaskError> {
        let layer = |from, to| LinearConfig::new(from, to).init(&self.device);
        let width = self.width;
        let layers = [layer(INPUTS, width), layer(width, width), layer(width, 1)];
        Ok(Mlp { layers })
    }

    fn steps(&self) -> usize {
        self.rows.steps()
    }

    fn batch(&self, epoch: usize, step: usize) -> Result<Tensor<2>, TaskError> {
        Ok(self.rows.batch(epoch, step))
    }

    fn held_out(&self, part: Part) -> Result<Batches<'_, Tensor<2>>, TaskError> {
        Ok(self.rows.held_out(part))
    }

    fn loss(&self, model: &Mlp, rows: &Tensor<2>, _: Option<u64>) -> (Tensor<1>, Tensor<2>) {
        let [first, second, last] = &model.layers;
        let inputs = rows.clone().narrow(1, 0, INPUTS);
        let hidden = Gelu::new().forward(first.forward(inputs));
        let found = last.forward(Gelu::new().forward(second.forward(hidden)));
        let errors = (found - rows.clone().narrow(1, INPUTS, 1)).square();
        (errors.clone().mean(), errors)
    }

    fn size(&self, rows: &Tensor<2>) -> usize {
        rows.dims()[0]
    }

    fn tally(&self, rows: &Tensor<2>, errors: Tensor<2>) -> Result<Tally, TaskError> {
        let sum = scalar(errors.sum())? * self.unit * self.unit;
        Ok(Tally::new(self.size(rows), 0.0).with("error", sum))
    }
}
