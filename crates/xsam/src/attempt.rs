//! A step in the making: all of it but the base optimizer's part.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::GradientCheckpointingStrategy;

use crate::collective::Ranks;
use crate::error::StepError;
use crate::loss_scale::LossScale;
use crate::method::parameters;
use crate::method::{Before, Context, Method};
use crate::number::Number;
use crate::objective::{BatchObjective, Passes};
use crate::pass::{LossOutput, Pass, Whole};
use crate::random::Randomness;
use crate::readings::Readings;
use crate::report::StepReport;
use crate::sharpness_aware::SharpnessAware;
use crate::update::Update;

/// Works on copies of all that a step may change, so that one that fails leaves no trace.
pub(crate) struct Attempt<'a> {
    optim: &'a SharpnessAware,
    changed: Changed,
    ranks: Option<Ranks<'a>>,
    strategy: GradientCheckpointingStrategy,
    lr: f64,
    rho_factor: f64,
    readings: Readings,
}

/// What a step may change of the optimizer, besides the base optimizer's state.
pub(crate) struct Changed {
    pub(crate) method: Box<dyn Method>,
    pub(crate) loss_scale: Option<LossScale>,
    pub(crate) randomness: Randomness,
}

/// A step before the base optimizer's part.
pub(crate) struct Ready<M, O> {
    /// The model as it was handed in, with the statistics of the pass at the weights.
    pub(crate) model: M,
    pub(crate) output: O,
    pub(crate) update: Update,
    pub(crate) report: StepReport<Number>,
    /// What clipping multiplied gradients with.
    pub(crate) factors: Vec<Number>,
    pub(crate) changed: Changed,
}

impl<'a> Attempt<'a> {
    /// At a step of `optim` on `model`, which reads its numbers so.
    pub(crate) fn of<M: Module>(
        optim: &'a SharpnessAware,
        lr: &ModuleLearningRate,
        model: &M,
        readings: Readings,
    ) -> Result<Self, StepError> {
        let lr = lr.base();
        let begun = Self::begun(optim, lr, model);
        let mut ranks = optim
            .ranks
            .as_ref()
            .map(|(collective, over)| Ranks::of(&**collective, *over, model));
        let (strategy, mut randomness) = match &mut ranks {
            Some(ranks) => begun.map_err(|error| ranks.leave(error))?,
            None => begun?,
        };
        if let (Some(ranks), false) = (&mut ranks, optim.met) {
            randomness = ranks.begin(model, randomness)?;
        }
        Ok(Self {
            lr,
            rho_factor: optim.rho_schedule.factor(lr),
            readings,
            ranks,
            strategy,
            changed: Changed {
                randomness,
                method: optim.method.boxed(),
                loss_scale: optim.loss_scale,
            },
            optim,
        })
    }

