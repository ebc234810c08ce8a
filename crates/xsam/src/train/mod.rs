//! Inside Burn's own training loop (feature `train`).
//!
//! A model that implements Burn's [`TrainStep`] trains sharpness-aware under
//! [`SupervisedTraining`](burn::train::SupervisedTraining) when it is wrapped in a [`SharpnessAwareModel`]. Metrics,
//! the display in the terminal (feature `tui`), checkpoints, early stopping, gradient accumulation, parameter groups
//! and schedules of the learning rate are the loop's, and work as they do without it:
//!
//! ```text
//! let training = SupervisedTraining::new(directory, train, valid). .. ;
//! let model = SharpnessAwareModel::new(model, XsamConfig::new(), training.interrupter())?;    // new
//! let result = training.launch(Learner::new(model, optim, lr_scheduler));
//! let model = result.model.into_model();                                                      // new
//! ```
//!
//! # What happens in a step
//!
//! The loop asks the model for gradients of a batch, and then to optimize itself with them. The first is the pass at
//! the weights; its output goes to the metrics, and it alone updates running statistics. In the second the method makes
//! its other passes over the same batch, by the model's own [`TrainStep`], and hands its gradient to the loop's
//! optimizer, at the learning rate of the step. It is [`SharpnessAware::step`](crate::SharpnessAware::step), bit for
//! bit, with every method of this crate or your own.
//!
//! * **Gradient accumulation**: the ascent, the search and the descent are those of all batches of the step together, as in
//!   [`step_accumulated`](crate::SharpnessAware::step_accumulated). As Burn sums gradients without dividing them, so
//!   are losses and gradients summed here; rho is a length and does not depend on it.
//! * **Searches** by forward passes: a training step takes gradients, so in a pass that needs none only the last
//!   parameter of the model is tracked. Where that is not near the loss the pass costs a little more.
//! * **Epochs**: one begins after each validation, of which the loop makes one an epoch.
//! * **Checkpoints**: the state of the method (alpha, counters, moving averages) is a tensor `sharpness_aware`
//!   of bytes in the model's record. A resumed training goes on as if it had not been interrupted. A record of
//!   the model alone loads as well; the method begins anew then. Loading a record of another method is an error.
//! * **Errors** stop the training: see [`SharpnessAwareModel::new`].
//!
//! * **Dropout**: all passes over a batch have the same masks, as in
//!   [`SharpnessAware::step`](crate::SharpnessAware::step). The device's generator is seeded before each of
//!   them. Threads of a data loader that draw from it as well are not to be had besides: augment with generators of your
//!   own, or take [`with_fresh_dropout`](SharpnessAwareModel::with_fresh_dropout).
//!
//! Not supported, and an error: several devices. Loss scaling needs the closure of
//! [`SharpnessAware::step`](crate::SharpnessAware::step).
//!
//! [`TrainStep`]: burn::train::TrainStep

mod loss;
mod model;
mod module;
mod pass;
mod record;

pub use loss::HasLoss;
pub use model::SharpnessAwareModel;
