//! A task of somebody else's: a linear model on made-up numbers goes the whole way through the laboratory.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use xsam_lab::columns::columns;
use xsam_lab::compare::Comparison;
use xsam_lab::evaluate::evaluate_trained;
use xsam_lab::export::export;
use xsam_lab::files::Existing;
use xsam_lab::flatness::{FlatnessSpec, flatness};
use xsam_lab::landscape::{Along, LandscapeSpec, landscape};
use xsam_lab::plan::measure;
use xsam_lab::spec::TaskSpec;
use xsam_lab::{
    Average, Batches, Better, Error, Event, Metrics, Part, Place, Run, RunSummary, Sample, Score,
    Setup, Status, StopSignal, Subject, Tally, Task, TaskError, Trained, scalar, sections,
};

const FEATURES: usize = 3;
const ROWS: usize = 48;

sections! {
    struct Sections {
        data: Numbers,
        model: Plain,
    }

    struct Numbers {
        batch: usize = 8,
        noise: f64 = 0.1,
    }

    struct Plain {
        scale: f64,
    }
}

impl TaskSpec for Sections {}

type Spec = xsam_lab::spec::Spec<Sections>;

#[derive(Module, Debug)]
struct Line {
    weight: Param<Tensor<2>>,
}

/// A row for each sample: features, and what follows from them.
#[derive(Debug)]
struct Fit {
    spec: Spec,
    place: Place,
    parts: [Vec<[f64; FEATURES + 1]>; 3],
}

/// Numbers from -1 to 1 that look random.
fn numbers(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

fn rows(part: Part, noise: f64) -> Vec<[f64; FEATURES + 1]> {
    let mut next = numbers(1 + part as u64);
    let mut row = || {
        let [a, b, c] = [next(), 2.0 * next(), 0.5 * next()];
        [a, b, c, 2.0 * a - b + 0.5 * c + noise * next()]
    };
    (0..ROWS).map(|_| row()).collect()
}

impl Fit {
    fn tensor(&self, rows: &[[f64; FEATURES + 1]], place: &Place) -> Tensor<2> {
        let data = TensorData::new(rows.concat(), [rows.len(), FEATURES + 1]);
        Tensor::from_data(data, place.floats())
    }
}

/// The mean squared error of a batch.
fn error(model: &Line, rows: &Tensor<2>) -> Tensor<1> {
    let features = rows.clone().narrow(1, 0, FEATURES);
    let wanted = rows.clone().narrow(1, FEATURES, 1);
    (features.matmul(model.weight.val()) - wanted)
        .square()
        .mean()
}

impl Task for Fit {
    type Spec = Sections;
    type Model = Line;
    type Batch = Tensor<2>;
    type Output = ();

    fn scores() -> Vec<Score> {
        let error = Score::new("error", Better::Lower, "Root of the mean squared error");
        vec![error.with_average(Average::RootMean)]
    }

    fn new(setup: &Setup<'_, Self::Spec>) -> Result<Self, TaskError> {
        let noise = setup.spec.task.data.noise;
        if !noise.is_finite() {
            return Err(TaskError::new("the noise is not finite"));
        }
        Ok(Self {
            spec: setup.spec.clone(),
            place: setup.place.clone(),
            parts: Part::ALL.map(|part| rows(part, noise)),
        })
    }

    fn model(&self) -> Result<Line, TaskError> {
        let mut next = numbers(1000 + self.spec.train.seed);
        let values: Vec<f64> = (0..FEATURES).map(|_| next()).collect();
        let data = TensorData::new(values, [FEATURES, 1]);
        let weight = Param::from_tensor(Tensor::from_data(data, self.place.floats()));
        Ok(Line { weight })
    }

    fn steps(&self) -> usize {
        ROWS / self.spec.task.data.batch
    }

    /// Another order in every epoch.
    fn batch(&self, epoch: usize, step: usize) -> Result<Self::Batch, TaskError> {
        let size = self.spec.task.data.batch;
        let stride = [1, 5, 7, 11][(epoch + self.spec.train.seed as usize) % 4];
        let of = |i: usize| self.parts[0][(step * size + i) * stride % ROWS];
        let rows: Vec<_> = (0..size).map(of).collect();
        Ok(self.tensor(&rows, &self.place))
    }

    fn loss(&self, model: &Line, batch: &Self::Batch, _noise: Option<u64>) -> (Tensor<1>, ()) {
        (error(model, batch), ())
    }

    fn held_out(&self, part: Part) -> Result<Batches<'_, Self::Batch>, TaskError> {
        let batch = self.tensor(&self.parts[part as usize], &self.place.inner());
        Ok(Box::new([Ok(batch)].into_iter()))
    }

    fn evaluated(&self, model: &Line, batch: &Self::Batch) -> Result<Tally, TaskError> {
        let sum = ROWS as f64 * scalar(error(model, batch))?;
        Ok(Tally::new(ROWS, sum).with("error", sum))
    }

    fn size(&self, batch: &Self::Batch) -> usize {
        batch.dims()[0]
    }

    fn epoch_size(&self) -> Result<usize, TaskError> {
        Ok(ROWS)
    }
}

