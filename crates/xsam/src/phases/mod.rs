//! A step in phases, for loops that make their passes themselves.
//!
//! [`SharpnessAware::step`] calls a closure as often as the method asks. Here the method asks the loop: each
//! [`Phase`] is either a pass that the loop is to make, or the descent. What a phase needs is in its type, so that a
//! descent without its ascent, an ascent that is used twice, or a pass that is left out do not compile.

mod known;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::{GradientCheckpointingStrategy, Tensor};

use crate::attempt::Ready;
use crate::error::{Place, StepError, StepFailure};
use crate::method::{Context, Method};
use crate::objective::{Evaluation, Passes};
use crate::parameters;
use crate::pass::scalar;
use crate::random::Randomness;
use crate::report::StepReport;
use crate::sharpness_aware::{Edition, SharpnessAware, Step};
use crate::vector::{ParamVector, Reductions};
use known::{Answer, Known, Wanted};

/// What is to be done next in a step.
#[derive(Debug)]
#[must_use = "a step that is dropped is not made"]
pub enum Phase<M> {
    /// A forward-backward pass at an ascent point.
    Ascended(Ascended<M>),
    /// A forward pass at a point that a search tries.
    Candidate(Candidate<M>),
    /// The base optimizer's step.
    Ready(Descent<M>),
}

/// A model at an ascent point, of which loss and gradients are wanted.
#[must_use = "a step that is dropped is not made"]
pub struct Ascended<M> {
    course: Course<M>,
    point: M,
    place: Place,
}

/// A model at a point that a search tries, of which the loss is wanted.
#[must_use = "a step that is dropped is not made"]
pub struct Candidate<M> {
    course: Course<M>,
    point: M,
    /// The points that are still to be tried after this one, the next one last.
    rest: Vec<Offset>,
    losses: Reductions,
}

/// A step that lacks nothing but the base optimizer's part: for [`SharpnessAware::descend`].
#[must_use = "a step that is dropped is not made"]
pub struct Descent<M> {
    ready: Ready<M, ()>,
    lr: ModuleLearningRate,
    edition: Edition,
}

/// A sum of `factor * vector`.
type Offset = Vec<(f64, ParamVector)>;

