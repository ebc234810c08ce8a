//! A step of a run, on a whole batch or in the parts that it is split into.

use xsam::{SharpnessAware, StepFailure, StepReport};

use crate::error::Error;
use crate::spec::Spec;
use crate::task::{Hits, Task};

/// A step that has been made.
pub(crate) struct Stepped<M> {
    pub(crate) model: M,
    pub(crate) report: StepReport,
    pub(crate) hits: Hits,
}

/// A step, or why the optimizer refused it.
pub(crate) type Made<M> = Result<Stepped<M>, StepFailure<M>>;

/// Makes a step on `batch`, whose dropout `seed` decides. A step that the optimizer refuses is not an error yet.
pub(crate) fn step<T: Task>(
    task: &T,
    optim: &mut SharpnessAware,
    spec: &Spec,
    lr: f64,
    model: T::Model,
    (batch, seed): (T::Batch, u64),
) -> Result<Made<T::Model>, Error> {
    let count = spec.method.m_sharpness.unwrap_or(spec.train.micro_batches);
    if count < 2 {
        let made = optim.step(lr, model, |model: &T::Model| task.loss(model, &batch, seed));
        return match made {
            Ok(step) => Ok(Ok(Stepped {
                model: step.model,
                report: step.report,
                hits: task.hits(&batch, step.output)?,
            })),
            Err(failure) => Ok(Err(failure)),
        };
    }
    // A batch of few items has fewer parts.
    let parts = task.parts(batch, count)?.into_iter().enumerate();
    let parts = parts.map(|(i, (batch, share))| (batch, share, seed.wrapping_add(i as u64)));
    let parts: Vec<_> = parts.collect();
    // Means over the parts count each part alike: a share says how much larger one is than the others.
    let loss = |model: &T::Model, (batch, share, seed): &(T::Batch, f64, u64)| {
        let (loss, output) = task.loss(model, batch, *seed);
        (loss.mul_scalar(*share), output)
    };
    let made = match spec.method.m_sharpness {
        Some(_) => optim.step_m_sharpness(lr, model, &parts, loss),
        None => optim.step_accumulated(lr, model, &parts, loss),
    };
    let step = match made {
        Ok(step) => step,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut hits = Hits { right: 0, of: 0 };
    for ((batch, ..), output) in parts.iter().zip(step.output) {
        let part = task.hits(batch, output)?;
        hits.right += part.right;
        hits.of += part.of;
    }
    Ok(Ok(Stepped {
        model: step.model,
        report: step.report,
        hits,
    }))
}