fn spec(settings: &[&str]) -> Spec {
    common::spec(&[&["train.epochs=4", "method.rho=0.05"], settings].concat())
}

fn train(directory: &Path, existing: Existing, steps: usize) -> RunSummary {
    common::train::<Fit>(spec(&[]), directory, existing, steps)
}

fn trained(directory: &Path) -> RunSummary {
    let summary = train(directory, Existing::Refuse, usize::MAX);
    assert_eq!(summary.status, Status::Finished);
    summary
}

/// What does not depend on the machine, and the weights.
fn outcome(directory: &Path) -> (Vec<Vec<Option<f64>>>, Vec<f64>) {
    let trained = Trained::<Fit>::load(directory).unwrap();
    let columns = columns(&Fit::scores());
    let timed = ["seconds", "waited", "peak_mb"];
    let names = columns.iter().map(|column| &*column.name);
    let names: Vec<&str> = names.filter(|name| !timed.contains(name)).collect();
    let values = |row: &Metrics| names.iter().map(|name| row.get(name)).collect();
    let values = trained.rows.iter().map(values);
    let weight = trained.model.weight.val().into_data();
    (values.collect(), weight.iter::<f64>().collect())
}

#[test]
fn a_run_that_was_stopped_equals_one_that_was_not() {
    let here = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| here.path().join(name));
    let summary = trained(&whole);
    let validation = |row: &Metrics| row.get("validation_error").unwrap();
    let rows = Trained::<Fit>::load(&whole).unwrap().rows;
    let lowest = rows.iter().map(validation).fold(f64::INFINITY, f64::min);
    assert_eq!(validation(&summary.best.unwrap()), lowest);
    assert!(lowest < 0.5 && validation(&rows[0]) > lowest);

    for (existing, steps, epochs) in [(Existing::Refuse, 2, 0), (Existing::Resume, 11, 2)] {
        let summary = train(&parts, existing, steps);
        let expected = (Status::Interrupted, epochs);
        assert_eq!((summary.status, summary.epochs), expected);
    }
    train(&parts, Existing::Resume, usize::MAX);
    assert_eq!(outcome(&parts), outcome(&whole));
}

#[test]
fn methods_are_compared_and_tuned_by_the_lowest_error() {
    let here = tempfile::tempdir().unwrap();
    let directory = here.path().join("c");
    let settings = [
        "compare.methods=['sgd', 'sam', 'xsam']",
        "compare.seeds=[0, 1]",
        "compare.tune.optimizer.lr=[1e-4, 0.05]",
    ];
    let (_, compare) = Spec::parse("[compare]", &settings.map(str::to_owned)).unwrap();
    let compare = compare.unwrap();
    let run = |existing| {
        let comparison = Comparison::<Fit>::prepare(&spec(&[]), &compare, &directory, existing);
        let begun = RefCell::new(0);
        let summary = comparison
            .unwrap()
            .run(&StopSignal::default(), &mut |event| {
                if let Event::Started { .. } = event {
                    *begun.borrow_mut() += 1;
                }
            });
        (summary.unwrap(), begun.into_inner())
    };
    let (summary, _) = run(Existing::Refuse);
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(summary.scores, Fit::scores());
    let tuning = summary.tuning.as_ref().unwrap();
    assert_eq!((&*tuning.score.name, tuning.methods.len()), ("error", 3));
    for (method, row) in tuning.methods.iter().zip(&summary.methods) {
        let [slow, fast] = &method.candidates[..] else {
            panic!("{method:?}");
        };
        let mean = |spread: Option<xsam_lab::statistics::Spread>| spread.unwrap().mean;
        assert!(mean(fast.validation) < mean(slow.validation));
        assert_eq!((slow.chosen, fast.chosen), (false, true), "{}", row.label);
        assert!(row.spreads["last"].mean < 0.5, "{:?}", row.spreads);
        assert_eq!(row.runs, 2);
    }
    let (again, begun) = run(Existing::Resume);
    assert_eq!(begun, 0);
    assert_eq!(again.tuning, summary.tuning);
}

