//! Sharpness-aware training for any [Burn](https://burn.dev) model.
//!
//! Networks that settle in flat minima of the loss generalise better. Sharpness-aware minimization
//! finds them by taking the gradient not at the weights but at a point nearby where the loss is
//! higher. XSAM (eXplicit Sharpness-Aware Minimization, Chen and Zhou, ICLR 2026, arXiv 2603.10048)
//! searches for the direction of the highest loss and steps away from it.
//!
//! [`SharpnessAware`] wraps any Burn optimizer. Instead of gradients its
//! [`step`](SharpnessAware::step) gets the forward pass, which it runs as often as the method needs:
//!
//! ```
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Distribution, Tensor};
//! use xsam::optim::SgdConfig;
//! use xsam::{SharpnessAware, XsamConfig};
//!
//! let device = Device::flex().autodiff();
//! let mut model = LinearConfig::new(4, 1).init(&device);
//! let inputs = Tensor::<2>::random([32, 4], Distribution::Default, &device);
//! let targets = inputs.clone().sum_dim(1);
//!
//! let sgd = SgdConfig::new().with_momentum(0.9).init()?;
//! let mut optim = SharpnessAware::new(sgd, XsamConfig::new().with_rho(0.1))?;
//! for _epoch in 0..20 {
//!     optim.start_epoch();                                     // XSAM searches once an epoch
//!     let loss = |m: &Linear| (m.forward(inputs.clone()) - targets.clone()).square().mean();
//!     let step = optim.step(0.05, model, loss)?;
//!     model = step.model;
//! }
//! let state = optim.to_record()?;                              // alpha, counters, the base optimizer's state
//! # assert_eq!(state.method(), "xsam");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The closure may return `(loss, output)`: `step.output` is that of the pass at the weights. That pass, and no other,
//! updates running statistics. All passes of a step draw the same dropout masks. A step that fails changes nothing: the
//! model is in the error. Clipping, a schedule of rho, fresh dropout masks and loss scaling are the `with_` methods of
//! [`SharpnessAware`]. A loss that goes through a second module (a GAN's critic, a teacher) takes both, as
//! [`Accompanied`].
//!
//! # Which method
//!
//! | method | config | forward-backward passes a step | choose it |
//! |---|---|---|---|
//! | `xsam` | [`XsamConfig`] | k + 1, and 21 forward passes an epoch | as a rule |
//! | `sam` | [`SamConfig`] | k + 1 | as the customary baseline |
//! | `asam` | [`AsamConfig`] | k + 1 | if layers differ much in the scale of their weights |
//! | `look-xsam` | [`LookXsamConfig`] | 1 + k / K, and XSAM's searches | if twice the time of the base optimizer is too much |
//! | `looksam` | [`LookSamConfig`] | 1 + k / K | likewise, without searches |
//! | `gsam` | [`GsamConfig`] | k + 1 | to make the surrogate gap small |
//! | `wsam` | [`WsamConfig`] | k + 1 | to weigh sharpness against loss |
//! | `friendly-sam` | [`FriendlySamConfig`] | k + 1 | to ascend along what is peculiar to the batch |
//! | `msam` | [`MsamConfig`] | k + 1, k > 1 | if several ascent steps are to count alike |
//! | `lookbehind-sam` | [`LookbehindSamConfig`] | k + 1, k > 1 | if a large rho with several ascent steps is unstable |
//! | `sgd` | [`SgdOnlyConfig`] | 1 | as the baseline without sharpness-awareness |
//!
//! (`k` is the number of ascent steps, 1 by default; every `K`-th step of a method that looks back is a whole one.) All but
//! the last take rho, the total length of the ascent: the one hyper-parameter to tune, on validation data. The paper of
//! each, its formulas and hyper-parameters with defaults and ranges, and the full-size copies that it holds stand at its
//! config.
//!
//! Any method takes a batch in parts: [`step_accumulated`](SharpnessAware::step_accumulated) is a step on a batch that is
//! too large for memory, [`step_m_sharpness`](SharpnessAware::step_m_sharpness) gives each part an ascent of its own. A loop
//! that makes its passes itself, without a closure, has [`ascend`](SharpnessAware::ascend) and
//! [`descend`](SharpnessAware::descend). [`LossScale`] is for activations in half precision.
//!
//! Base optimizers that pass over memory once are in [`optim`]; Burn's own work as well.
//!
//! Models that train in Burn's own loop, `SupervisedTraining`, do so sharpness-aware with three more lines: the feature
//! `train` has the module `train` for it. Loops that make their passes themselves have
//! [`ascend`](SharpnessAware::ascend). Both, and the rest, are in the crate's examples.
//!
//! # What a step costs besides its passes
//!
//! Vectors of the weights' size that are read and written outside the forward and backward passes, on
//! the Flex back end in `f32`, with SGD with momentum and weight decay of [`optim`] and a single ascent
//! step:
//!
//! | | reads | writes | |
//! |---|---|---|---|
//! | `sgd` | 4 | 2 | norm of the gradient 1 + 0; update 3 + 2, in place |
//! | `sam` | 7 | 3 | besides: ascent point 2 + 1, norm of its gradient 1 + 0 |
//! | `asam` | 9 | 4 | as `sam`; scaled direction 2 + 1 |
//! | `xsam` | 11 | 4 | as `sam`; angle 2 + 0, direction 2 + 1 in the gradient's place |
//!
//! A candidate of a search is 3 + 1, a gradient that is clipped 1 + 1, Adam's update 4 + 3. A further
//! ascent step is 3 + 1, and with XSAM 2 + 1 more for the displacement. (ResNet-18 has 11 million
//! weights, 45 MB: XSAM's 15 come to some 0.7 GB.)
//!
//! New methods can be written outside this crate as well: [`Method`] is the interface, [`Ascent`],
//! [`Climb`], [`Plane`] and [`ParamVector`] are the parts.
//!
//! Not to be confused with X-SAM (arXiv 2601.10251), which corrects SAM by an eigenvector of the
//! Hessian, or with the Segment Anything Model.

mod accompanied;
mod ascent;
mod attempt;
pub mod check;
mod error;
mod loss_scale;
mod method;
mod objective;
pub mod optim;
pub mod parameters;
mod pass;
mod phases;
mod plane;
mod random;
mod record;
mod report;
mod rho;
mod search;
mod sharpness_aware;
#[cfg(feature = "train")]
pub mod train;
mod update;
mod vector;

pub use accompanied::Accompanied;
pub use ascent::{Ascent, AscentPoint, Climb, Keep, Scaling};
pub use error::{ConfigError, Place, RecordError, StepError, StepFailure};
pub use loss_scale::LossScale;
pub use method::{
    AsamConfig, CloneMethod, Context, Friendly, FriendlySamConfig, GsamConfig, LookSamConfig,
    LookXsamConfig, LookbehindSamConfig, Method, MethodConfig, MethodState, MsamConfig, SamConfig,
    SgdOnlyConfig, WsamConfig, XsamConfig,
};
pub use objective::{Evaluation, Objective, Passes};
pub use pass::LossOutput;
pub use phases::{Ascended, Candidate, Descent, Phase};
pub use plane::Plane;
pub use record::SharpnessAwareRecord;
pub use report::StepReport;
pub use rho::RhoSchedule;
pub use search::{Grid, SearchReport, SearchSchedule};
pub use sharpness_aware::{SharpnessAware, Step};
pub use update::{Then, Update};
pub use vector::ParamVector;

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// So is that of the page on practice.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/practice.md")]
pub struct Practice;
