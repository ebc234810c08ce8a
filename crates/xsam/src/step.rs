//! A step of the optimizer: on a whole batch or on its parts, of a model that is handed over or of one in its place.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Device;

use crate::attempt::{Attempt, Changed, Ready};
use crate::error::{PassPoint, StepError, StepFailure};
use crate::number::Number;
use crate::pass::{LossOutput, Parts, Whole};
use crate::read;
use crate::readings::{ReadBacks, Readings};
use crate::report::StepReport;
use crate::sharpness_aware::SharpnessAware;

/// The outcome of a step that succeeded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<M, O = ()> {
    /// The model with its new weights; `()` where the caller's own has them.
    pub model: M,
    /// The closure's output of the first pass, the one at the weights that were handed in.
    pub output: O,
    /// What the method measured on the way.
    pub report: StepReport,
}

impl SharpnessAware {
    /// One step: `model` with new weights, what `loss` returned at the old ones, and a report.
    ///
    /// `lr` is a learning rate or one for each parameter group. `loss` is the forward pass: it gets
    /// a model and returns the mean loss of a batch, a tracked tensor of one element, or a pair of
    /// that and any output. It is called once at the weights of `model`, and then as often as the
    /// method asks (see the method's config), at other weights but always in training mode. The call
    /// at the weights, and no other, updates running statistics (batch norm). The model is on an
    /// autodiff device; frozen and unused parameters stay as they are.
    ///
    /// # Random numbers
    ///
    /// All passes of a step draw the same numbers from the device's generator, so that dropout masks are the same and the
    /// loss is one function: a search compares losses, not masks. The next step has others. Unless
    /// [`with_fresh_dropout`](Self::with_fresh_dropout) says otherwise the generator is seeded before every pass, by the
    /// step's number and one that the first step draws from it. So [`Device::seed`](burn::tensor::Device::seed) before
    /// the first step decides all masks, and seeding it later does not; or the seed of
    /// [`with_replay_dropout`](Self::with_replay_dropout) does. The number is in the record: a resumed run has the masks
    /// of an uninterrupted one.
    ///
    /// It is the generator of the whole device. What a loop draws from it between steps follows from that number, too,
    /// and other threads that draw from it during a step spoil the replay. Random numbers of the closure's own, from a
    /// generator that it has captured, are its own affair: drawn inside the closure they differ from pass to
    /// pass and a search compares them; draw them, and augment the batch, before the step.
    ///
    /// # Other modules in the loss
    ///
    /// Only of `model` are running statistics kept as said. Those of a module that the closure captures are moved by
    /// every pass: hand it in as well, see [`Accompanied`](crate::Accompanied).
    ///
    /// # Read-backs
    ///
    /// From any device but the processor one at the end of the step, for all its numbers together, and one in a step that searches;
    /// [`ReadBacks`](crate::ReadBacks) says more. One more in the first step, for the number that decides the masks. In a step that
    /// turns out otherwise than is taken for granted, at a gradient of zero or a loss that is not finite, `loss` runs again from the
    /// beginning, and every number is read at once.
    ///
    /// # Errors
    /// [`StepFailure`] holds the model as it was handed in; the optimizer is unchanged, too. It
    /// converts into [`StepError`](crate::StepError) with `?`. The cases: a loss or gradient that is not finite, a
    /// loss that is not a tracked scalar, no gradient at all, a model without autodiff, a learning
    /// rate out of range, a mask that matches nothing, a record of another model's parameters, a device that
    /// fails.
    pub fn step<M, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        loss: F,
    ) -> Result<Step<M, L::Output>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M) -> L,
        L: LossOutput,
    {
        let mut loss = loss;
        self.step_with_point(lr, model, |model, _| loss(model))
    }

    /// As [`step`](Self::step), with a `loss` that is told at which [`PassPoint`] it is run: at the weights, at an ascent point
    /// or at a candidate of a search.
    ///
    /// So the ascent can be on one batch and the descent on another, and what is counted once a step is counted in the
    /// pass at the weights:
    ///
    /// ```
    /// # use burn::nn::{Linear, LinearConfig};
    /// # use burn::optim::SgdConfig;
    /// # use burn::tensor::{Device, Distribution, Tensor};
    /// use xsam::{PassPoint, SamConfig, SharpnessAware};
    ///
    /// # let device = Device::flex().autodiff();
    /// # let model = LinearConfig::new(4, 1).init(&device);
    /// # let random = || Tensor::<2>::random([8, 4], Distribution::Default, &device);
    /// let (ascent, descent) = (random(), random());
    /// let mut examples = 0;
    /// let mut optim = SharpnessAware::new(SgdConfig::new().init(), SamConfig::new())?;
    /// let step = optim.step_with_point(0.1, model, |m: &Linear, point| {
    ///     let batch = match point {
    ///         PassPoint::Weights => {
    ///             examples += 8;
    ///             &ascent
    ///         }
    ///         _ => &descent,
    ///     };
    ///     m.forward(batch.clone()).square().mean()
    /// })?;
    /// # drop(step);
    /// assert_eq!(examples, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// With a [`LossScale`](crate::LossScale) a pass that has overflowed is made again, at the same point.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_with_point<M, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        loss: F,
    ) -> Result<Step<M, L::Output>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M, PassPoint) -> L,
        L: LossOutput,
    {
        let mut pass = Whole(loss);
        self.make(lr, model, |attempt, model| attempt.whole(model, &mut pass))
    }

    /// As [`step`](Self::step), on a model that lives in a struct, an agent or a trainer. It has its new weights
    /// afterwards, or after an error those that it had; the program can go on either way:
    ///
    /// ```
    /// # use burn::nn::{Linear, LinearConfig};
    /// # use burn::optim::SgdConfig;
    /// # use burn::tensor::{Device, Tensor};
    /// use xsam::{SharpnessAware, StepError, XsamConfig};
    ///
    /// struct Agent {
    ///     model: Linear,
    ///     optim: SharpnessAware,
    ///     lr: f64,
    /// }
    ///
    /// # let device = Device::flex().autodiff();
    /// # let model = LinearConfig::new(2, 1).init(&device);
    /// # let optim = SharpnessAware::new(SgdConfig::new().init(), XsamConfig::new())?;
    /// # let [good, bad] = [1.0, f64::NAN].map(|x| Tensor::<2>::full([1, 2], x, &device));
    /// let mut agent = Agent { model, optim, lr: 0.1 };
    /// for batch in [good.clone(), bad, good] {
    ///     let loss = |m: &Linear| m.forward(batch.clone()).square().mean();
    ///     match agent.optim.step_mut(agent.lr, &mut agent.model, loss) {
    ///         Ok(step) => println!("loss {}", step.report.loss),
    ///         // The batch is left out, and the next ones are taken more carefully.
    ///         Err(StepError::NonFiniteLoss { .. }) => agent.lr /= 2.0,
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// assert_eq!(agent.optim.steps(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// While it is made there are two handles of every weight, so that the base optimizer cannot work in place: it costs
    /// a full-size copy more than [`step`](Self::step).
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_mut<M, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        loss: F,
    ) -> Result<Step<(), L::Output>, StepError>
    where
        M: Module,
        F: FnMut(&M) -> L,
        L: LossOutput,
    {
        let mut loss = loss;
        let lr = lr.into();
        let mut pass = Whole(|model: &M, _| loss(model));
        let ready = self.prepare(&lr, model, |attempt, model| attempt.whole(model, &mut pass))?;
        let step = self.finish(lr, ready);
        *model = step.model;
        Ok(Step {
            model: (),
            output: step.output,
            report: step.report,
        })
    }

    /// One step on a batch that is too large for memory: gradient accumulation, for every method.
    ///
    /// `loss` gives the mean loss of one of the `parts`. Every pass of the step goes over all parts, one after another,
    /// and takes the means of their losses and gradients: the ascent, the search and the descent are those
    /// of the whole batch, in the memory of a part. The means are of equal shares; where parts differ in size let the
    /// closure multiply a part's loss by its size over the mean size. The output is that of each part. Batch norm
    /// normalises each part by itself; its running statistics see each part once.
    ///
    /// # Errors
    /// As [`step`](Self::step); also if there is no part.
    pub fn step_accumulated<M, B, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        parts: &[B],
        loss: F,
    ) -> Result<Step<M, Vec<L::Output>>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M, &B) -> L,
        L: LossOutput,
    {
        let mut loss = loss;
        self.step_accumulated_with_point(lr, model, parts, |model, part, _| loss(model, part))
    }

    /// As [`step_accumulated`](Self::step_accumulated), with a `loss` that is told at which [`PassPoint`] it is run.
    ///
    /// # Errors
    /// As [`step`](Self::step); also if there is no part.
    pub fn step_accumulated_with_point<M, B, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        parts: &[B],
        loss: F,
    ) -> Result<Step<M, Vec<L::Output>>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M, &B, PassPoint) -> L,
        L: LossOutput,
    {
        let mut pass = Parts { parts, loss };
        self.make(lr, model, |attempt, model| attempt.whole(model, &mut pass))
    }

    /// One step of m-sharpness (arXiv 2010.01412, section 4.1): each of the `parts` of a batch, of m samples, ascends
    /// by itself, and the base optimizer steps with the mean of what the method makes of each.
    ///
    /// It is what data-parallel training does where workers do not share the first gradient. The parts go through
    /// the method one after another: XSAM searches on the first part of a step that has an arc, moving averages take
    /// in each part. The report has means over the parts, and alpha, psi and search of the first.
    /// Otherwise as [`step_accumulated`](Self::step_accumulated).
    ///
    /// # Errors
    /// As [`step`](Self::step); also if there is no part.
    pub fn step_m_sharpness<M, B, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        parts: &[B],
        loss: F,
    ) -> Result<Step<M, Vec<L::Output>>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M, &B) -> L,
        L: LossOutput,
    {
        let mut loss = loss;
        self.make(lr, model, |attempt, model| {
            attempt.each(model, parts, &mut loss)
        })
    }

    /// A step whose part before the base optimizer's is made by `attempt`.
    pub(crate) fn make<M: Module, O>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        attempt: impl FnMut(Attempt<'_>, &M) -> Result<Ready<M, O>, StepError>,
    ) -> Result<Step<M, O>, StepFailure<M>> {
        let lr = lr.into();
        match self.prepare(&lr, &model, attempt) {
            Ok(ready) => {
                // Nothing can fail from here on. The old weights go first: only then can the base
                // optimizer work in place.
                drop(model);
                Ok(self.finish(lr, ready))
            }
            Err(error) => Err(StepFailure::new(model, error)),
        }
    }

    /// What `attempt` makes of a step, with its numbers read. One in which it turns out that something was not as it was taken
    /// for granted is made again, with every number read at once.
    pub(crate) fn prepare<M: Module, O>(
        &self,
        lr: &ModuleLearningRate,
        model: &M,
        mut attempt: impl FnMut(Attempt<'_>, &M) -> Result<Ready<M, O>, StepError>,
    ) -> Result<(Ready<M, O>, StepReport), StepError> {
        let before = read::read_backs();
        let mut attempt = |readings| attempt(Attempt::of(self, lr, model, readings)?, model);
        let readings = match self.reads_at_the_end(model) {
            true => Readings::at_the_end(),
            false => Readings::default(),
        };
        let mut made = attempt(readings.clone());
        if !readings.hold()? {
            made = attempt(Readings::default());
        }
        let mut ready = made?;
        let is_less = |factor: &Number| factor.known().is_some_and(|factor| factor < 1.0);
        let mut report = std::mem::take(&mut ready.report).read()?;
        report.clipped = ready.factors.iter().any(is_less);
        report.read_backs = read::read_backs() - before;
        Ok((ready, report))
    }

    /// Whether the numbers of a step on `model` are read at its end.
    pub(crate) fn reads_at_the_end<M: Module>(&self, model: &M) -> bool {
        if self.ranks.is_some() {
            // What ranks tell each other they have read.
            return false;
        }
        let processor = Device::flex();
        match self.read_backs {
            None => model
                .devices()
                .into_iter()
                .any(|device| device.inner() != processor),
            Some(when) => when == ReadBacks::AtTheEnd,
        }
    }

    /// The base optimizer's part of a step, which cannot fail.
    fn finish<M: Module, O>(
        &mut self,
        lr: ModuleLearningRate,
        (ready, report): (Ready<M, O>, StepReport),
    ) -> Step<M, O> {
        self.adopt(ready.changed);
        let step = |model, gradients| self.base.step(lr.clone(), model, gradients);
        Step {
            model: ready.update.apply(&lr, ready.model, step),
            output: ready.output,
            report,
        }
    }

    /// Takes up what a step has made of the optimizer's state, and counts it.
    pub(crate) fn adopt(&mut self, changed: Changed) {
        self.method = changed.method;
        self.loss_scale = changed.loss_scale;
        self.randomness = changed.randomness;
        self.loaded.clear();
        self.met = true;
        if let Some(scale) = &mut self.loss_scale {
            scale.step();
        }
        self.steps += 1;
    }
}
