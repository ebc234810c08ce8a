//! The format of a case.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use xsam::method::MethodSpec;
use xsam_models::{ClassifierName, Model, ModelConfig, Pooling, Variant, cast, reference};

use super::{Stop, read};
use xsam_lab::Place;

use crate::batch::Batch;

/// Image channels of every case.
const CHANNELS: usize = 3;

/// More than any case needs of each: a case beyond it is a mistake, and would take all memory or no end.
const MOST_VALUES: usize = or_fuzzing(1 << 28, 1 << 8);
const MOST_PARAMETERS: usize = or_fuzzing(1 << 26, 1 << 7);
const MOST_STEPS: usize = or_fuzzing(10_000, 4);
const MOST_ASCENT_STEPS: usize = or_fuzzing(100, 3);
const MOST_EIGENVALUES: usize = or_fuzzing(200, 2);

/// A limit, or the one for `fuzz`: a case within the first may rightly take hours, and there are a million of them there.
const fn or_fuzzing(most: usize, fuzzing: usize) -> usize {
    if cfg!(fuzzing) { fuzzing } else { most }
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelCase {
    name: String,
    pub(super) classes: usize,
    width: Option<usize>,
    depth: Option<usize>,
    patch: Option<usize>,
    heads: Option<usize>,
    pooling: Option<Pooling>,
}

impl ModelCase {
    /// The model with the values of the formula.
    pub(super) fn filled(
        &self,
        image_size: usize,
        seed: u64,
        place: &Place,
    ) -> Result<Model, Stop> {
        let name: ClassifierName = self
            .name
            .parse()
            .map_err(|_| Stop::Skip(format!("there is no model `{}` yet", self.name)))?;
        let config = ModelConfig {
            name,
            channels: CHANNELS,
            image_size,
            classes: self.classes,
            variant: Variant {
                width: self.width,
                depth: self.depth,
                patch: self.patch,
                heads: self.heads,
                pooling: self.pooling,
            },
        };
        at_most("parameters", config.parameters()?, MOST_PARAMETERS)?;
        let model = config.init(0, &place.device)?;
        Ok(reference::fill(cast(model, place.dtype), seed)?)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Base {
    pub(super) lr: f64,
    #[serde(default)]
    pub(super) momentum: f64,
    #[serde(default)]
    pub(super) weight_decay: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct TrainCase {
    pub(super) model: ModelCase,
    pub(super) seed: u64,
    pub(super) epochs: usize,
    #[serde(flatten)]
    pub(super) batches: Batches,
    pub(super) base: Base,
    /// The method, as in a spec.
    pub(super) optimizer: MethodSpec,
    /// Parts of a batch that every pass goes over.
    pub(super) micro_batches: Option<usize>,
    /// Parts of a batch that each have an ascent of their own.
    pub(super) m_sharpness: Option<usize>,
    pub(super) expected: TrainExpected,
    #[serde(default)]
    pub(super) float32_deviation: f64,
    /// How far an alpha strays that a parabola gives.
    pub(super) float32_alpha_deviation: Option<f64>,
}

/// Gives an `optimizer` of the first cases the keys of a spec.
fn modernize(optimizer: &mut Map<String, Value>) {
    let Some(mut name) = optimizer.remove("method") else {
        return;
    };
    match optimizer.get("adaptive") {
        // The format had one name for both.
        Some(Value::Bool(true)) => {
            if name == "sam" {
                name = "asam".into();
            }
            optimizer.insert("adaptive".to_owned(), "elementwise".into());
        }
        Some(Value::Bool(false)) => {
            optimizer.remove("adaptive");
        }
        _ => {}
    }
    if name == "sgd" {
        optimizer.clear();
    }
    if let Some(grid) = optimizer.remove("alphas") {
        optimizer.insert("grid".to_owned(), grid);
    }
    if optimizer.remove("dynamic") == Some(Value::Bool(false)) {
        optimizer.entry("alpha").or_insert_with(|| 1.0.into());
    }
    optimizer.insert("name".to_owned(), name);
}

impl TrainCase {
    /// The case, in the form of today or in that of the cases that were there first.
    pub(super) fn read(mut value: Value) -> Result<Self, Stop> {
        if let Some(Value::Object(optimizer)) = value.get_mut("optimizer") {
            modernize(optimizer);
            let name = optimizer.get("name").and_then(Value::as_str);
            if let Some(name) = name.filter(|name| !MethodSpec::NAMES.contains(name)) {
                return Err(Stop::Skip(format!("there is no method `{name}` yet")));
            }
        }
        read(value)
    }

    /// Checks that it comes to an end, and to as many steps as it expects.
    pub(super) fn check(&self) -> Result<(), Stop> {
        let steps = self.epochs.saturating_mul(self.batches.count);
        at_most("steps", steps, MOST_STEPS)?;
        at_most(
            "ascent steps",
            self.optimizer.ascent_steps().unwrap_or_default(),
            MOST_ASCENT_STEPS,
        )?;
        image_values(steps, self.batches.batch_size, self.batches.image_size)?;
        match self.expected.steps.len() <= steps {
            true => Ok(()),
            false => Err(Stop::Fail(format!("expects more than its {steps} steps"))),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct TrainExpected {
    pub(super) steps: Vec<StepExpected>,
    #[serde(rename = "final", default)]
    pub(super) tensors: BTreeMap<String, TensorExpected>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StepExpected {
    pub(super) loss: Option<f64>,
    pub(super) grad_norm: Option<f64>,
    pub(super) ascent_loss: Option<f64>,
    pub(super) ascent_grad_norm: Option<f64>,
    pub(super) psi: Option<f64>,
    pub(super) alpha: Option<f64>,
    pub(super) search_losses: Option<Vec<f64>>,
    pub(super) refined: Option<RefinedExpected>,
    pub(super) update_norm: Option<f64>,
}

/// What a search with a parabola came to.
#[derive(Debug, Deserialize)]
pub(super) struct RefinedExpected {
    pub(super) alpha: f64,
    pub(super) loss: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct TensorExpected {
    pub(super) norm: f64,
    pub(super) first: Vec<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ForwardCase {
    pub(super) model: ModelCase,
    pub(super) seed: u64,
    pub(super) batch_size: usize,
    pub(super) image_size: usize,
    pub(super) expected: ForwardExpected,
    #[serde(default)]
    pub(super) float32_deviation: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct ForwardExpected {
    pub(super) logits_eval: Option<Vec<Vec<f64>>>,
    pub(super) logits_train: Option<Vec<Vec<f64>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct HessianCase {
    pub(super) model: ModelCase,
    /// Mode of the model: `eval` or `train`.
    pub(super) mode: String,
    pub(super) seed: u64,
    #[serde(flatten)]
    pub(super) batches: Batches,
    pub(super) expected: HessianExpected,
}

#[derive(Debug, Deserialize)]
pub(super) struct HessianExpected {
    pub(super) loss: Option<f64>,
    pub(super) parameters: Option<f64>,
    /// The largest eigenvalues, descending.
    #[serde(default)]
    pub(super) top: Vec<f64>,
    pub(super) lowest: Option<f64>,
    pub(super) trace: Option<f64>,
    /// The sum of the squared eigenvalues.
    pub(super) mean_square: Option<f64>,
}

impl HessianExpected {
    /// How many of the largest eigenvalues, and of the smallest.
    pub(super) fn ends(&self) -> Result<(usize, usize), Stop> {
        let (top, lowest) = (self.top.len(), usize::from(self.lowest.is_some()));
        at_most("eigenvalues", top + lowest, MOST_EIGENVALUES)?;
        Ok((top, lowest))
    }
}

/// The batches of a case.
#[derive(Debug, Deserialize)]
pub(super) struct Batches {
    #[serde(rename = "batches")]
    pub(super) count: usize,
    pub(super) batch_size: usize,
    pub(super) image_size: usize,
}

impl Batches {
    /// With the values of the formula.
    pub(super) fn filled(
        &self,
        seed: u64,
        classes: usize,
        place: &Place,
    ) -> Result<Vec<Batch>, Stop> {
        let values = image_values(self.count, self.batch_size, self.image_size)?;
        let images = reference::images(seed, values);
        let targets = reference::targets(seed, self.count * self.batch_size, classes);
        let shape = [CHANNELS, self.image_size, self.image_size];
        let images = images.chunks(values / self.count);
        let targets = targets.chunks(self.batch_size);
        let batch = |(images, targets): (&[f64], &[i64])| {
            Batch::new(images.to_vec(), shape, targets.to_vec(), place)
        };
        Ok(images.zip(targets).map(batch).collect())
    }
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), Stop> {
    match count <= most {
        true => Ok(()),
        false => Err(Stop::Fail(format!(
            "cannot be run with {count} {what}, more than {most}"
        ))),
    }
}

/// Number of values of a batch of images, if it is one that can be.
fn image_values(batches: usize, batch_size: usize, image_size: usize) -> Result<usize, Stop> {
    [batches, batch_size, CHANNELS, image_size, image_size]
        .iter()
        .try_fold(1usize, |product, &n| product.checked_mul(n))
        .filter(|count| (1..=MOST_VALUES).contains(count))
        .ok_or_else(|| {
            let sizes = format!("{batches} x {batch_size} images of {image_size} x {image_size}");
            Stop::Fail(format!("cannot be run with {sizes}"))
        })
}
