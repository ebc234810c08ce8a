//! Cases of kind `train`: every step of a short training, and the weights after it.

use serde_json::Value;
use xsam::{
    AsamConfig, Grid, Method, MethodConfig, SamConfig, Scaling, SearchSchedule, SgdOnlyConfig,
    SharpnessAware, StepReport, XsamConfig,
};
use xsam_models::{ImageClassifier, Model, state};

use super::Stop;
use super::case::{StepExpected, TrainCase};
use super::deviation::Deviations;
use crate::device::Place;
use crate::loss::cross_entropy;
use crate::method::sgd;
use crate::schedule::cosine;

pub(super) fn replay(
    case: &TrainCase,
    place: &Place,
    steps: &mut usize,
) -> Result<Deviations, Stop> {
    let mut model = case
        .model
        .filled(case.batches.image_size, case.seed, place)?;
    let mut optim = optimizer(case)?;

    let batches = case.batches.filled(case.seed, case.model.classes, place)?;

    let mut deviations = Deviations::new(place.dtype, case.float32_deviation);
    let mut expected = case.expected.steps.iter();
    for epoch in 0..case.epochs {
        let lr = cosine(case.base.lr, epoch as f64, case.epochs);
        optim.start_epoch();
        for batch in &batches {
            let step = optim
                .step(lr, model, |m: &Model| {
                    cross_entropy(m.forward(batch.images.clone()), batch.targets.clone())
                })
                .map_err(|failure| Stop::Fail(failure.error().to_string()))?;
            model = step.model;
            *steps += 1;
            if let Some(expected) = expected.next() {
                compare_step(&mut deviations, *steps, &step.report, expected);
            }
        }
    }
    if expected.next().is_some() {
        return Err(Stop::Fail(format!("expects more than its {steps} steps")));
    }
    compare_tensors(&mut deviations, case, &model)?;
    Ok(deviations)
}

fn compare_step(
    deviations: &mut Deviations,
    number: usize,
    report: &StepReport,
    expected: &StepExpected,
) {
    for (name, actual, expected) in [
        ("loss", Some(report.loss), expected.loss),
        ("grad_norm", Some(report.grad_norm), expected.grad_norm),
        ("ascent_loss", report.ascent_loss, expected.ascent_loss),
        (
            "ascent_grad_norm",
            report.ascent_grad_norm,
            expected.ascent_grad_norm,
        ),
        (
            "update_norm",
            Some(report.update_norm),
            expected.update_norm,
        ),
    ] {
        if let Some(expected) = expected {
            let what = || format!("{name} of step {number}");
            deviations.relative(what, actual, expected, 0.0);
        }
    }
    if let Some(psi) = expected.psi {
        deviations.angle(|| format!("psi of step {number}"), report.psi, psi);
    }
    if let Some(alpha) = expected.alpha {
        deviations.position(|| format!("alpha of step {number}"), report.alpha, alpha);
    }
    if let Some(losses) = &expected.search_losses {
        let actual = report.search.as_ref().map(|search| &search.losses);
        for (i, &loss) in losses.iter().enumerate() {
            let actual = actual.and_then(|losses| losses.get(i).copied());
            let what = || format!("search_losses[{i}] of step {number}");
            deviations.relative(what, actual, loss, 0.0);
        }
    }
}

/// Elements are compared in relation to the largest of their tensor, as logits are: one that happens
/// to be near zero is not held to a finer standard. (In single precision a ReLU whose input is all
/// but zero may switch, and then the gradient jumps by some 1e-5 of its norm while the loss does not.)
fn compare_tensors(
    deviations: &mut Deviations,
    case: &TrainCase,
    model: &Model,
) -> Result<(), Stop> {
    let tensors = state::values(model);
    for (name, expected) in &case.expected.tensors {
        let Some((_, values)) = tensors.iter().find(|(entry, _)| entry.name == *name) else {
            return Err(Stop::Fail(format!("the model has no tensor `{name}`")));
        };
        let norm = values.iter().map(|x| x * x).sum::<f64>().sqrt();
        deviations.relative(|| format!("norm of {name}"), Some(norm), expected.norm, 0.0);
        let largest = values.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        for (i, &element) in expected.first.iter().enumerate() {
            let what = || format!("{name}[{i}]");
            deviations.relative(what, values.get(i).copied(), element, largest);
        }
    }
    Ok(())
}

fn optimizer(case: &TrainCase) -> Result<SharpnessAware, Stop> {
    let base = sgd(case.base.momentum, case.base.weight_decay)
        .map_err(|error| Stop::Fail(error.to_string()))?;
    Ok(SharpnessAware::from_method(base, method(case)?))
}

fn method(case: &TrainCase) -> Result<Box<dyn Method>, Stop> {
    let optimizer = &case.optimizer;
    let (rho, steps) = (optimizer.rho, optimizer.ascent_steps);
    let scaling = scaling(&optimizer.adaptive)?;
    let method = match optimizer.method.as_str() {
        "sgd" => SgdOnlyConfig::new().build(),
        "sam" if scaling == Scaling::None => {
            let config = SamConfig::new().with_rho(rho);
            config.with_ascent_steps(steps).build()
        }
        "sam" | "asam" => {
            let config = AsamConfig::new().with_rho(rho).with_scaling(scaling);
            config.with_ascent_steps(steps).build()
        }
        "xsam" => {
            let config = XsamConfig::new().with_rho(rho).with_scaling(scaling);
            let mut config = config.with_ascent_steps(steps);
            if let Some(rho_max) = optimizer.rho_max {
                config = config.with_rho_max(rho_max);
            }
            if optimizer.dynamic {
                let grid = Grid::new(optimizer.alphas.clone());
                let grid = grid.map_err(|error| Stop::Fail(error.to_string()))?;
                config = config
                    .with_grid(grid)
                    .with_search(SearchSchedule::EveryEpoch);
            } else {
                config = config.with_alpha(optimizer.alpha.unwrap_or(1.0));
            }
            config.build()
        }
        other => return Err(Stop::Skip(format!("there is no method `{other}` yet"))),
    };
    method.map_err(|error| Stop::Fail(error.to_string()))
}

fn scaling(adaptive: &Value) -> Result<Scaling, Stop> {
    match adaptive {
        Value::Null | Value::Bool(false) => Ok(Scaling::None),
        Value::Bool(true) => Ok(Scaling::Elementwise),
        Value::String(name) if name == "elementwise" => Ok(Scaling::Elementwise),
        Value::String(name) if name == "weights" => Ok(Scaling::Weights),
        other => Err(Stop::Skip(format!(
            "there is no adaptive ascent {other} yet"
        ))),
    }
}
