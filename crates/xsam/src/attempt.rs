//! A step in the making: all of it but the base optimizer's part.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::GradientCheckpointingStrategy;

use crate::error::StepError;
use crate::loss_scale::LossScale;
use crate::method::parameters;
use crate::method::{Context, Method};
use crate::objective::BatchObjective;
use crate::pass::{LossOutput, Pass, Whole};
use crate::random::Randomness;
use crate::report::StepReport;
use crate::sharpness_aware::SharpnessAware;
use crate::update::Update;

/// Works on copies of all that a step may change, so that one that fails leaves no trace.
pub(crate) struct Attempt<'a> {
    optim: &'a SharpnessAware,
    method: Box<dyn Method>,
    loss_scale: Option<LossScale>,
    randomness: Randomness,
    strategy: GradientCheckpointingStrategy,
    rho_factor: f64,
}

/// A step before the base optimizer's part.
pub(crate) struct Ready<M, O> {
    /// The model as it was handed in, with the statistics of the pass at the weights.
    pub(crate) model: M,
    pub(crate) output: O,
    pub(crate) update: Update,
    pub(crate) method: Box<dyn Method>,
    pub(crate) loss_scale: Option<LossScale>,
    pub(crate) randomness: Randomness,
    pub(crate) report: StepReport,
}

impl<'a> Attempt<'a> {
    /// At a step of `optim` on `model`.
    pub(crate) fn of<M: Module>(
        optim: &'a SharpnessAware,
        lr: &ModuleLearningRate,
        model: &M,
    ) -> Result<Self, StepError> {
        let rho_factor = optim.rho_factor(lr)?;
        let strategy = parameters::checkpointing(model).ok_or(StepError::NotAutodiff)?;
        optim.check_parameters(model)?;
        Ok(Self {
            rho_factor,
            strategy,
            randomness: optim.randomness.begun(model)?,
            method: optim.method.boxed(),
            loss_scale: optim.loss_scale,
            optim,
        })
    }

    /// With one ascent for the whole batch.
    pub(crate) fn whole<M: Module, P: Pass<M>>(
        mut self,
        model: &M,
        pass: &mut P,
    ) -> Result<Ready<M, P::Output>, StepError> {
        let part = self.part(model, model, pass, (0, 1))?;
        self.ready(part.counted, part.output, part.update, part.report)
    }

    /// With an ascent for each part of the batch.
    pub(crate) fn each<M, B, F, L>(
        mut self,
        model: &M,
        parts: &[B],
        mut loss: F,
    ) -> Result<Ready<M, Vec<L::Output>>, StepError>
    where
        M: Module,
        F: FnMut(&M, &B) -> L,
        L: LossOutput,
    {
        let share = 1.0 / parts.len() as f64;
        let mut outputs = Vec::with_capacity(parts.len());
        let mut sum: Option<(M, Update, StepReport)> = None;
        for (i, batch) in parts.iter().enumerate() {
            let (counted, so_far) = match sum {
                Some((counted, update, report)) => (Some(counted), Some((update, report))),
                None => (None, None),
            };
            let mut pass = Whole(|model: &M, _| loss(model, batch));
            let begin = counted.as_ref().unwrap_or(model);
            let part = self.part(model, begin, &mut pass, (i, parts.len()))?;
            outputs.push(part.output);
            let (update, report) = so_far.unzip();
            sum = Some((
                part.counted,
                Update::plus(update, part.update, share),
                StepReport::plus(report, part.report, share),
            ));
        }
        let (counted, update, mut report) = sum.ok_or(StepError::NoMicroBatch)?;
        report.passes = report.passes.over(parts.len());
        self.ready(counted, outputs, update, report)
    }

    /// The method's work on a batch or a part of one; the statistics go on from those of `counted`.
    fn part<M: Module, P: Pass<M>>(
        &mut self,
        model: &M,
        counted: &M,
        pass: &mut P,
        (part, parts): (usize, usize),
    ) -> Result<Part<M, P::Output>, StepError> {
        let replay = self.randomness.replay(model, self.optim.steps, part);
        let scale = &mut self.loss_scale;
        let mut objective = BatchObjective::new(model, pass, replay, self.strategy, scale);
        // The pass that counts has statistics of its own too: if the step fails, those of `model`
        // must be as they were.
        let (counted, start, output) = objective.first(counted)?;
        let mut report = StepReport::at(&start);
        let context = Context {
            rho_factor: self.rho_factor,
            step: self.optim.steps,
            part,
            parts,
        };
        let update = self
            .method
            .update(start, &mut objective, &context, &mut report)?;
        report.passes = objective.passes;
        Ok(Part {
            counted,
            output,
            update,
            report,
        })
    }

    fn ready<M, O>(
        self,
        model: M,
        output: O,
        update: Update,
        mut report: StepReport,
    ) -> Result<Ready<M, O>, StepError> {
        report.loss_scale = self.loss_scale.map(|scale| scale.scale());
        Ok(Ready {
            model,
            output,
            update: update.clipped(self.optim.clip_norm, &mut report)?,
            method: self.method,
            loss_scale: self.loss_scale,
            randomness: self.randomness,
            report,
        })
    }
}

impl SharpnessAware {
    /// What rho is multiplied with at this learning rate.
    pub(crate) fn rho_factor(&self, lr: &ModuleLearningRate) -> Result<f64, StepError> {
        let base_lr = lr.base();
        match base_lr.is_finite() && base_lr >= 0.0 {
            true => Ok(self.rho_schedule.factor(base_lr)),
            false => Err(StepError::LearningRate(base_lr)),
        }
    }
}

/// What the method made of a batch, or of a part of one.
struct Part<M, O> {
    counted: M,
    output: O,
    update: Update,
    report: StepReport,
}
