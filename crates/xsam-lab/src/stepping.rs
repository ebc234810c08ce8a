//! A step of a run, on a whole batch or in the parts that it is split into.

use xsam::{SharpnessAware, StepFailure, StepReport};

use crate::error::Error;
use crate::score::Tally;
use crate::spec::Spec;
use crate::task::Task;
use crate::watch::Watch;

/// A step that has been made.
pub(crate) struct Stepped<M> {
    pub(crate) model: M,
    pub(crate) report: StepReport,
    /// What was counted of the batch at the weights.
    pub(crate) tally: Tally,
}

impl<M> Stepped<M> {
    fn new(model: M, report: StepReport, mut tally: Tally) -> Self {
        tally.loss = report.loss * tally.items as f64;
        Self {
            model,
            report,
            tally,
        }
    }
}

/// A step, or why the optimizer refused it.
pub(crate) type Made<M> = Result<Stepped<M>, StepFailure<M>>;

/// Makes a step on `batch`, whose dropout `seed` decides. A step that the optimizer refuses is not an error yet.
pub(crate) fn step<T: Task>(
    (task, watch): (&T, &dyn Watch<T>),
    optim: &mut SharpnessAware,
    spec: &Spec<T::Spec>,
    lr: f64,
    model: T::Model,
    (batch, seed): (T::Batch, u64),
) -> Result<Made<T::Model>, Error> {
    let count = spec.train.m_sharpness.unwrap_or(spec.train.micro_batches);
    if count < 2 {
        let made = optim.step(lr, model, |model: &T::Model| {
            watch.loss(task, model, &batch, seed)
        });
        return match made {
            Ok(step) => {
                let tally = task.tally(&batch, step.output)?;
                Ok(Ok(Stepped::new(step.model, step.report, tally)))
            }
            Err(failure) => Ok(Err(failure)),
        };
    }
    // A batch of few items has fewer parts.
    let parts = task.parts(batch, count)?.into_iter().enumerate();
    let parts = parts.map(|(i, (batch, share))| (batch, share, seed.wrapping_add(i as u64)));
    let parts: Vec<_> = parts.collect();
    // Means over the parts count each part alike: a share says how much larger one is than the others.
    let loss = |model: &T::Model, (batch, share, seed): &(T::Batch, f64, u64)| {
        let (loss, output) = watch.loss(task, model, batch, *seed);
        (loss.mul_scalar(*share), output)
    };
    let made = match spec.train.m_sharpness {
        Some(_) => optim.step_m_sharpness(lr, model, &parts, loss),
        None => optim.step_accumulated(lr, model, &parts, loss),
    };
    let step = match made {
        Ok(step) => step,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut tally = Tally::default();
    for ((batch, ..), output) in parts.iter().zip(step.output) {
        tally.add(&task.tally(batch, output)?);
    }
    Ok(Ok(Stepped::new(step.model, step.report, tally)))
}