    fn begun<M: Module>(
        optim: &SharpnessAware,
        lr: f64,
        model: &M,
    ) -> Result<(GradientCheckpointingStrategy, Randomness), StepError> {
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(StepError::LearningRate(lr));
        }
        let strategy = parameters::checkpointing(model).ok_or(StepError::NotAutodiff)?;
        optim.check_parameters(model)?;
        Ok((strategy, optim.randomness.begun(model)?))
    }

    /// With one ascent for the whole batch.
    pub(crate) fn whole<M: Module, P: Pass<M>>(
        mut self,
        model: &M,
        pass: &mut P,
    ) -> Result<Ready<M, P::Output>, StepError> {
        let part = self.part(model, model, pass, (0, 1));
        self.ready(part)
    }

    /// With an ascent for each part of the batch.
    pub(crate) fn each<M, B, F, L>(
        mut self,
        model: &M,
        parts: &[B],
        loss: F,
    ) -> Result<Ready<M, Vec<L::Output>>, StepError>
    where
        M: Module,
        F: FnMut(&M, &B) -> L,
        L: LossOutput,
    {
        let part = self.parts(model, parts, loss);
        self.ready(part)
    }

    /// The method's work on each of several parts, and what it comes to on their average.
    fn parts<M, B, F, L>(
        &mut self,
        model: &M,
        parts: &[B],
        mut loss: F,
    ) -> Result<Part<M, Vec<L::Output>>, StepError>
    where
        M: Module,
        F: FnMut(&M, &B) -> L,
        L: LossOutput,
    {
        let share = 1.0 / parts.len() as f64;
        let mut outputs = Vec::with_capacity(parts.len());
        let (mut counted, mut update) = (None, Update::default());
        let mut report = StepReport::default();
        for (i, batch) in parts.iter().enumerate() {
            let mut pass = Whole(|model: &M, _| loss(model, batch));
            let begin = counted.as_ref().unwrap_or(model);
            let part = self.part(model, begin, &mut pass, (i, parts.len()))?;
            outputs.push(part.output);
            counted = Some(part.counted);
            update = update.plus(part.update, share);
            report = report.plus(part.report, share);
        }
        let counted = counted.ok_or(StepError::NoMicroBatch)?;
        report.passes = report.passes.over(parts.len());
        Ok(Part {
            counted,
            output: outputs,
            update,
            report,
        })
    }

    /// The method's work on a batch or a part of one; the statistics go on from those of `counted`.
    fn part<M: Module, P: Pass<M>>(
        &mut self,
        model: &M,
        counted: &M,
        pass: &mut P,
        (part, parts): (usize, usize),
    ) -> Result<Part<M, P::Output>, StepError> {
        let number = self.optim.steps;
        let seed = self.changed.randomness.of_step(number);
        let seed = seed.wrapping_add(part as u64);
        // Parts are numbered over all ranks.
        let masks = self.ranks.as_ref().map_or(0, Ranks::rank) * parts + part;
        let mut objective = BatchObjective {
            model,
            pass,
            replay: self.changed.randomness.replay(model, number, masks),
            strategy: self.strategy,
            scale: &mut self.changed.loss_scale,
            readings: self.readings.clone(),
            ranks: self.ranks.as_mut(),
            point: None,
            ascents: 0,
            passes: Passes::default(),
        };
        // The pass that counts has statistics of its own too: if the step fails, those of `model`
        // must be as they were.
        let before = Before {
            rho_factor: self.rho_factor,
            lr: self.lr,
            seed,
            weights: &|| parameters::trained_weights(model),
        };
        let offset = self.changed.method.offset(&before);
        let off = offset
            .as_ref()
            .map(|(length, vector)| (length.clone(), vector));
        let (counted, start, output) = objective.first(counted, off)?;
        drop(offset);
        let mut step = Context {
            rho_factor: self.rho_factor,
            number,
            length: self.optim.length,
            seed,
            part,
            parts,
            readings: self.readings.clone(),
            ..Context::new(&mut objective)
        };
        (step.report.loss, step.report.grad_norm) = (start.loss.clone(), start.norm.clone());
        let mut update = self.changed.method.update(start, &mut step)?;
        let mut report = step.report;
        report.passes = objective.passes;
        if let Some(ranks) = &mut self.ranks {
            (update, report) = ranks.update(update, report)?;
        }
        Ok(Part {
            counted,
            output,
            update,
            report,
        })
    }

    /// What is left for the base optimizer. Of several ranks all come here, with a part or with an error, and all go on or none.
    fn ready<M, O>(
        mut self,
        part: Result<Part<M, O>, StepError>,
    ) -> Result<Ready<M, O>, StepError> {
        let mut ready = part.and_then(|part| {
            let mut report = part.report;
            let limit = self.optim.clip_norm;
            let (update, factors) = part.update.clipped(limit, &mut report, &self.readings)?;
            Ok(Ready {
                model: part.counted,
                output: part.output,
                update,
                report,
                factors,
                changed: self.changed,
            })
        });
        if let Some(ranks) = &mut self.ranks {
            ready = ranks.end(ready, |ready| &mut ready.changed.loss_scale);
        }
        ready.map(|mut ready| {
            let scale = ready.changed.loss_scale;
            ready.report.loss_scale = scale.map(|scale| scale.scale());
            ready
        })
    }
}

/// What the method made of a batch, or of a part of one.
struct Part<M, O> {
    counted: M,
    output: O,
    update: Update,
    report: StepReport<Number>,
}
