//! Cases of kind `forward`: logits of a batch.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use xsam_models::{ImageClassifier, Model, reference};

use super::Stop;
use super::case::{ForwardCase, batch_shape, image_values};
use super::deviation::Deviations;
use xsam_lab::Place;

use crate::batch::Batch;

pub(super) fn replay(case: &ForwardCase, place: &Place) -> Result<Deviations, Stop> {
    let model = case.model.filled(case.image_size, case.seed, place)?;
    let count = image_values(1, case.batch_size, case.image_size)?;
    let shape = batch_shape(case.batch_size, case.image_size);
    let images = TensorData::new(reference::images(case.seed, count), shape);

    let mut deviations = Deviations::new(place.dtype, case.float32_deviation);
    if let Some(expected) = &case.expected.logits_eval {
        let batch = Batch::new(images.clone(), Vec::new(), &place.inner());
        compare(
            &mut deviations,
            "eval",
            &model.valid(),
            batch.images,
            expected,
        );
    }
    if let Some(expected) = &case.expected.logits_train {
        let batch = Batch::new(images, Vec::new(), place);
        compare(
            &mut deviations,
            "train",
            &model.no_grad(),
            batch.images,
            expected,
        );
    }
    Ok(deviations)
}

/// Logits are compared in relation to the largest of them.
fn compare(
    deviations: &mut Deviations,
    mode: &str,
    model: &Model,
    images: Tensor<4>,
    expected: &[Vec<f64>],
) {
    let data = model.forward(images).into_data();
    let mut actual = data.iter::<f64>();
    let largest = expected
        .iter()
        .flatten()
        .fold(0.0, |m: f64, x| m.max(x.abs()));
    for (i, row) in expected.iter().enumerate() {
        for (class, &logit) in row.iter().enumerate() {
            let what = || format!("logit {class} of image {i} in {mode} mode");
            deviations.relative(what, actual.next(), logit, largest);
        }
    }
}
