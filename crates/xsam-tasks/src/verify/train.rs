//! Cases of kind `train`: every step of a short training, and the weights after it.

use xsam::{PassPoint, SharpnessAware, StepReport};
use xsam_models::{Model, state};

use super::Stop;
use super::case::{StepExpected, TrainCase};
use super::deviation::{Deviations, Quantity};
use xsam_lab::Place;
use xsam_lab::method::sgd;
use xsam_lab::tools::cosine;

use crate::batch::Batch;

pub(super) fn replay(
    case: &TrainCase,
    place: &Place,
    steps: &mut usize,
) -> Result<Deviations, Stop> {
    case.check()?;
    let mut model = case
        .model
        .filled(case.batches.image_size, case.seed, place)?;
    let base = sgd(case.base.momentum, case.base.weight_decay)?;
    let length = case.epochs * case.batches.count;
    // What a method draws follows from the case's seed.
    let mut optim = SharpnessAware::new(base, &case.optimizer)?
        .with_length(length as u64)
        .with_replay_dropout(case.seed);
    let batches = case.batches.filled(case.seed, case.model.classes, place)?;

    let mut deviations = Deviations::new(place.dtype, case.float32_deviation)
        .with_alpha(place.dtype, case.float32_alpha_deviation);
    let mut expected = case.expected.steps.iter();
    let mut before = None;
    for epoch in 0..case.epochs {
        let lr = cosine(case.base.lr, epoch as f64, case.epochs);
        optim.start_epoch();
        for batch in &batches {
            let loss = |m: &Model, batch: &Batch| batch.loss(m, 0.0).0;
            let (together, each) = (case.micro_batches, case.m_sharpness);
            let made = match (together, each) {
                (together, None) if optim.needs_logits() => optim
                    .step_by_logits(
                        lr,
                        model,
                        &split(batch, together.unwrap_or(1))?,
                        |m: &Model, batch: &Batch| batch.logits(m),
                        |logits, batch| batch.loss_of(logits, 0.0).0,
                    )
                    .map(|step| (step.model, step.report)),
                (together, None) if optim.needs_samples() => optim
                    .step_by_samples(
                        lr,
                        model,
                        &split(batch, together.unwrap_or(1))?,
                        |m: &Model, batch: &Batch| batch.losses(m, 0.0).0,
                        |batch, numbers| batch.chosen(numbers),
                    )
                    .map(|step| (step.model, step.report)),
                (None, None) => {
                    let earlier = before.filter(|_| optim.ascends_on_the_batch_before());
                    let earlier = earlier.unwrap_or(batch);
                    let at = |m: &Model, point| match point {
                        PassPoint::Ascent(_) => loss(m, earlier),
                        _ => loss(m, batch),
                    };
                    optim
                        .step_with_point(lr, model, at)
                        .map(|step| (step.model, step.report))
                }
                (Some(parts), None) => optim
                    .step_accumulated(lr, model, &split(batch, parts)?, loss)
                    .map(|step| (step.model, step.report)),
                (None, Some(parts)) => optim
                    .step_m_sharpness(lr, model, &split(batch, parts)?, loss)
                    .map(|step| (step.model, step.report)),
                (Some(_), Some(_)) => {
                    let message = "there are no parts of parts yet";
                    return Err(Stop::Skip(message.to_owned()));
                }
            };
            let report;
            (model, report) = made.map_err(|failure| Stop::Fail(failure.error().to_string()))?;
            *steps += 1;
            before = Some(batch);
            if let Some(expected) = expected.next() {
                compare_step(&mut deviations, *steps, &report, expected);
            }
        }
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
    let (relative, position) = (Quantity::Relative(0.0), Quantity::Position);
    let search = report.search.as_ref();
    let losses = search.map_or(&[][..], |search| &search.losses);
    let best = search.and_then(xsam::SearchReport::best);
    let highest = losses.iter().copied().reduce(f64::max);
    let refined = expected.refined.as_ref();
    let (refined_alpha, refined_loss) = refined.map(|r| (r.alpha, r.loss)).unzip();
    for (name, quantity, actual, expected) in [
        ("loss", relative, Some(report.loss), expected.loss),
        (
            "grad_norm",
            relative,
            Some(report.grad_norm),
            expected.grad_norm,
        ),
        (
            "ascent_loss",
            relative,
            report.ascent_loss,
            expected.ascent_loss,
        ),
        (
            "ascent_grad_norm",
            relative,
            report.ascent_grad_norm,
            expected.ascent_grad_norm,
        ),
        (
            "update_norm",
            relative,
            Some(report.update_norm),
            expected.update_norm,
        ),
        ("psi", Quantity::Angle, report.psi, expected.psi),
        ("alpha", position, report.alpha, expected.alpha),
        ("refined alpha", position, best, refined_alpha),
        ("refined loss", relative, highest, refined_loss),
    ] {
        let what = format_args!("{name} of step {number}");
        deviations.compare(quantity, what, actual, expected);
    }
    for (i, &loss) in expected.search_losses.iter().flatten().enumerate() {
        let what = format_args!("search_losses[{i}] of step {number}");
        deviations.compare(relative, what, losses.get(i).copied(), loss);
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
        let what = format_args!("norm of {name}");
        deviations.compare(Quantity::Relative(0.0), what, norm, expected.norm);
        let largest = values.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        for (i, &element) in expected.first.iter().enumerate() {
            let found = values.get(i).copied();
            let what = format_args!("{name}[{i}]");
            deviations.compare(Quantity::Relative(largest), what, found, element);
        }
    }
    Ok(())
}

/// A batch in equal parts, one after another.
fn split(batch: &Batch, parts: usize) -> Result<Vec<Batch>, Stop> {
    let items = batch.size();
    if parts == 0 || !items.is_multiple_of(parts) {
        let message = format!("a batch of {items} cannot be split into {parts} equal parts");
        return Err(Stop::Fail(message));
    }
    Ok(batch.parts(parts))
}
