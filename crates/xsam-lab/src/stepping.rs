//! A step of a run, on a whole batch or in the parts that it is split into.

use xsam::{PassPoint, SharpnessAware, StepFailure, StepReport};

use crate::error::Error;
use crate::ranks::Ranks;
use crate::spec::{Spec, TrainSpec};
use crate::tally::Tally;
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
    fn new(model: M, report: StepReport, tally: Tally) -> Self {
        Self {
            model,
            tally: tally.with_mean_loss(report.loss),
            report,
        }
    }
}

/// A step, or why the optimizer refused it.
pub(crate) type Made<M> = Result<Stepped<M>, StepFailure<M>>;

/// Makes a step on `batch`, whose dropout `seed` decides; of several `ranks` each on its share. A step that the optimizer
/// refuses is not an error yet. A method that ascends on the batch before finds it in `before`, and leaves its own there.
pub(crate) fn step<T: Task>(
    (task, watch): (&T, &dyn Watch<T>),
    optim: &mut SharpnessAware,
    spec: &Spec<T::Spec>,
    lr: f64,
    model: T::Model,
    (batch, before, seed): (T::Batch, &mut Option<Parts<T::Batch>>, u64),
    ranks: &Ranks,
) -> Result<Made<T::Model>, Error> {
    let in_two = T::by_logits().filter(|_| optim.needs_logits());
    let by_samples = T::by_samples().filter(|_| optim.needs_samples());
    let keeps = optim.ascends_on_the_batch_before();
    let tells_more = in_two.is_some() || by_samples.is_some() || keeps;
    if is_whole(&spec.train, ranks) && !tells_more {
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
    let parts = Parts::of(task, batch, &spec.train, keeps, ranks)?;
    let of = |part: &Part| {
        let seed = seed.wrapping_add(part.number as u64);
        (&parts.batches[part.batch], seed)
    };
    // Means over the parts count each part alike: a share says how much larger one is than the others.
    let weighed = |model: &T::Model, (batch, seed): (&T::Batch, u64), share: f64| {
        let (loss, output) = ranks.pass(share > 0.0, || watch.loss(task, model, batch, seed));
        (loss.mul_scalar(share), output)
    };
    let loss = |model: &T::Model, part: &Part| weighed(model, of(part), part.share);
    let made = match (in_two, by_samples, spec.train.m_sharpness) {
        (Some(in_two), ..) => {
            let logits = |model: &T::Model, part: &Part| {
                let (batch, seed) = of(part);
                let pass = || watch.logits((task, &in_two), model, batch, seed);
                ranks.pass(part.share > 0.0, pass)
            };
            let loss = |logits, part: &Part| {
                let (loss, output) = (in_two.loss)(task, logits, of(part).0);
                (loss.mul_scalar(part.share), output)
            };
            optim.step_by_logits(lr, model, &parts.parts, logits, loss)
        }
        (None, Some(by_samples), _) => {
            let samples = |part: &Part| {
                let (batch, seed) = of(part);
                let (share, batch) = (part.share, Taken::Whole(batch));
                Samples { batch, share, seed }
            };
            let samples: Vec<Samples<'_, T::Batch>> = parts.parts.iter().map(samples).collect();
            let losses = |model: &T::Model, samples: &Samples<'_, T::Batch>| {
                let (batch, share, seed) = (samples.batch.get(), samples.share, samples.seed);
                let pass = || watch.losses((task, &by_samples), model, batch, seed);
                let (losses, output) = ranks.pass(share > 0.0, pass);
                (losses.mul_scalar(share), output)
            };
            let chosen = |of: &Samples<'_, T::Batch>, numbers: &[usize]| Samples {
                batch: Taken::Some((by_samples.chosen)(task, of.batch.get(), numbers)),
                ..*of
            };
            optim.step_by_samples(lr, model, &samples, losses, chosen)
        }
        (None, None, Some(_)) => optim.step_m_sharpness(lr, model, &parts.parts, loss),
        (None, None, None) if keeps => {
            let earlier = before.as_ref().unwrap_or(&parts);
            let pairs: Vec<_> = parts.parts.iter().zip(&earlier.parts).collect();
            let loss = |model: &T::Model, (part, earlier_part): &(&Part, &Part), point| match point
            {
                PassPoint::Ascent(_) => {
                    let batch = &earlier.batches[earlier_part.batch];
                    weighed(model, (batch, of(part).1), earlier_part.share)
                }
                _ => loss(model, part),
            };
            optim.step_accumulated_with_point(lr, model, &pairs, loss)
        }
        (None, None, None) => optim.step_accumulated(lr, model, &parts.parts, loss),
    };
    let step = match made {
        Ok(step) => step,
        Err(failure) => return Ok(Err(failure)),
    };
    ranks.check_batch_norm()?;
    let mut tally = Tally::default();
    for (part, output) in parts.parts.iter().zip(step.output) {
        if part.share > 0.0 {
            tally.add(&task.tally(&parts.batches[part.batch], output)?)?;
        }
    }
    if ranks.size() > 1 {
        let totals = ranks.totals(Some(tally.read()?), &T::scores())?;
        tally = totals.unwrap_or_default().into();
    }
    *before = keeps.then_some(parts);
    Ok(Ok(Stepped::new(step.model, step.report, tally)))
}