impl SharpnessAware {
    /// Begins a step whose passes the caller makes: from the loss at the weights of `model` and its gradients.
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::optim::{GradientsParams, SgdConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use xsam::{Phase, SamConfig, SharpnessAware};
    ///
    /// # let device = Device::flex().autodiff();
    /// # let model = LinearConfig::new(2, 1).init(&device);
    /// # let inputs = Tensor::<2>::from_floats([[0.0, 1.0], [1.0, 0.0]], &device);
    /// let loss = |model: &Linear| model.forward(inputs.clone()).square().mean();
    /// let mut optim = SharpnessAware::new(SgdConfig::new().init(), SamConfig::new())?;
    ///
    /// let value = loss(&model);
    /// let gradients = GradientsParams::from_grads(value.backward(), &model);
    /// let mut phase = optim.ascend(0.1, model, value, gradients)?;
    /// let step = loop {
    ///     phase = match phase {
    ///         Phase::Ascended(ascended) => {
    ///             let value = loss(ascended.model());
    ///             let gradients = GradientsParams::from_grads(value.backward(), ascended.model());
    ///             ascended.answer(value, gradients)?
    ///         }
    ///         Phase::Candidate(candidate) => {
    ///             let value = loss(candidate.model());
    ///             candidate.answer(value)?
    ///         }
    ///         Phase::Ready(descent) => break optim.descend(descent)?,
    ///     }
    /// };
    /// println!("loss {}, at the ascent point {:?}", step.report.loss, step.report.ascent_loss);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A descent takes a [`Descent`], which nothing but the phases before it gives:
    ///
    /// ```compile_fail,E0061
    /// # use burn::{nn::LinearConfig, optim::SgdConfig, tensor::Device};
    /// # let mut optim = xsam::SharpnessAware::new(SgdConfig::new().init(), xsam::SamConfig::new())?;
    /// optim.descend()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The results are those of [`step`](Self::step), bit for bit. The pass at the weights is the one that updates
    /// running statistics; the models of the phases have their own. `lr` is the learning rate of the step. Loss
    /// scaling and [`with_replay_dropout`](Self::with_replay_dropout) need the closure of [`step`](Self::step). Memory:
    /// besides what the method needs, the gradient of every pass until the descent.
    ///
    /// With dropout in the model the loop itself sees to it that a step's passes have the same masks, since the first
    /// of them is over when the step begins: `device.seed(n)` before every pass, the one at the weights included, with
    /// an `n` that changes from step to step. Without it each pass draws masks of its own, and a search compares
    /// masks.
    ///
    /// # Errors
    /// As [`step`](Self::step), and [`StepError::NeedsClosure`].
    pub fn ascend<M: Module>(
        &self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        loss: Tensor<1>,
        gradients: GradientsParams,
    ) -> Result<Phase<M>, StepFailure<M>> {
        match self.course(lr.into(), &model, loss, gradients) {
            Ok(course) => course(model).next(),
            Err(error) => Err(StepFailure::new(model, error)),
        }
    }

    /// The last phase of a step: the base optimizer's.
    ///
    /// # Errors
    /// [`StepError::Stale`] if the optimizer is not as it was when the step began: another step was made, an epoch
    /// started or a record loaded meanwhile, or it is another optimizer.
    pub fn descend<M: Module>(&mut self, descent: Descent<M>) -> Result<Step<M>, StepFailure<M>> {
        match descent.edition == self.edition {
            true => Ok(self.finish(descent.lr, descent.ready)),
            false => Err(StepFailure::new(descent.ready.model, StepError::Stale)),
        }
    }

    fn course<M: Module>(
        &self,
        lr: ModuleLearningRate,
        model: &M,
        loss: Tensor<1>,
        gradients: GradientsParams,
    ) -> Result<impl FnOnce(M) -> Course<M> + use<M>, StepError> {
        if self.loss_scale.is_some() {
            return Err(StepError::NeedsClosure("loss scaling"));
        }
        if let Randomness::Given(_) = self.randomness {
            return Err(StepError::NeedsClosure("replayed dropout"));
        }
        let strategy = parameters::checkpointing(model).ok_or(StepError::NotAutodiff)?;
        self.check_parameters(model)?;
        let context = Context {
            rho_factor: self.rho_factor(&lr)?,
            step: self.steps,
            part: 0,
            parts: 1,
        };
        let start = evaluation(model, loss, gradients, Place::Weights)?;
        let (method, randomness) = (self.method.boxed(), self.randomness);
        let (clip_norm, edition) = (self.clip_norm, self.edition);
        Ok(move |model| Course {
            model,
            strategy,
            method,
            randomness,
            context,
            clip_norm,
            lr,
            edition,
            start,
            answers: Vec::new(),
            passes: Passes {
                gradients: 1,
                losses: 0,
            },
        })
    }
}

impl<M: Module> Ascended<M> {
    /// The model at the ascent point, in training mode, with running statistics of its own.
    pub fn model(&self) -> &M {
        &self.point
    }

    /// Hands over loss and gradients of a pass of [`model`](Self::model): what is next.
    ///
    /// # Errors
    /// If loss or gradients are not finite, there are none, or the device fails. Holds the model at its weights.
    pub fn answer(
        self,
        loss: Tensor<1>,
        gradients: GradientsParams,
    ) -> Result<Phase<M>, StepFailure<M>> {
        let Self {
            mut course,
            point,
            place,
        } = self;
        match evaluation(&point, loss, gradients, place) {
            Ok(evaluation) => {
                course.passes.gradients += 1;
                course.answers.push(Answer::Gradient(evaluation));
                course.next()
            }
            Err(error) => Err(StepFailure::new(course.model, error)),
        }
    }
}

impl<M: Module> Candidate<M> {
    /// The model at the point, in training mode, with running statistics of its own; it requires no gradients.
    pub fn model(&self) -> &M {
        &self.point
    }