/// The largest eigenvalue of `2 X^T X / n`, the Hessian of a mean squared error.
fn largest_eigenvalue() -> f64 {
    let rows = rows(Part::Train, 0.0);
    let (mut vector, mut value) = ([1.0; FEATURES], 0.0);
    for _ in 0..500 {
        let mut product = [0.0; FEATURES];
        for row in &rows {
            let dot: f64 = row.iter().zip(vector).map(|(x, v)| x * v).sum();
            for (p, x) in product.iter_mut().zip(row) {
                *p += 2.0 * x * dot / ROWS as f64;
            }
        }
        value = product.iter().map(|p| p * p).sum::<f64>().sqrt();
        vector = product.map(|p| p / value);
    }
    value
}

#[test]
fn its_minimum_is_measured_and_scored() {
    let here = tempfile::tempdir().unwrap();
    let directory = here.path().join("run");
    let last = trained(&directory).last.unwrap();
    let subject = Subject::run(&directory);
    let sample = Sample {
        samples: ROWS,
        batch: 8,
        ..Sample::default()
    };
    let how = FlatnessSpec {
        top: 2,
        sharpness: Some(0.05),
        sample: sample.clone(),
        ..FlatnessSpec::default()
    };
    let flat = flatness::<Fit>(&subject, &how, &mut |_| {}).unwrap();
    assert_eq!((flat.parameters, flat.samples), (FEATURES, ROWS));
    let (found, expected) = (flat.eigenvalues.pairs[0].value, largest_eigenvalue());
    let off = (found / expected - 1.0).abs();
    assert!(off < 1e-2, "{found}, not {expected}");
    assert!(directory.join("flatness.json").exists());

    let how = LandscapeSpec {
        along: Along::Random,
        dimensions: 1,
        points: Some(9),
        sample,
        ..LandscapeSpec::default()
    };
    let stop = StopSignal::default();
    let line = landscape::<Fit>(&subject, &how, &stop, &mut |_| {}).unwrap();
    assert!(line.complete);
    // Along any line the loss is a parabola.
    let losses = line.report.losses();
    assert_eq!(losses.len(), 9);
    let curvature = |at: &[f64]| at[0] - 2.0 * at[1] + at[2];
    let curvatures: Vec<f64> = losses.windows(3).map(curvature).collect();
    for curvature in &curvatures {
        assert!(*curvature > 0.0 && (curvature / curvatures[0] - 1.0).abs() < 1e-2);
    }

    let scores = |subject: &Subject<_>| {
        let evaluated = evaluate_trained::<Fit>(subject, &StopSignal::default());
        evaluated.unwrap().unwrap().scores
    };
    let at_the_end = scores(&subject);
    for (found, part) in [
        (&at_the_end.validation, Part::Validation),
        (&at_the_end.test, Part::Test),
    ] {
        let column = Fit::scores()[0].column(part);
        assert_eq!(Some(found.values["error"]), last.get(&column));
        assert!((found.values["error"].powi(2) / found.loss - 1.0).abs() < 1e-6);
    }
    let stopped = StopSignal::default();
    stopped.stop();
    let none = evaluate_trained::<Fit>(&subject, &stopped).unwrap();
    assert_eq!(none, None);

    // The same from a file of its weights.
    let file = here.path().join("line.safetensors");
    let written = export::<Fit>(&directory, &file, false).unwrap();
    assert_eq!((written.tensors, written.parameters), (1, FEATURES));
    let of_weights = Subject {
        spec: Some(spec(&[])),
        ..Subject::run(&file)
    };
    assert_eq!(scores(&of_weights), at_the_end);
}

#[test]
fn what_its_run_costs_is_measured() {
    let here = tempfile::tempdir().unwrap();
    let measured = measure::<Fit>(&spec(&[]), Some(6), here.path()).unwrap();
    assert_eq!(measured.parameters, FEATURES);
    assert_eq!(measured.steps_per_epoch, ROWS / 8);
    assert_eq!((measured.gradient_passes, measured.search_passes), (2, 21));
    for part in [measured.step, measured.evaluation, measured.checkpoint] {
        assert!(part.count > 0 && part.median_s > 0.0, "{part:?}");
    }
    assert_eq!(measured.further, None);
}