/// Whether nothing splits a batch: neither ranks nor the spec.
fn is_whole(train: &TrainSpec, ranks: &Ranks) -> bool {
    ranks.parts(train) * ranks.size() < 2
}

/// What a rank has of a batch.
pub(crate) struct Parts<B> {
    batches: Vec<B>,
    parts: Vec<Part>,
}

impl<B> Parts<B> {
    /// Of a batch that is split as the spec says, and over the ranks. All batches have as many parts if they are `paired`.
    pub(crate) fn of<T: Task<Batch = B>>(
        task: &T,
        batch: B,
        train: &TrainSpec,
        paired: bool,
        ranks: &Ranks,
    ) -> Result<Self, Error> {
        match is_whole(train, ranks) {
            true => Ok(Self::whole(batch)),
            false => split(task, batch, (ranks.parts(train), paired), ranks),
        }
    }

    fn whole(batch: B) -> Self {
        let all = Part {
            batch: 0,
            share: 1.0,
            number: 0,
        };
        Self {
            batches: vec![batch],
            parts: vec![all],
        }
    }
}

struct Part {
    /// Which of the rank's batches it is.
    batch: usize,
    /// Its size, over that of an average part.
    share: f64,
    /// Which part of the whole batch it is.
    number: usize,
}

/// The samples of a part, or some of them.
struct Samples<'a, B> {
    batch: Taken<'a, B>,
    /// The size of the part, over that of an average part.
    share: f64,
    seed: u64,
}

/// A batch, or one that was made of some of its samples.
enum Taken<'a, B> {
    Whole(&'a B),
    Some(B),
}

impl<B> Taken<'_, B> {
    fn get(&self) -> &B {
        match self {
            Self::Whole(batch) => batch,
            Self::Some(batch) => batch,
        }
    }
}

/// The parts of `batch` that this rank has, `own` of them. A batch of few items has fewer parts. Every rank makes as many
/// passes as the others all the same, and over every batch if they are `paired`: where it has no part left, over one that
/// counts for nothing.
fn split<T: Task>(
    task: &T,
    batch: T::Batch,
    (own, paired): (usize, bool),
    ranks: &Ranks,
) -> Result<Parts<T::Batch>, Error> {
    let padded = paired || ranks.size() > 1;
    let all = own * ranks.size();
    let mut found = task.parts(batch, all)?;
    let (count, first) = (found.len(), ranks.rank() * own);
    let of_others = found.split_off((first + own).min(count));
    let mine = found.split_off(first.min(found.len()));
    // Shares are of an average part of those that there are; means over ranks are of as many as there should be.
    let scale = match padded {
        false => 1.0,
        true => all as f64 / count as f64,
    };
    let mut parts: Vec<Part> = mine
        .iter()
        .enumerate()
        .map(|(i, (_, share))| Part {
            batch: i,
            share: share * scale,
            number: first + i,
        })
        .collect();
    let mut batches: Vec<T::Batch> = mine.into_iter().map(|(batch, _)| batch).collect();
    if padded {
        let spare = || {
            found
                .into_iter()
                .chain(of_others)
                .map(|(batch, _)| batch)
                .next()
        };
        if batches.is_empty() {
            batches.extend(spare());
        }
        let padding = (parts.len()..own).map(|i| Part {
            batch: 0,
            share: 0.0,
            number: first + i,
        });
        let padding: Vec<Part> = padding.filter(|_| !batches.is_empty()).collect();
        parts.extend(padding);
    }
    Ok(Parts { batches, parts })
}
