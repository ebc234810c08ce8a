//! Cases of kind `hessian`: the spectrum of the loss at the weights.

use xsam_flatness::{
    DifferenceStep, Hessian, Lanczos, LossSurface, Mode, SymmetricOperator, exact_moments,
    hutch_plus_plus,
};
use xsam_lab::Place;
use xsam_models::Model;

use super::Stop;
use super::case::HessianCase;
use super::deviation::{Deviations, Quantity};

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
    let loss = |model: &Model, i: usize| batches[i].loss(model, 0.0).0;
    let mut surface = LossSurface::new(&model, mode, &samples, loss)?;
    let mut hessian = Hessian::new(&mut surface, None, DifferenceStep::Auto)?;

    let expected = &case.expected;
    let mut deviations = Deviations::new(place.dtype, 0.0);
    let (relative, what) = (Quantity::Relative(0.0), format_args!("loss"));
    deviations.compare(relative, what, hessian.loss, expected.loss);
    let (what, found) = (format_args!("parameters"), hessian.dimension() as f64);
    deviations.compare(relative, what, found, expected.parameters);
    if top + lowest > 0 {
        let lanczos = Lanczos {
            largest: top,
            smallest: lowest,
            max_iterations: 200,
            tolerance: 1e-5,
            ..Lanczos::default()
        };
        let pairs = lanczos.run(&mut hessian)?.pairs;
        let largest = expected.top.first().or(expected.lowest.as_ref());
        let quantity = Quantity::Eigenvalue(largest.copied().unwrap_or_default());
        for (i, &value) in expected.top.iter().enumerate() {
            let found = pairs.get(i).map(|pair| pair.value);
            deviations.compare(quantity, format_args!("eigenvalue {}", i + 1), found, value);
        }
        let (what, found) = (format_args!("lowest eigenvalue"), pairs.last());
        let found = found.map(|pair| pair.value);
        deviations.compare(quantity, what, found, expected.lowest);
    }
    let (sum, trace) = (Quantity::Sum, format_args!("trace"));
    if hessian.dimension() > EXACT {
        if expected.trace.is_some() {
            let found = hutch_plus_plus(&mut hessian, PRODUCTS, 0)?;
            deviations.compare(sum, trace, found.value, expected.trace);
        }
    } else if expected.trace.is_some() || expected.mean_square.is_some() {
        let moments = exact_moments(&mut hessian)?;
        deviations.compare(sum, trace, moments.trace, expected.trace);
        let what = format_args!("sum of the squares");
        deviations.compare(sum, what, moments.square, expected.mean_square);
    }
    Ok(deviations)
}
