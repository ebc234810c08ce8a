//! How well a model does, and on a set of images.

use burn::tensor::{Int, Tensor};
use xsam_data::{Images, Normalization, batches};
use xsam_models::{ImageClassifier, Model};

use crate::device::Place;
use crate::error::Error;
use crate::loss::{correct, cross_entropy};

/// Images in a batch when a model is evaluated. The result does not depend on it.
pub(crate) const EVALUATION_BATCH: usize = 500;

/// How well a model does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
    /// Of translations, if they were scored.
    pub(crate) bleu: Option<f64>,
}

/// Of a model in evaluation mode, on the first `most` images.
pub(crate) fn evaluate(
    model: &Model,
    place: &Place,
    images: &Images,
    normalization: &Normalization,
    most: usize,
) -> Result<Score, Error> {
    let order: Vec<usize> = (0..images.len().min(most)).collect();
    let (mut loss, mut hits) = (0.0, 0);
    for indices in batches(&order, EVALUATION_BATCH)? {
        let batch = place.batch(images, normalization, indices)?;
        let logits = model.forward(batch.images);
        let mean = cross_entropy(logits.clone(), batch.targets.clone());
        loss += scalar(mean)? * indices.len() as f64;
        hits += count(correct(logits, batch.targets))?;
    }
    let n = order.len().max(1) as f64;
    Ok(Score {
        loss: loss / n,
        accuracy: hits as f64 / n,
        bleu: None,
    })
}

/// Reads a whole number.
pub(crate) fn count(tensor: Tensor<1, Int>) -> Result<i64, Error> {
    let count = tensor.try_into_scalar::<i64>();
    count.map_err(|error| Error::Device(error.to_string()))
}

/// Reads a number.
pub(crate) fn scalar(tensor: Tensor<1>) -> Result<f64, Error> {
    let data = tensor.try_into_data();
    let data = data.map_err(|error| Error::Device(error.to_string()))?;
    Ok(data.iter::<f64>().sum())
}