#[test]
fn what_it_cannot_is_told_before_the_first_step() {
    let here = tempfile::tempdir().unwrap();
    let refused = |settings: &[&str]| -> Error {
        let directory = here.path().join("run");
        let run = Run::prepare::<Fit>(spec(settings), &directory, Existing::Overwrite);
        let trained = run.and_then(|run| run.train(&StopSignal::default(), &mut |_| {}));
        trained.unwrap_err()
    };
    let error = refused(&["train.micro_batches=2"]).to_string();
    assert!(error.contains("has not written `Task::parts`"), "{error}");
    let error = refused(&["method.name=functional-sam"]).to_string();
    assert!(
        error.starts_with("`method.name`") && error.contains("`by_logits`"),
        "{error}"
    );
    let error = refused(&["method.name=esam"]).to_string();
    assert!(
        error.starts_with("`method.name`") && error.contains("`by_samples`"),
        "{error}"
    );
    let error = refused(&["train.batch_size=8"]).to_string();
    assert!(error.starts_with("`train.batch_size`"), "{error}");
    let error = refused(&["data.noise=nan"]).to_string();
    assert_eq!(error, "the noise is not finite");
    for (setting, told) in [
        ("data.batsh=4", "did you mean `batch`?"),
        ("data.batch=many", "`data.batch`: invalid type"),
        ("models.scale=1", "did you mean `model`?"),
    ] {
        let error = Spec::parse("", &[setting.to_owned()]).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn a_run_of_the_old_program_is_refused_with_a_sentence() {
    let here = tempfile::tempdir().unwrap();
    let directory = here.path().join("run");
    trained(&directory);
    let resumed = || {
        let error = Run::prepare::<Fit>(spec(&[]), &directory, Existing::Resume);
        error.unwrap_err().to_string()
    };
    let checkpoints = fs::read_dir(directory.join("checkpoint")).unwrap();
    for checkpoint in checkpoints {
        let manifest = checkpoint.unwrap().path().join("manifest.json");
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains(r#""version":3"#), "{text}");
        let old = text.replace(r#""version":3"#, r#""version":2"#);
        fs::write(&manifest, old).unwrap();
    }
    let error = resumed();
    let told = concat!(
        "its version is 2, written by xsam ",
        env!("CARGO_PKG_VERSION"),
        ", not 3: go on with a build of that program"
    );
    assert!(error.contains(told), "{error}");

    // Its outcome says so at once, and its spec is not blamed.
    let (outcome, asked) = (directory.join("run.json"), directory.join("spec.toml"));
    let text = fs::read_to_string(&outcome).unwrap();
    let old = text.replacen("\"format\": 2,", "", 1);
    assert_ne!(old, text);
    fs::write(&outcome, old).unwrap();
    fs::write(&asked, "[train]\nworkers = 2\n").unwrap();
    let subject = Subject::run(&directory);
    let evaluated = evaluate_trained::<Fit>(&subject, &StopSignal::default());
    let loaded = Trained::<Fit>::load(&directory).map(drop);
    let exported = export::<Fit>(&directory, &here.path().join("w.pt"), false);
    for error in [
        resumed(),
        evaluated.unwrap_err().to_string(),
        loaded.unwrap_err().to_string(),
        exported.unwrap_err().to_string(),
    ] {
        for told in [
            "run.json was written by an older xsam",
            "use that one for it",
        ] {
            assert!(error.contains(told), "{error}");
        }
    }
}

#[test]
fn a_comparison_of_the_old_program_stays_as_it_was() {
    let here = tempfile::tempdir().unwrap();
    let old = r#"{"status": "finished", "methods": []}"#;
    let outcome = here.path().join("compare.json");
    fs::write(&outcome, old).unwrap();
    let (_, compare) = Spec::parse("[compare]", &[]).unwrap();
    let compare = compare.unwrap();
    let resumed = Comparison::<Fit>::prepare(&spec(&[]), &compare, here.path(), Existing::Resume);
    let error = resumed.unwrap_err().to_string();
    assert!(
        error.contains("compare.json was written by an older xsam"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&outcome).unwrap(), old);
}