    /// Hands over the loss of [`model`](Self::model): what is next.
    ///
    /// # Errors
    /// If the loss is not a scalar or the device fails. Holds the model at its weights.
    pub fn answer(mut self, loss: Tensor<1>) -> Result<Phase<M>, StepFailure<M>> {
        match scalar(loss) {
            Ok(loss) => self.losses = self.losses.scalar(loss),
            Err(error) => return Err(StepFailure::new(self.course.model, error)),
        }
        self.course.passes.losses += 1;
        if let Some(offset) = self.rest.pop() {
            self.point = self.course.candidate(&offset);
            return Ok(Phase::Candidate(self));
        }
        match self.losses.read_all() {
            Ok(losses) => {
                self.course.answers.push(Answer::Losses(losses));
                self.course.next()
            }
            Err(error) => Err(StepFailure::new(self.course.model, error)),
        }
    }
}

fn evaluation<M: Module>(
    model: &M,
    loss: Tensor<1>,
    gradients: GradientsParams,
    place: Place,
) -> Result<Evaluation, StepError> {
    let loss = scalar(loss)?;
    let gradient = parameters::vector_of(model, gradients);
    if gradient.is_empty() {
        return Err(StepError::NoGradient);
    }
    Evaluation::read(loss, gradient, place, &mut None)?.ok_or(StepError::NoGradient)
}

/// A step on its way: where it began, and the answers so far.
///
/// A method is plain code that calls its objective. To stop it in the middle of that it is run anew for every phase,
/// with the answers that are known, until it asks for one that is not.
struct Course<M> {
    model: M,
    strategy: GradientCheckpointingStrategy,
    method: Box<dyn Method>,
    randomness: Randomness,
    context: Context,
    clip_norm: Option<f64>,
    lr: ModuleLearningRate,
    edition: Edition,
    start: Evaluation,
    answers: Vec<Answer>,
    passes: Passes,
}

impl<M: Module> Course<M> {
    fn next(self) -> Result<Phase<M>, StepFailure<M>> {
        let mut method = self.method.boxed();
        let mut report = StepReport::at(&self.start);
        let mut known = Known::new(&self.model, self.strategy, &self.answers);
        let start = self.start.clone();
        let update = method.update(start, &mut known, &self.context, &mut report);
        let wanted = known.wanted;
        match (update, wanted) {
            (Err(StepError::Pending), Some(Wanted::Gradient(point, place))) => {
                Ok(Phase::Ascended(Ascended {
                    course: self,
                    point,
                    place,
                }))
            }
            (Err(StepError::Pending), Some(Wanted::Losses(mut offsets))) => {
                offsets.reverse();
                let first = offsets.pop().unwrap_or_default();
                Ok(Phase::Candidate(Candidate {
                    point: self.candidate(&first),
                    course: self,
                    rest: offsets,
                    losses: Reductions::default(),
                }))
            }
            (Err(error), _) => Err(StepFailure::new(self.model, error)),
            (Ok(update), _) => {
                report.passes = self.passes;
                let update = match update.clipped(self.clip_norm, &mut report) {
                    Ok(update) => update,
                    Err(error) => return Err(StepFailure::new(self.model, error)),
                };
                Ok(Phase::Ready(Descent {
                    ready: Ready {
                        model: self.model,
                        output: (),
                        update,
                        method,
                        loss_scale: None,
                        randomness: self.randomness,
                        report,
                    },
                    lr: self.lr,
                    edition: self.edition,
                }))
            }
        }
    }

    fn candidate(&self, offset: &Offset) -> M {
        let model = parameters::independent(&self.model, self.strategy).no_grad();
        let offset: Vec<_> = offset
            .iter()
            .map(|(factor, vector)| (*factor, vector))
            .collect();
        parameters::displaced(model, &offset)
    }
}

impl<M> std::fmt::Debug for Ascended<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ascended")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl<M> std::fmt::Debug for Candidate<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("after it", &self.rest.len())
            .finish_non_exhaustive()
    }
}

impl<M> std::fmt::Debug for Descent<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Descent")
            .field("report", &self.ready.report)
            .finish_non_exhaustive()
    }
}
