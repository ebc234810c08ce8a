//! Cases of kind `hessian`: the spectrum of the loss at the weights.

use xsam_flatness::{
    DifferenceStep, FlatnessError, Hessian, Lanczos, LossSurface, Mode, SymmetricOperator,
    exact_moments, hutch_plus_plus,
};
use xsam_kernels::cross_entropy;
use xsam_models::{ImageClassifier, Model};

use super::Stop;
use super::case::HessianCase;
use super::deviation::Deviations;
use xsam_lab::Place;

use crate::batch::Batch;

/// Rows up to which trace and squares are computed row by row.
const EXACT: usize = 4000;

/// Products for the trace of a larger model.
const PRODUCTS: usize = 300;

pub(super) fn replay(case: &HessianCase, place: &Place) -> Result<Deviations, Stop> {
    let mode = match case.mode.as_str() {
        "eval" => Mode::Evaluation,
        "train" => Mode::Training,
        other => return Err(Stop::Fail(format!("there is no mode `{other}`"))),
    };
    let (top, lowest) = case.expected.ends()?;
    let model = case
        .model
        .filled(case.batches.image_size, case.seed, place)?;
    let sizes = &case.batches;
    let batches = sizes.filled(case.seed, case.model.classes, place)?;
    let samples = vec![sizes.batch_size; sizes.count];
    let loss = |model: &Model, i: usize| {
        let Batch { images, targets } = batches[i].clone();
        cross_entropy(model.forward(images), targets, 0.0)
    };
    let refused = |error: FlatnessError| Stop::Fail(error.to_string());
    let mut surface = LossSurface::new(&model, mode, &samples, loss).map_err(refused)?;
    let mut hessian = Hessian::new(&mut surface, None, DifferenceStep::Auto).map_err(refused)?;

    let expected = &case.expected;
    let mut deviations = Deviations::new(place.dtype, 0.0);
    if let Some(loss) = expected.loss {
        deviations.relative(|| "loss".to_owned(), Some(hessian.loss), loss, 0.0);
    }
    if let Some(parameters) = expected.parameters {
        let found = hessian.dimension() as f64;
        let what = || "number of parameters".to_owned();
        deviations.relative(what, Some(found), parameters as f64, 0.0);
    }
    if top + lowest > 0 {
        let lanczos = Lanczos {
            largest: top,
            smallest: lowest,
            max_iterations: 200,
            tolerance: 1e-5,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut hessian).map_err(refused)?.pairs;
        let largest = expected.top.first().or(expected.lowest.as_ref());
        let largest = largest.copied().unwrap_or_default();
        for (i, &value) in expected.top.iter().enumerate() {
            let what = || format!("eigenvalue {}", i + 1);
            let found = pairs.get(i).map(|pair| pair.value);
            deviations.eigenvalue(what, found, value, largest);
        }
        if let Some(value) = expected.lowest {
            let what = || "lowest eigenvalue".to_owned();
            let found = pairs.last().map(|pair| pair.value);
            deviations.eigenvalue(what, found, value, largest);
        }
    }
    if hessian.dimension() > EXACT {
        if let Some(trace) = expected.trace {
            let found = hutch_plus_plus(&mut hessian, PRODUCTS, 0).map_err(refused)?;
            deviations.sum("trace", found.value, trace);
        }
    } else if expected.trace.is_some() || expected.mean_square.is_some() {
        let moments = exact_moments(&mut hessian).map_err(refused)?;
        if let Some(trace) = expected.trace {
            deviations.sum("trace", moments.trace, trace);
        }
        if let Some(square) = expected.mean_square {
            deviations.sum("sum of the squares", moments.square, square);
        }
    }
    Ok(deviations)
}
