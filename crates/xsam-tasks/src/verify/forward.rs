//! Cases of kind `forward`: logits of a batch.

use burn::module::Module;
use xsam_lab::Place;
use xsam_models::ImageClassifier;

use super::Stop;
use super::case::{Batches, ForwardCase};
use super::deviation::{Deviations, Quantity};

/// Logits are compared in relation to the largest of them.
pub(super) fn replay(case: &ForwardCase, place: &Place) -> Result<Deviations, Stop> {
    let model = case.model.filled(case.image_size, case.seed, place)?;
    let batches = Batches {
        count: 1,
        batch_size: case.batch_size,
        image_size: case.image_size,
    };
    let mut deviations = Deviations::new(place.dtype, case.float32_deviation);
    for (mode, model, place, expected) in [
        (
            "eval",
            model.valid(),
            &place.inner(),
            &case.expected.logits_eval,
        ),
        ("train", model.no_grad(), place, &case.expected.logits_train),
    ] {
        let Some(expected) = expected else {
            continue;
        };
        let largest = expected.iter().flatten();
        let largest = largest.fold(0.0, |most: f64, x| most.max(x.abs()));
        for batch in batches.filled(case.seed, case.model.classes, place)? {
            let logits = model.forward(batch.images).into_data();
            let mut actual = logits.iter::<f64>();
            for (i, row) in expected.iter().enumerate() {
                for (class, &logit) in row.iter().enumerate() {
                    let what = format_args!("logit {class} of image {i} in {mode} mode");
                    deviations.compare(Quantity::Relative(largest), what, actual.next(), logit);
                }
            }
        }
    }
    Ok(deviations)
}
